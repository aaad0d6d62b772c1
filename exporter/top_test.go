package exporter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A scraper is a Prometheus that stores a zero at the start of series.
type scraper struct {
	last  map[string]sampleOf
	total float64 // the increase of all series
}

type sampleOf struct {
	value float64
	start time.Time
}

// take takes in a scrape, and returns how many series it has.
func (s *scraper) take(t *testing.T, families []*dto.MetricFamily) int {
	t.Helper()
	n, last := 0, ""
	for _, f := range families {
		if selfLine(f.GetName()) {
			continue
		}
		for _, m := range f.Metric {
			label, now := m.Label[0].GetValue(), sampleOf{}
			switch {
			case m.Counter != nil:
				now = sampleOf{m.Counter.GetValue(), m.Counter.GetCreatedTimestamp().AsTime()}
			case m.Histogram != nil:
				now = sampleOf{float64(m.Histogram.GetSampleCount()), m.Histogram.GetCreatedTimestamp().AsTime()}
			case m.Summary != nil:
				now = sampleOf{float64(m.Summary.GetSampleCount()), m.Summary.GetCreatedTimestamp().AsTime()}
			}
			was, known := s.last[label]
			if n > 0 && label <= last {
				t.Errorf("%s after %s", label, last)
			}
			if known && was.start.Equal(now.start) {
				if now.value < was.value {
					t.Errorf("%s fell from %v to %v", label, was.value, now.value)
				}
				s.total += now.value - was.value
			} else {
				s.total += now.value
			}
			s.last[label], last = now, label
			n++
		}
	}
	return n
}

// However keys grow, come and go, all that was counted is in the increase of exactly one
// series, for each of two who scrape at different times; and no series ever falls.
func TestTopLosesNothing(t *testing.T) {
	for seed, body := range []string{"@[comm] = count();", "@[comm] = sum((u64)pid);", "@[comm] = quantize((u64)pid);"} {
		synctest.Test(t, func(t *testing.T) {
			const most, rounds = 5, 400
			s := newStartsScript(t, body, `{map: "@", top: 5}`)
			s.tracer.others = map[string][]byte{}
			size := s.c.scripts[0].running.object.Maps[0].Size / 8
			value := func(n int64) []byte {
				list := make([]int64, size)
				list[0] = n
				if strings.Contains(body, "quantize") {
					list[3] = n
				}
				return words(list...)
			}
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			counts, others, events, cleared := map[string]int64{}, int64(0), int64(0), time.Time{}
			scrapers := []*scraper{{last: map[string]sampleOf{}}, {last: map[string]sampleOf{}}}
			read := func(i int) int {
				var rows []pair
				for key, n := range counts {
					rows = append(rows, pair{chars(key), value(n)})
				}
				s.tracer.set(rows, cleared)
				delete(s.tracer.others, "@")
				if others > 0 {
					s.tracer.others["@"] = value(others)
				}
				time.Sleep(5*time.Second + 300*time.Microsecond)
				families, err := s.c.gather(time.Now())
				if err != nil {
					t.Fatal(err)
				}
				return scrapers[i].take(t, families)
			}
			seen, gone := map[string]bool{}, map[string]bool{}
			for round := range rounds {
				for range r.IntN(40) {
					key, n := fmt.Sprintf("k%02d", r.IntN(4+round/10)), 1+r.Int64N(int64(1+round))
					if r.IntN(50) == 0 {
						key = otherLabel
					}
					if gone[key] { // it would seem not to have been gone
						continue
					}
					counts[key] += n
					events += n
				}
				if r.IntN(3) == 0 {
					others++
					events++
				}
				if n := read(round % 2); n > 2*most+1 {
					t.Fatalf("%d series", n)
				}
				clear(gone)
				for key := range counts {
					if r.IntN(60) == 0 && key != otherLabel { // a sum of several that falls seems to begin anew
						delete(counts, key)
						gone[key] = true
					}
				}
				if r.IntN(100) == 0 && round > 0 && round < rounds-50 { // so that there are many again in the end
					read((round + 1) % 2)
					counts, others, cleared = map[string]int64{}, 0, time.Now()
				}
				for label := range scrapers[0].last {
					seen[label] = true
				}
			}
			for i := range 2 {
				if read(i); scrapers[i].total != float64(events) {
					t.Errorf("%s: scraper %d has an increase of %v, want %d", body, i, scrapers[i].total, events)
				}
			}
			for range 5 {
				time.Sleep(topLinger)
				read(0)
			}
			if n := read(1); n != most+1 {
				t.Errorf("%s: %d series in the end, want %d", body, n, most+1)
			}
			if len(seen) < 3*most {
				t.Errorf("%s: only %d series were ever among the largest", body, len(seen))
			}
		})
	}
}

// A series that is new begins with all that it has, one that has counted among the
// others at 0, and one that comes back goes on.
func TestPlacesAmongTheLargest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", `{map: "@", top: 2}`)
		show := func(of map[string]int64) string {
			s.tracer.set(counts(of), time.Time{})
			time.Sleep(10 * time.Second)
			var lines []string
			for line := range strings.Lines(scrape(t, s.c)) {
				if !strings.HasPrefix(line, "#") {
					lines = append(lines, strings.TrimSpace(strings.NewReplacer("ply_net_total{comm=\"", "", "\"}", "").Replace(line)))
				}
			}
			return strings.Join(lines, ", ")
		}
		for _, row := range []struct {
			counts map[string]int64
			want   string
		}{
			{map[string]int64{"a": 5}, "a 5"},
			{map[string]int64{"a": 6, "b": 3}, "a 6, b 3"},
			{map[string]int64{"a": 6, "b": 100, "c": 2}, "a 6, b 100, other 2"},
			{map[string]int64{"a": 60, "b": 100, "c": 66}, "a 60, b 100, other 66"},                         // not a tenth more
			{map[string]int64{"a": 61, "b": 100, "c": 68}, "a 61, b 100, c 0, other 68"},                    // from now on by its name
			{map[string]int64{"a": 71, "b": 101, "c": 70}, "a 61, b 101, c 2, other 78"},                    // the other way round
			{map[string]int64{"a": 99, "b": 101, "c": 71}, "a 61, b 101, c 3, other 106"},                   // and back, from now on
			{map[string]int64{"a": 100, "b": 101, "c": 71, "d": 500}, "a 62, b 101, c 3, d 500, other 106"}, // a new one
		} {
			if got := show(row.counts); got != row.want {
				t.Errorf("%v: %s, want %s", row.counts, got, row.want)
			}
		}
	})
}

// A reload that changes nothing of which keys are shown lets their series go on as they
// are, and those of the next process never go on with the counts of this one.
func TestReloadKeepsPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{rows: map[string][]pair{"@": counts(map[string]int64{"a": 1, "b": 5})}}
		metrics := "    metrics: [{map: '@', top: 1, help: '%s'}]\n"
		in := reloading(t, b, "scripts:\n"+countA+fmt.Sprintf(metrics, "Old."))
		scrape(t, in.collector)
		time.Sleep(10 * time.Second)
		b.started[0].rows["@"] = counts(map[string]int64{"a": 7, "b": 5})
		scrape(t, in.collector)
		if _, err := in.change(parsed(t, "scripts:\n"+countA+fmt.Sprintf(metrics, "New."))); err != nil {
			t.Fatal(plylang.Detail(err))
		}
		time.Sleep(10 * time.Second)
		b.started[0].rows["@"] = counts(map[string]int64{"a": 9, "b": 6})
		got := scrape(t, in.collector)
		for _, line := range []string{"ply_a_total New.\n", "ply_a_total{comm=\"a\"} 2\n", "ply_a_total{comm=\"b\"} 5\n", "ply_a_total{comm=\"other\"} 8\n"} {
			expectLine(t, got, "%s", line)
		}
	})
}

// Of numbers that do not add up, the largest are shown.
func TestTopGauges(t *testing.T) {
	tracer := &fakeTracer{rows: map[string][]pair{"t": {{words(1), words(5)}, {words(2), words(9)}, {words(3), words(7)}, {words(4), words(1)}}}}
	b := &fakeBackend{scripts: map[string]string{"S": on("t[pid] = tid;")}, tracers: map[string]*fakeTracer{"S": tracer}}
	c := run(t, b, oneScriptYAML(`{map: t, export: true, top: 2}`))
	for range 2 {
		if got := scrape(t, c); strings.Count(got, "ply_net_t{") != 2 || !strings.Contains(got, `ply_net_t{pid="2"} 9`) || !strings.Contains(got, `ply_net_t{pid="3"} 7`) {
			t.Errorf("got\n%s", got)
		}
		tracer.rows["t"] = slices.DeleteFunc(tracer.rows["t"], func(p pair) bool { return false })
	}
}

// What a gauge has no room for is shown beside the largest, and takes none of their places.
func TestTopGaugesBesideOthers(t *testing.T) {
	for _, others := range []int64{1, 100} {
		tracer := &fakeTracer{
			rows:   map[string][]pair{"@": {{words(1), words(5)}, {words(2), words(9)}, {words(3), words(7)}}},
			others: map[string][]byte{"@": words(others)},
		}
		b := &fakeBackend{scripts: map[string]string{"S": on("@[pid] = max(tid);")}, tracers: map[string]*fakeTracer{"S": tracer}}
		c := run(t, b, oneScriptYAML(`{map: "@", top: 2, max_entries: 3}`))
		got := scrape(t, c)
		for _, line := range []string{`ply_net{pid="2"} 9`, `ply_net{pid="3"} 7`, fmt.Sprintf(`ply_net{pid="other"} %d`, others)} {
			expectLine(t, got, "%s\n", line)
		}
		if strings.Count(got, "ply_net{") != 3 {
			t.Errorf("got\n%s", got)
		}
	}
}

func TestWrongTop(t *testing.T) {
	const body = "t[pid] = 5; @d[pid] = count(); @cell = count();"
	for metric, want := range map[string]string{
		`{map: "@d", top: 0}`:                           "top must be from 1 to",
		`{map: "@d", top: many}`:                        "top must be a whole number, not text",
		`{map: "@cell", top: 5}`:                        "top: @cell has no keys, so there is one series: remove it",
		`{map: t, top: 5}`:                              "top: t is a table, which is exported only on request: add export: true",
		`{map: t, export: true, type: counter, top: 5}`: "top: the numbers of t may be any, so that the rest does not add up: it is for aggregations and gauges",
	} {
		_, err := compileOne(t, body, metric, nil)
		if err == nil || !strings.Contains(plylang.Detail(err), want) || !strings.Contains(plylang.Detail(err), "^") {
			t.Errorf("%s: got %v", metric, err)
		}
	}
}

// check counts the series that there can be.
func TestCheckOfTop(t *testing.T) {
	for metric, want := range map[string]string{
		`{map: "@", top: 20}`:                                "at most 41 series,",
		`{map: "@", top: 20, max_entries: 30}`:               "at most 31 series,",
		`{map: "@most", top: 20}, {map: "@", export: false}`: "at most 21 series,",
	} {
		var out strings.Builder
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(metric)))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		if err := Check(&out, cfg, &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count(); @most[comm] = max(pid);")}}, Limits{}); err != nil {
			t.Fatal(plylang.Detail(err))
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %q in\n%s", metric, want, out.String())
		}
	}
}
