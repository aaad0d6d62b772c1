package dashboards_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ply-exporter/configs"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/promtest"
	"ply-exporter/plylang"
)

// Every query of every dashboard gives data, if all metrics have some, from classic
// histograms and from native ones. What a real exporter gives is tested with the
// command.
func TestQueriesGiveData(t *testing.T) {
	for name, start := range map[string]func(testing.TB, string) *promtest.Server{"classic": promtest.Start, "native": promtest.StartNative} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := newTarget(t, name == "native")
			server := start(t, target)
			for file, text := range shipped(t) {
				for _, p := range panelsOf(decode(t, file, text)) {
					for _, x := range p.Targets {
						expectData(t, server, file+": "+*p.Title, promql(x.(*prometheus.Dataquery).Expr))
					}
				}
			}
		})
	}
}

// promql is a query as Grafana sends it.
func promql(expr string) string {
	return strings.NewReplacer("$__rate_interval", "10s", "$__range", "1m", "$job", ".*", "$instance", ".*", "$script", ".*").Replace(expr)
}

// expectData waits for the data of a query, which after two scrapes is there.
func expectData(t *testing.T, server *promtest.Server, what, query string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		samples := server.Query(query)
		fault := ""
		seen := map[string]bool{}
		for _, s := range samples {
			if key := fmt.Sprint(s.Metric); seen[key] { // maps are printed sorted
				fault = "two series have the labels " + key
			} else {
				seen[key] = true
			}
			if math.IsNaN(s.Value) {
				fault = "not a number"
			}
		}
		if len(samples) == 0 {
			fault = "no data"
		}
		if fault == "" {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s: %s: %s", what, fault, query)
			return
		}
	}
}

// newTarget serves all metrics of the shipped configurations and the exporter's own,
// each with a series, all of which grow from scrape to scrape. It returns its address.
func newTarget(t *testing.T, native bool) string {
	t.Helper()
	cfg := &config.Config{}
	for _, file := range configs.Names() {
		text, err := configs.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		one, err := config.Parse(file, checked.Programs(t, text))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		cfg.Scripts = append(cfg.Scripts, one.Scripts...)
	}
	reader, err := exporter.NewReader(cfg, checked.Backend(t, kernelOfDashboards))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	registry := client.NewRegistry()
	var grow []func()
	for _, m := range append(reader.Metrics(), others...) {
		grow = append(grow, register(registry, m, native))
	}
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range grow {
			f()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// others are metrics that dashboards ask for and the exporter does not list.
var others = []exporter.MetricInfo{
	{Name: "ply_exporter_build_info", Type: "gauge", Labels: []string{"version"}},
	{Name: "ply_exporter_config_last_reload_successful", Type: "gauge"},
	{Name: "process_cpu_seconds_total", Type: "counter"},
	{Name: "process_resident_memory_bytes", Type: "gauge"},
}

// register makes a metric with a series, and returns what changes it.
func register(r *client.Registry, m exporter.MetricInfo, native bool) func() {
	values := make([]string, len(m.Labels))
	for i := range values {
		values[i] = "some"
	}
	switch m.Type {
	case "counter":
		v := client.NewCounterVec(client.CounterOpts{Name: m.Name, Help: "Test."}, m.Labels)
		r.MustRegister(v)
		return v.WithLabelValues(values...).Inc
	case "gauge":
		v := client.NewGaugeVec(client.GaugeOpts{Name: m.Name, Help: "Test."}, m.Labels)
		r.MustRegister(v)
		return func() { v.WithLabelValues(values...).Set(2) }
	case "summary":
		v := client.NewSummaryVec(client.SummaryOpts{Name: m.Name, Help: "Test."}, m.Labels)
		r.MustRegister(v)
		return func() { v.WithLabelValues(values...).Observe(1) }
	default:
		opts := client.HistogramOpts{Name: m.Name, Help: "Test.", Buckets: m.Bounds}
		if native {
			opts.NativeHistogramBucketFactor = 1.1
		}
		v := client.NewHistogramVec(opts, m.Labels)
		r.MustRegister(v)
		return func() { v.WithLabelValues(values...).Observe(1) }
	}
}

func TestMain(m *testing.M) {
	registerSchemas()
	os.Exit(m.Run())
}
