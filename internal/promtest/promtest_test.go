package promtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func TestPrometheus(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calls_total", Help: "Calls."}, []string{"func"})
	registry.MustRegister(counter)
	counter.WithLabelValues("sys_read").Add(41)
	target := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer target.Close()

	server := Start(t, target.Listener.Addr().String())
	if got := server.Value(`calls_total{func="sys_read"}`); got != 41 {
		t.Errorf("first scrape: %v", got)
	}
	counter.WithLabelValues("sys_read").Inc()
	counter.WithLabelValues("sys_write").Inc()
	server.WaitValue(`sum(calls_total)`, 43)
	samples := server.Query(`calls_total{func="sys_write"}`)
	if len(samples) != 1 || samples[0].Metric["func"] != "sys_write" || samples[0].Value != 1 {
		t.Errorf("Query: %v", samples)
	}
	if got := server.Value(`scalar(sum(calls_total)) + 1`); got != 44 {
		t.Errorf("scalar: %v", got)
	}
	if err := CheckMetrics(t, scrape(t, target.URL)); err != nil {
		t.Error(err)
	}
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCheckMetrics(t *testing.T) {
	tests := []struct{ text, complaint string }{
		{"# HELP a_total Calls.\n# TYPE a_total counter\na_total 1\n", ""},
		{"# HELP a Calls.\n# TYPE a counter\na 1\n", `counter metrics should have "_total" suffix`},
		{"# TYPE a_total counter\na_total 1\n", "no help text"},
		{"a_total one\n", "expected float"},
	}
	for _, tt := range tests {
		err := CheckMetrics(t, tt.text)
		switch {
		case tt.complaint == "" && err != nil:
			t.Errorf("%q: %v", tt.text, err)
		case tt.complaint != "" && (err == nil || !strings.Contains(err.Error(), tt.complaint)):
			t.Errorf("%q: %v, want %q", tt.text, err, tt.complaint)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	tests := []struct {
		answer  string
		samples []Sample
		err     string
	}{
		{`{"status":"success","data":{"resultType":"scalar","result":[1,"2.5"]}}`, []Sample{{nil, 2.5}}, ""},
		{`{"status":"success","data":{"resultType":"vector","result":[]}}`, []Sample{}, ""},
		{`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"4096"},"value":[1,"3"]}]}}`,
			[]Sample{{map[string]string{"le": "4096"}, 3}}, ""},
		{`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"4","sum":"8"}]}]}}`,
			[]Sample{{map[string]string{}, 4}}, ""},
		{`{"status":"success","data":{"resultType":"matrix","result":[]}}`, nil, "cannot read a matrix: ask for an instant vector"},
		{`{"status":"error","error":"parse error"}`, nil, "parse error"},
	}
	for _, tt := range tests {
		samples, err := parseAnswer(strings.NewReader(tt.answer))
		if !reflect.DeepEqual(samples, tt.samples) || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %v, %v", tt.answer, samples, err)
		}
	}
}
