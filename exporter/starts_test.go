package exporter

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/internal/promtest"
)

// startsOf returns the start of each series of a scrape by the value of its
// first label, without the exporter's own metrics.
func startsOf(t *testing.T, c *collector, asked time.Time) map[string]time.Time {
	t.Helper()
	families, err := c.gather(asked)
	if err != nil {
		t.Fatal(err)
	}
	starts := map[string]time.Time{}
	for _, f := range families {
		if selfLine(f.GetName()) {
			continue
		}
		for _, m := range f.Metric {
			key := ""
			if len(m.Label) > 0 {
				key = m.Label[0].GetValue()
			}
			if at := cmp.Or(m.Counter.GetCreatedTimestamp(), m.Summary.GetCreatedTimestamp(), m.Histogram.GetCreatedTimestamp()); at != nil {
				starts[key] = at.AsTime()
			} else if f.GetType() != dto.MetricType_GAUGE {
				t.Errorf("%s{%s} has no start", f.GetName(), key)
			}
		}
	}
	return starts
}

// A startsScript is a script that runs nowhere, read every ten seconds.
type startsScript struct {
	*testing.T
	tracer *fakeTracer
	c      *collector
	starts []time.Time // of the script, then what those say who were absent from a reading
}

func newStartsScript(t *testing.T, body, metrics string) *startsScript {
	tracer := &fakeTracer{rows: map[string][]pair{}}
	b := &fakeBackend{scripts: map[string]string{"S": on(body)}, tracers: map[string]*fakeTracer{"S": tracer}}
	return &startsScript{t, tracer, run(t, b, oneScriptYAML(metrics)), []time.Time{tracer.Created()}}
}

// read reads rows and compares the starts: 0 is the script's, n the time of
// reading n.
func (s *startsScript) read(rows []pair, want map[string]int) {
	s.Helper()
	time.Sleep(10*time.Second + 300*time.Microsecond)
	s.tracer.rows["@"] = rows
	s.starts = append(s.starts, time.Now().Truncate(time.Millisecond).Add(3*time.Millisecond))
	got := map[string]int{}
	for key, at := range startsOf(s.T, s.c, time.Now()) {
		got[key] = -1
		for n, start := range s.starts {
			if start.Equal(at) {
				got[key] = n
			}
		}
	}
	if !maps.Equal(got, want) {
		s.Errorf("reading %d: starts %v, want %v", len(s.starts)-1, got, want)
	}
}

func counts(of map[string]int64) (rows []pair) {
	for key, n := range of {
		rows = append(rows, pair{chars(key), words(n, n, n)})
	}
	return rows
}

// Keys of the first reading started with the script, later ones at the reading
// before; and so did those that came back.
func TestStarts(t *testing.T) {
	for _, agg := range []string{"count()", "sum((u64)pid)", "avg((u64)pid)"} {
		t.Run(agg, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStartsScript(t, "@[comm] = "+agg+";", "")
				s.read(counts(map[string]int64{"a": 1}), map[string]int{"a": 0})
				s.read(counts(map[string]int64{"a": 1, "b": 7}), map[string]int{"a": 0, "b": 1})
				s.read(counts(map[string]int64{"b": 9}), map[string]int{"b": 1})
				s.read(counts(map[string]int64{"a": 5, "b": 9}), map[string]int{"a": 3, "b": 1})
				s.read(counts(map[string]int64{"a": 5, "b": 8}), map[string]int{"a": 3, "b": 4})
				s.read(nil, map[string]int{})
				s.read(counts(map[string]int64{"a": 90, "b": 90}), map[string]int{"a": 6, "b": 6})
			})
		})
	}
}

func TestStartsOfHistograms(t *testing.T) {
	of := func(values ...int64) []pair { return []pair{{nil, histogramValue(defaultThresholds(), values...)}} }
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@ = quantize((u64)pid);", "")
		s.read(nil, map[string]int{"": 0}) // keyless: it exists from the start
		s.read(of(1, 100), map[string]int{"": 0})
		s.read(of(1, 1, 100), map[string]int{"": 0})
		s.read(of(1, 100, 100, 100), map[string]int{"": 3}) // more numbers, but one bucket has fewer
		s.read(of(1, 100, 100, 100), map[string]int{"": 3})
		s.read(nil, map[string]int{"": 5}) // cleared
	})
}

// A sum that has left 64 bits has not fallen; one of negative numbers has.
func TestStartsOfSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@ = sum((s64)pid);", `{map: "@", type: counter}`)
		s.read([]pair{{nil, words(-5, 0)}}, map[string]int{"": 0})
		s.read([]pair{{nil, words(7, 0)}}, map[string]int{"": 0})
		s.read([]pair{{nil, words(3, 1<<30)}}, map[string]int{"": 0})
		s.read([]pair{{nil, words(2, 1<<30)}}, map[string]int{"": 3})
		s.read([]pair{{nil, words(-2, 0)}}, map[string]int{"": 4})
	})
}

// After a clear() all series are new, even those that are larger than before;
// unless the scrape was requested before.
func TestStartsOfClearedMaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", "")
		s.read(counts(map[string]int64{"a": 1}), map[string]int{"a": 0})
		time.Sleep(3 * time.Second)
		s.tracer.cleared = time.Now()
		cleared := s.tracer.cleared
		s.starts[0] = cleared
		s.read(counts(map[string]int64{"a": 5, "b": 1}), map[string]int{"a": 0, "b": 0})
		s.read(counts(map[string]int64{"a": 5, "b": 1, "c": 1}), map[string]int{"a": 0, "b": 0, "c": 2})
		s.tracer.cleared = time.Now().Add(20 * time.Second)
		s.read(counts(map[string]int64{"a": 9}), map[string]int{"a": 3})
	})
}

func TestStartsOfGauges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = max(pid);", "")
		s.read(counts(map[string]int64{"a": 1}), map[string]int{})
		if was := s.c.scripts[0].running.series[0].was.bytes; was != nil {
			t.Errorf("%d bytes are kept of a gauge, which has no start", len(was))
		}
	})
}

// Keys with equal labels are one series, which starts with the first of them.
func TestStartsOfEqualLabels(t *testing.T) {
	row := func(key, n int64) pair { return pair{words(key), words(n)} }
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "op = (u64)pid; @[op] = count();", `{map: "@", labels: [{map: {1: write, 2: write}}]}`)
		s.read(nil, map[string]int{})
		s.read([]pair{row(1, 5)}, map[string]int{"write": 1})
		s.read([]pair{row(1, 5), row(2, 5)}, map[string]int{"write": 1})
		s.read([]pair{row(2, 10)}, map[string]int{"write": 1})
		s.read([]pair{row(2, 9)}, map[string]int{"write": 4})
	})
}

// A series that a scrape had no room for, or that could not be read, has the
// start it would have had.
func TestStartsOfSeriesNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", "")
		s.read(counts(map[string]int64{"a": 1}), map[string]int{"a": 0})
		s.c.maxSeries = 1
		s.read(counts(map[string]int64{"a": 1, "b": 1}), map[string]int{"a": 0})
		s.tracer.err = errors.New("no such map")
		s.read(nil, map[string]int{})
		s.tracer.err = nil
		s.c.maxSeries = 3
		s.read(counts(map[string]int64{"a": 1, "b": 1, "c": 1}), map[string]int{"a": 0, "b": 1, "c": 2})
	})
}

// A scrape that was requested before the last reading ended has a sample of an
// earlier time, and its series started before that.
func TestStartsOfWaitingScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", "")
		s.read(nil, map[string]int{})
		asked := time.Now().Add(5 * time.Second)
		s.read(nil, map[string]int{})
		s.tracer.rows["@"] = counts(map[string]int64{"a": 1})
		if got := startsOf(t, s.c, asked)["a"]; !got.Equal(s.starts[1]) {
			t.Errorf("a starts at %v, want %v, before %v", got, s.starts[1], asked)
		}
		s.read(counts(map[string]int64{"a": 2}), map[string]int{"a": 1})
	})
}

// A start is later than what Prometheus has of the reading before, and not later
// than the request.
func TestStartAfterReading(t *testing.T) {
	created, done := time.UnixMilli(1_000), time.UnixMilli(60_000).Add(400*time.Microsecond)
	log := readingLog{done.Add(-time.Second), done}
	for asked, want := range map[time.Time]time.Time{
		done.Add(time.Second):      time.UnixMilli(60_003),
		done.Add(time.Microsecond): done.Add(time.Microsecond),
		done.Add(-1):               time.UnixMilli(59_003),
		done.Add(-time.Minute):     created,
	} {
		if got := time.Unix(0, int64(log.before(asked, created))); !got.Equal(want) {
			t.Errorf("asked at %v: starts at %v, want %v", asked, got, want)
		}
	}
}

// The exporter's own counters count since their script started.
func TestStartsOfOwnCounters(t *testing.T) {
	tracer := &fakeTracer{probes: []Probe{{Spec: "kprobe:x", Attached: true, Missed: 4, MissedKnown: true}}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(`@ = count(); print(1);`)},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(""))
	families, err := c.gather(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range families {
		for _, m := range f.Metric {
			if !selfLine(f.GetName()) || f.GetType() != dto.MetricType_COUNTER {
				continue
			}
			seen++
			if at := m.Counter.GetCreatedTimestamp().AsTime(); !at.Equal(tracer.Created()) {
				t.Errorf("%s starts at %v, want %v", f.GetName(), at, tracer.Created())
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d counters, want those of probes, prints, lines and the map", seen)
	}
}

// A slowBackend starts scripts once a scrape waits for them.
type slowBackend struct {
	*fakeBackend
	waiting func()
	created time.Time
}

func (b *slowBackend) Start(list []Start) ([]Tracer, []error) {
	b.waiting()
	b.created = time.Now()
	tracers, errs := b.fakeBackend.Start(list)
	for i := range tracers {
		tracers[i] = lateTracer{tracers[i], b.created}
	}
	return tracers, errs
}

type lateTracer struct {
	Tracer
	created time.Time
}

func (t lateTracer) Created() time.Time { return t.created }

// A scrape that was sent before the scripts started has a sample of that time,
// so what it shows has started before; and later scrapes say the same.
func TestStartsOfScrapesBeforeTheScripts(t *testing.T) {
	addr := freeAddress(t)
	first := make(chan string)
	b := &slowBackend{fakeBackend: &fakeBackend{scripts: map[string]string{"S": on("@ = count();")}}}
	b.waiting = func() {
		go func() {
			_, text := get(t, "http://"+addr+"/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
			first <- text
		}()
		for stacks := make([]byte, 1<<20); !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "(*collector).scrape("); {
			time.Sleep(time.Millisecond)
		}
	}
	begin := time.Now()
	opt := testOptions(b, addr)
	opt.CreatedSamples = true
	url := serveWith(t, opt, oneScriptYAML(""))
	var created []string
	_, second := get(t, url+"/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	for _, text := range []string{<-first, second} {
		for line := range strings.Lines(text) {
			if name, value, _ := strings.Cut(line, " "); strings.HasPrefix(name, "ply_net_created") || strings.HasPrefix(name, "ply_map_dropped_created") {
				created = append(created, value)
			}
		}
	}
	if len(created) != 4 || len(slices.Compact(created)) != 1 {
		t.Fatalf("starts of a metric and of an own one, in two scrapes: %q", created)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(created[0]), 64)
	if at := time.Unix(0, int64(seconds*1e9)); err != nil || at.Before(begin.Add(-time.Millisecond)) || !at.Before(b.created) {
		t.Errorf("it starts at %v, want a time between %v and %v", at, begin, b.created)
	}
}

// Two real Prometheis that store zeros at start times: what a series counted
// before its first scrape is in its increase, and nothing twice, in both.
func TestPrometheusStoresZeros(t *testing.T) {
	tracer := &fakeTracer{}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
	target := strings.TrimPrefix(serve(t, b, oneScriptYAML(""), ""), "http://")
	prometheis := []*promtest.Server{promtest.StartZeros(t, target), promtest.StartZeros(t, target)}
	var cleared time.Time
	for _, step := range []struct {
		what    string
		rows    map[string]int64
		cleared bool
		grown   map[string]float64
	}{
		{"before its first scrape", map[string]int64{"a": 100}, false, map[string]float64{"a": 100}},
		{"another, and it is gone", map[string]int64{"z": 7}, false, map[string]float64{"z": 7, "a": 0}},
		{"it came back larger", map[string]int64{"a": 200, "z": 7}, false, map[string]float64{"a": 300, "z": 7}},
		{"it has fallen", map[string]int64{"a": 20, "z": 8}, false, map[string]float64{"a": 320, "z": 8}},
		{"all are cleared", map[string]int64{"a": 60, "z": 10}, true, map[string]float64{"a": 380, "z": 18}},
	} {
		if step.cleared {
			cleared = time.Now()
		}
		tracer.set(counts(step.rows), cleared)
		for _, p := range prometheis {
			for key := range step.rows {
				p.WaitIncrease(fmt.Sprintf("ply_net_total{comm=%q}", key), step.grown[key])
			}
			for key, n := range step.grown {
				if got := p.Increase(fmt.Sprintf("ply_net_total{comm=%q}", key)); got != n {
					t.Errorf("%s: %s has grown by %v, want %v", step.what, key, got, n)
				}
			}
		}
	}
}
