package exporter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A groupCounter counts by control group, of which anything may become.
type groupCounter struct {
	r       *rand.Rand
	tracer  *fakeTracer
	expires bool
	value   func(n int64) []byte

	counts  map[int64]int64 // what is in the map
	read    map[int64]int64 // what those of them that are still there had at the last reading
	others  int64           // what had no room
	events  int64           // all that happened
	cleared time.Time
}

// clear may clear the map, right after a scrape.
func (g *groupCounter) clear() {
	if g.r.IntN(60) == 0 {
		clear(g.counts)
		clear(g.read)
		g.others, g.cleared = 0, time.Now()
	}
}

// step is what happens between two readings.
func (g *groupCounter) step() {
	r := g.r
	for range r.IntN(25) {
		g.count(1 + int64(r.IntN(6+int(g.events/2000))))
	}
	if r.IntN(3) == 0 {
		g.others++
		g.events++
	}
	for _, key := range slices.Sorted(maps.Keys(g.counts)) {
		n := g.counts[key]
		row := pair{words(key), g.value(n)}
		switch r.IntN(30) {
		case 0: // all that it has was read; it does not come back before the next reading
			if g.read[key] == n {
				delete(g.counts, key)
			}
		case 1, 2:
			if !g.expires {
				continue
			}
			g.tracer.expire(row)
			delete(g.read, key)
			if delete(g.counts, key); r.IntN(2) == 0 {
				g.count(key)
			}
		}
	}
	g.regroup(1 + r.Int64N(20))
}

func (g *groupCounter) count(key int64) {
	n := 1 + g.r.Int64N(20)/(1+key/4)
	g.counts[key] += n
	g.events += n
}

// regroup lets a group become another one, known, old enough or gone.
func (g *groupCounter) regroup(key int64) {
	of := g.tracer.groups[key]
	switch g.r.IntN(5) {
	case 0:
		of = inPod("x", fmt.Sprint("p", g.r.IntN(20)), "c", fmt.Sprint("w", g.r.IntN(9)))
	case 1:
		of.unknown = true
	case 2:
		of.gone = true
	case 3:
		of.age = 0
	}
	g.tracer.groups[key] = of
}

// reading has the exporter read what is there.
func (g *groupCounter) reading() {
	var rows []pair
	clear(g.read)
	for key, n := range g.counts {
		rows = append(rows, pair{words(key), g.value(n)})
		g.read[key] = n
	}
	g.tracer.set(rows, g.cleared)
	g.tracer.others = map[string][]byte{}
	if g.others > 0 {
		g.tracer.others["@"] = g.value(g.others)
	}
}

// Whatever becomes of keys, groups and places among the largest, and of the exporter: at every
// reading all that was counted is in the increase of one series, and none has fallen.
func TestLedgerLosesNothing(t *testing.T) {
	shared := "labels: [{name: workload, map: {1: w1, 2: w1, 3: w2, 4: w2, 5: other, 6: other}}]"
	for seed, row := range []struct{ agg, metric string }{
		{"count()", "labels: [{as: [workload], min_age: 3s, ttl: 1s}], expire: 10m, top: 3"},
		{"quantize((u64)pid)", "labels: [{as: [workload], ttl: 10m}], expire: 10m, top: 3"},
		{"avg((u64)pid)", shared + ", expire: 10m, top: 3"},
		{"sum((u64)pid)", shared + ", expire: 10m"},
		{"quantize((u64)pid)", shared + ", top: 3"},
		{"sum((u64)pid)", "labels: [{as: [workload], ttl: 0s}], expire: 10m"},
		{"avg((u64)pid)", "labels: [{as: [workload], ttl: 1s}], top: 3"},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &groupCounter{
				r: rand.New(rand.NewPCG(uint64(seed), 5)), expires: strings.Contains(row.metric, "expire"), counts: map[int64]int64{}, read: map[int64]int64{},
				tracer: &fakeTracer{groups: map[int64]fakeGroup{}, pinned: true},
			}
			b := &fakeBackend{scripts: map[string]string{"S": on("@[cgroup] = " + row.agg + ";")}, tracers: map[string]*fakeTracer{"S": g.tracer}}
			yaml := oneScriptYAML(`{map: "@", ` + row.metric + `}`)
			c := run(t, b, yaml)
			size := c.scripts[0].running.object.Maps[0].Size / 8
			g.value = func(n int64) []byte {
				list := make([]int64, size)
				switch list[0] = n; row.agg {
				case "quantize((u64)pid)":
					list[3] = n
				case "avg((u64)pid)":
					list[1] = n
				}
				return words(list...)
			}
			s, shown := &scraper{last: map[string]sampleOf{}}, map[int]bool{}
			for round := range 500 {
				g.step()
				g.reading()
				time.Sleep(time.Duration(1+g.r.IntN(3000)) * time.Millisecond)
				families, err := c.gather(time.Now())
				if err != nil {
					t.Fatal(err)
				}
				n := s.take(t, families)
				if shown[n] = true; strings.Contains(row.metric, "top") && n > 2*3+1 {
					t.Fatalf("%s of %s, round %d: %d series", row.agg, row.metric, round, n)
				}
				if s.total != float64(g.events) {
					t.Fatalf("%s of %s, round %d: series have increased by %v, counted were %d", row.agg, row.metric, round, s.total, g.events)
				}
				if g.r.IntN(20) == 0 {
					if g.r.IntN(2) == 0 {
						clear(g.read) // what goes now would come back before the next reading
						g.step()
					}
					c.leave()
					c = run(t, b, yaml)
				} else {
					g.clear()
				}
			}
			if len(shown) < 3 {
				t.Errorf("%s of %s: numbers of series were %v", row.agg, row.metric, shown)
			}
		})
	}
}
