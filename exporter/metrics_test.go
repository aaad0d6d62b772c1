package exporter

import (
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// The names of what the demo's scripts export, and of a metric of the exporter:
// the time that a reading took differs each time.
const demoNames = "?name[]=ply_syscalls_total&name[]=ply_latency_seconds&name[]=ply_latency_lat_seconds&name[]=ply_script_up&name[]=nothing"

// Whatever a client accepts, it gets the headers and the bytes that promhttp
// sends for the same metrics.
func TestScrapesAreThoseOfPromhttp(t *testing.T) {
	b, yaml := demo()
	c := run(t, b, yaml)
	gather := func() ([]*dto.MetricFamily, error) { return c.gather(time.Now()) }
	for _, created := range []bool{false, true} {
		ours := &metricsHandler{c, created, newLimitedLog(c.log)}
		oracle := promhttp.HandlerFor(prometheus.GathererFunc(gather), promhttp.HandlerOpts{EnableOpenMetrics: true, EnableOpenMetricsTextCreatedSamples: created})
		for _, accept := range []string{
			"", "*/*", "text/plain", "text/plain;version=0.0.4", "text/plain;version=1.0.0", "text/html", "text/*;q=0.3, application/json",
			"application/openmetrics-text", "application/openmetrics-text;version=1.0.0", "application/openmetrics-text;version=0.0.1,text/plain;q=0.5",
			"application/openmetrics-text;version=2.0.0", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
			"application/openmetrics-text;version=1.0.0;escaping=dots;q=0.4,text/plain;version=1.0.0;escaping=values;q=0.6",
			"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
			"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=underscores;q=0.7,*/*;q=0.2",
			"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0",
			"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
			"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text",
		} {
			sameAnswer(t, ours, oracle, accept, "")
		}
		for _, encoding := range []string{
			"gzip", "identity", "*", "gzip, deflate, br", "deflate", "zstd, gzip;q=0.5", "gzip;q=0.4, identity;q=0.6", "gzip;q=0.6,identity;q=0.4",
			"gzip;q=0", "gzip;q=0, *", "*;q=0", "identity;q=0", "gzip;q=x", " , ", "gzip ;q=0.1",
		} {
			sameAnswer(t, ours, oracle, "application/openmetrics-text;version=1.0.0", encoding)
		}
	}
}

// A slowWriter takes its time for each piece.
type slowWriter struct{ *httptest.ResponseRecorder }

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return w.ResponseRecorder.Write(p)
}

// A reading is done when all of it is written, compressed or not.
func TestReadingIsDoneWhenWritten(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		synctest.Test(t, func(t *testing.T) {
			b, yaml := demo()
			c := run(t, b, yaml)
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Header.Set("Accept-Encoding", encoding)
			begin := time.Now()
			(&metricsHandler{c, false, newLimitedLog(c.log)}).ServeHTTP(slowWriter{httptest.NewRecorder()}, r)
			if at := c.scripts[0].running.reads[0]; !at.Equal(time.Now()) || at.Equal(begin) {
				t.Errorf("%s: done %v after the begin, written after %v", encoding, at.Sub(begin), time.Since(begin))
			}
		})
	}
}

// What was sent is not kept.
func TestAnswersAreForgotten(t *testing.T) {
	b, yaml := demo()
	h := &metricsHandler{collector: run(t, b, yaml)}
	sent := func() weak.Pointer[recording] {
		answer := &recording{header: http.Header{}}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		h.ServeHTTP(answer, r)
		return weak.Make(answer)
	}()
	runtime.GC()
	if sent.Value() != nil {
		t.Error("the compressed answer is still in memory")
	}
}

func sameAnswer(t *testing.T, ours, oracle http.Handler, accept, encoding string) {
	t.Helper()
	got, want := answerOf(t, ours, accept, encoding), answerOf(t, oracle, accept, encoding)
	if got.StatusCode != want.StatusCode || !maps.EqualFunc(got.Header, want.Header, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
		t.Errorf("%q, %q: got %d %v, want %d %v", accept, encoding, got.StatusCode, got.Header, want.StatusCode, want.Header)
	}
	if gotBody, wantBody := bodyOf(t, got), bodyOf(t, want); gotBody != wantBody || !strings.Contains(wantBody, "ply_syscalls") {
		t.Errorf("%q, %q: got\n%q\nwant\n%q", accept, encoding, gotBody, wantBody)
	}
}

func answerOf(t *testing.T, h http.Handler, accept, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics"+demoNames, nil)
	for name, value := range map[string]string{"Accept": accept, "Accept-Encoding": encoding} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	in := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		in = zip
	}
	body, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
