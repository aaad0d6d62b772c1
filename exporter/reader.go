package exporter

import (
	"log/slog"
	"slices"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A Reader runs the scripts of a configuration and reads them as a scrape does,
// but serves them to nobody.
type Reader struct {
	backend Backend
	scripts []*script
	*collector
}

// NewReader compiles the scripts of a configuration. Its error is a
// plylang.ErrorList of the user's mistakes; what this kernel lacks is told by
// Failed.
func NewReader(cfg *config.Config, b Backend) (*Reader, error) {
	scripts, fatal := compile(cfg, b)
	if len(fatal) > 0 {
		return nil, fatal
	}
	return &Reader{b, scripts, &collector{scripts: scripts, log: slog.New(slog.DiscardHandler)}}, nil
}

// Start loads and attaches all scripts. Its error says why none of them runs;
// those that do not run beside others are told by Failed.
func (r *Reader) Start() error {
	opened := time.Now()
	start(r.scripts, r.backend)
	openedAt(r.scripts, opened)
	if noneRun(r.scripts) {
		return groupFailures(r.scripts)
	}
	return nil
}

// Failed returns why a script does not run, or could not be read, by its name.
func (r *Reader) Failed() map[string]error {
	failed := map[string]error{}
	for _, s := range r.scripts {
		switch {
		case s.err != nil:
			failed[s.conf.Name] = s.err
		case s.running != nil && s.running.readErr != nil:
			failed[s.conf.Name] = s.running.readErr
		}
	}
	return failed
}

// Close ends all scripts.
func (r *Reader) Close() { stop(r.scripts) }

// Has says why a script with that probe cannot run on this kernel, nil if it can.
// Its errors.Is(err, plylang.ErrMissing) unless the probe is none at all. Nothing
// is loaded.
func (r *Reader) Has(probe string) error {
	checked, err := r.backend.Check(&plylang.Source{File: probe, Text: probe + " { @ = count(); }"})
	if err != nil {
		return err
	}
	_, err = r.backend.Compile(checked, bpfgen.Options{})
	return err
}

// A MetricInfo is a metric of a configuration.
type MetricInfo struct {
	Name    string
	Help    string
	Script  string // "" for the exporter's own
	Type    string // counter, gauge, histogram, summary
	Unit    string
	Labels  []string
	Bounds  []float64 // of a histogram's buckets but +Inf
	MaxKeys int       // as far as the configuration says; 0 when it does not
}

// Metrics returns what the scripts that compiled export, and the exporter's own
// metrics.
func (r *Reader) Metrics() []MetricInfo {
	var out []MetricInfo
	for _, s := range r.scripts {
		if s.compiled == nil {
			continue
		}
		for _, m := range s.compiled.metrics.exported() {
			out = append(out, m.info())
		}
	}
	for _, m := range selfMetrics {
		out = append(out, MetricInfo{Name: m.name, Help: m.help, Type: typeName(m.typ), Labels: m.labels})
	}
	return out
}

// A Series is one line of a scrape.
type Series struct {
	Metric string // with _bucket, _sum or _count
	Labels []SeriesLabel
	Value  float64
	Gauge  bool // it tells what is, not how often something happened
}

// A SeriesLabel is a label of a series.
type SeriesLabel struct{ Name, Value string }

// Read reads the maps of the scripts that are named, of all if none is, and returns
// what a scrape would show of them now.
func (r *Reader) Read(scripts ...string) ([]Series, error) {
	r.collector.scripts = nil
	for _, s := range r.scripts {
		if len(scripts) == 0 || slices.Contains(scripts, s.conf.Name) {
			r.collector.scripts = append(r.collector.scripts, s)
		}
	}
	families, err := r.gather(time.Now())
	var out []Series
	for _, f := range families {
		for _, m := range f.Metric {
			out = appendSeries(out, f, m)
		}
	}
	return out, err
}

func appendSeries(out []Series, f *dto.MetricFamily, m *dto.Metric) []Series {
	var labels []SeriesLabel
	for _, l := range m.Label {
		labels = append(labels, SeriesLabel{l.GetName(), l.GetValue()})
	}
	switch f.GetType() {
	case dto.MetricType_GAUGE:
		return append(out, Series{f.GetName(), labels, m.GetGauge().GetValue(), true})
	case dto.MetricType_COUNTER:
		return append(out, Series{f.GetName(), labels, m.GetCounter().GetValue(), false})
	case dto.MetricType_SUMMARY:
		s := m.GetSummary()
		return appendSumAndCount(out, f.GetName(), labels, s.GetSampleSum(), s.GetSampleCount())
	case dto.MetricType_HISTOGRAM:
		h := m.GetHistogram()
		out = appendBuckets(out, f.GetName()+"_bucket", labels, h)
		return appendSumAndCount(out, f.GetName(), labels, h.GetSampleSum(), h.GetSampleCount())
	}
	panic("unexpected type of metric " + f.GetType().String())
}

func appendSumAndCount(out []Series, name string, labels []SeriesLabel, sum float64, count uint64) []Series {
	return append(out, Series{name + "_sum", labels, sum, false}, Series{name + "_count", labels, float64(count), false})
}

// appendBuckets appends the buckets, the last of which, +Inf, has no message.
func appendBuckets(out []Series, name string, labels []SeriesLabel, h *dto.Histogram) []Series {
	add := func(le string, n uint64) {
		out = append(out, Series{name, append(labels[:len(labels):len(labels)], SeriesLabel{"le", le}), float64(n), false})
	}
	for _, b := range h.Bucket {
		add(strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64), b.GetCumulativeCount())
	}
	add("+Inf", h.GetSampleCount())
	return out
}
