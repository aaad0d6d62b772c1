package exporter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A seriesModel is a counter by key, of which several have equal labels, and what
// a scrape must show of it. It remembers nothing but the scrape before.
type seriesModel struct {
	r      *rand.Rand
	counts map[int64]int64
	other  int64 // of keys that found no room
	recent int64 // keys that come are below it, or shortly above
	keeps  bool  // series keep what keys had that are gone
	last   map[int64]int64
	was    map[string]int64
	starts map[string]time.Time
}

// grouped is how many keys have labels that they share, groups how many those are.
const grouped, groups = 40, 7

func groupTable() string {
	rows := make([]string, grouped)
	for key := range rows {
		rows[key] = fmt.Sprintf("%d: %s", key, groupOf(int64(key)))
	}
	return strings.Join(rows, ", ")
}

// groupOf is the label of keys that share theirs, one of them with the keys that find
// no room.
func groupOf(key int64) string {
	if key%groups == 0 {
		return otherLabel
	}
	return fmt.Sprintf("g%d", key%groups)
}

func (*seriesModel) label(key int64) string {
	if key < grouped {
		return groupOf(key)
	}
	return fmt.Sprint(key)
}

// change lets keys come and go.
func (m *seriesModel) change() {
	if m.r.IntN(12) == 0 {
		clear(m.counts)
	}
	if m.r.IntN(3) == 0 {
		m.recent += 700
	}
	for range m.r.IntN(600) {
		m.counts[m.recent*m.r.Int64N(2)+m.r.Int64N(800)] += 1 + m.r.Int64N(5)
	}
	for key := range m.counts {
		if old := key > 800 && key < m.recent-700; m.r.IntN(5) == 0 || old && m.r.IntN(2) == 0 {
			delete(m.counts, key)
		}
	}
}

// read returns what the map has, and what must be shown of it when the reading
// before has ended at a time.
func (m *seriesModel) read(before time.Time) (rows []pair, sums map[string]int64) {
	sums = map[string]int64{}
	for key, n := range m.counts {
		rows = append(rows, pair{words(key), words(n)})
		if last := m.last[key]; m.keeps && n >= last {
			n -= last
		}
		sums[m.label(key)] += n
	}
	if m.keeps {
		m.last = maps.Clone(m.counts)
		for label := range sums {
			sums[label] += m.was[label]
		}
	}
	if m.other > 0 {
		sums[otherLabel] += m.other
	}
	for label, n := range sums {
		if was, there := m.was[label]; !there || n < was {
			m.starts[label] = before
		}
	}
	m.was = sums
	return rows, sums
}

// However keys come and go, are forgotten and seen by the status page, and whoever reads them,
// series have the numbers and starts of a model that keeps nothing but the last scrape.
func TestSeriesAreThoseOfAModel(t *testing.T) {
	for seed, overflow := range []string{"drop", "evict", "other", "other"} {
		tracer := &fakeTracer{rows: map[string][]pair{}, others: map[string][]byte{}, pinned: true}
		b := &fakeBackend{scripts: map[string]string{"S": on("op = (u64)pid; @[op] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
		yaml := oneScriptYAML(`{map: "@", max_entries: 100000, overflow: ` + overflow + `, labels: [{map: {` + groupTable() + `}}]}`)
		c := run(t, b, yaml)
		m := &seriesModel{r: rand.New(rand.NewPCG(uint64(seed), 1)), keeps: overflow == "evict", counts: map[int64]int64{}, starts: map[string]time.Time{}}
		before, known, forgotten := tracer.Created(), 0, false
		for round := range 60 {
			m.change()
			if overflow == "other" && m.r.IntN(4) == 0 {
				m.other += 1 + m.r.Int64N(50)
				tracer.others["@"] = words(m.other)
			}
			var sums map[string]int64
			tracer.rows["@"], sums = m.read(before)
			asked := time.Unix(2000+100*int64(round), 0)
			m.compare(t, c, asked, sums)
			if m.r.IntN(4) == 0 {
				c.leave()
				c = run(t, b, yaml)
			}
			c.scripts[0].running.reads = readingLog{asked.Add(time.Second)}
			before = asked.Add(time.Second + 3*time.Millisecond)
			now := len(c.scripts[0].running.series[0].list)
			known, forgotten = now, forgotten || now < known
			if _, err := c.scripts[0].running.peek(); err != nil {
				t.Fatal(err)
			}
		}
		if !forgotten {
			t.Errorf("%s: %d series, none was ever forgotten", overflow, known)
		}
	}
}

func (m *seriesModel) compare(t *testing.T, c *collector, asked time.Time, sums map[string]int64) {
	t.Helper()
	families, err := c.gather(asked)
	if err != nil {
		t.Fatal(err)
	}
	last, n := "", 0
	for _, f := range families {
		if f.GetName() != "ply_net_total" {
			continue
		}
		for _, s := range f.Metric {
			label, got, at := s.Label[0].GetValue(), int64(s.Counter.GetValue()), s.Counter.GetCreatedTimestamp().AsTime()
			if label <= last || got != sums[label] || !at.Equal(m.starts[label]) {
				t.Fatalf("asked at %v: %s after %s is %d since %v, want %d since %v", asked, label, last, got, at, sums[label], m.starts[label])
			}
			last, n = label, n+1
		}
	}
	if n != len(sums) {
		t.Fatalf("asked at %v: %d series, want %d", asked, n, len(sums))
	}
}
