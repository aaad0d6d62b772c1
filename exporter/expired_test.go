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

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

const expiring = `{map: "@", expire: 10m, labels: [{name: comm, map: {a: x, b: x}}]}`

// expire has keys go from the map of a fake tracer.
func (f *fakeTracer) expire(rows ...pair) { f.expired = append(f.expired, rows...) }

func startExpiring(t *testing.T, body, metric string) (*fakeTracer, *collector) {
	t.Helper()
	tracer := &fakeTracer{rows: map[string][]pair{}}
	b := &fakeBackend{scripts: map[string]string{"S": on(body)}, tracers: map[string]*fakeTracer{"S": tracer}}
	return tracer, run(t, b, oneScriptYAML(metric))
}

// A series of several keys keeps what those had that the script deletes, or a full map
// evicts, until all are gone.
func TestLostKeyOfSeveral(t *testing.T) {
	const merged = `labels: [{name: of, regexp: "(x).*"}]}`
	groups := map[string]int64{"xa": 1, "xb": 2} // one was made where the other had been
	for _, row := range []struct {
		name, body, metric, label string
		key                       func(name string) []byte
	}{
		{"deleted", "@[comm] = count(); if (pid == 1) { delete @[comm]; }", `{map: "@", ` + merged, "x", chars},
		{"evicted", "@[comm] = count();", `{map: "@", overflow: evict, ` + merged, "x", chars},
		{"alike", "@[cgroup] = count(); if (pid == 1) { delete @[cgroup]; }", `{map: "@", labels: [of]}`, "/a.slice", func(name string) []byte { return words(groups[name]) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			tracer, c := startExpiring(t, row.body, row.metric)
			tracer.names = map[int64]string{1: "/a.slice", 2: "/a.slice"}
			at := func(n int64, key string) pair { return pair{row.key(key), words(n)} }
			for i, step := range []struct {
				rows []pair
				want int64 // 0: no series
				past bool
			}{
				{[]pair{at(60, "xa"), at(40, "xb")}, 100, false},
				{[]pair{at(40, "xb")}, 100, true},
				{[]pair{at(3, "xa"), at(45, "xb")}, 108, true},
				{[]pair{at(1, "xa"), at(45, "xb")}, 109, true},
				{nil, 0, false},
				{[]pair{at(2, "xb")}, 2, false},
			} {
				tracer.rows["@"] = step.rows
				got := scrapeAll(t, c)
				if want := fmt.Sprintf("ply_net_total{of=%q} %d\n", row.label, step.want); strings.Contains(got, want) != (step.want > 0) {
					t.Errorf("step %d: no %sin\n%s", i, want, got)
				}
				if tracer.past != step.past {
					t.Errorf("step %d: series have more than the map: %t", i, tracer.past)
				}
			}
		})
	}
}

// A series of several keys keeps what those had that expire, until all are gone.
func TestExpiredKeyOfSeveral(t *testing.T) {
	for _, row := range []struct {
		agg, name string
		value     func(n int64) []byte
	}{
		{"count()", "total", func(n int64) []byte { return words(n) }},
		{"sum((u64)pid)", "total", func(n int64) []byte { return words(n, 0) }},
		{"avg((u64)pid)", "count", func(n int64) []byte { return words(0, n, 0) }},
		{"quantize((u64)pid)", "count", func(n int64) []byte {
			value := make([]int64, 29)
			value[2] = n
			return words(value...)
		}},
	} {
		t.Run(row.agg, func(t *testing.T) {
			tracer, c := startExpiring(t, "@[comm] = "+row.agg+";", expiring)
			at := func(n int64, key string) pair { return pair{chars(key), row.value(n)} }
			for i, step := range []struct {
				rows, expire []pair
				want         int64 // 0: no series
			}{
				{[]pair{at(60, "a"), at(40, "b")}, nil, 100},
				{[]pair{at(40, "b")}, []pair{at(60, "a")}, 100},
				{[]pair{at(45, "b")}, nil, 105},
				{[]pair{at(3, "a"), at(45, "b")}, nil, 108},
				{[]pair{at(1, "a"), at(45, "b")}, []pair{at(3, "a"), at(2, "a")}, 111},
				{nil, []pair{at(1, "a"), at(45, "b")}, 0},
				{[]pair{at(2, "b")}, nil, 2},
			} {
				tracer.rows["@"] = step.rows
				tracer.expire(step.expire...)
				want := fmt.Sprintf("ply_net_%s{comm=\"x\"} %d\n", row.name, step.want)
				page := c.scripts[0].running
				if readings, err := page.peek(); err != nil {
					t.Fatal(err)
				} else if s := readings[0].series; step.want > 0 {
					if r := s.read(s.present()[0]); r.Count != uint64(step.want) && r.Number.Int() != step.want && r.In(1) != uint64(step.want) {
						t.Errorf("step %d: the page shows %+v, want %d", i, r, step.want)
					}
				}
				got := scrapeAll(t, c)
				if tracer.past != (i > 0 && step.want > 2) {
					t.Errorf("step %d: series have more than the map: %t", i, tracer.past)
				}
				if strings.Contains(got, want) != (step.want > 0) || strings.Contains(got, `{comm="x"}`) != (step.want > 0) {
					t.Errorf("step %d: no %sin\n%s", i, want, got)
				}
			}
			expectLine(t, scrapeAll(t, c), "ply_map_expired_total{map=\"@\",script=\"net\"} 5\n")
			in := &instance{opt: testOptions(nil, ""), collector: c}
			if page := visit(in, "/").Body.String(); !strings.Contains(page, "keys expire after 10m, 5 have<") {
				t.Error("the page does not say what expires")
			}
			if status := visit(in, statusPath).Body.String(); !strings.Contains(status, `"expire_seconds": 600,`) || !strings.Contains(status, `"expired": 5`+"\n") {
				t.Errorf("the status does not say what expires:\n%s", status)
			}
		})
	}
}

// A key that comes back after a reading in which it was absent starts anew, and one
// that comes back before goes on.
func TestStartAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", `{map: "@", expire: 10m}`)
		s.read(counts(map[string]int64{"a": 5, "b": 1}), map[string]int{"a": 0, "b": 0})
		s.tracer.expire(pair{chars("a"), words(5)})
		s.read(counts(map[string]int64{"a": 7, "b": 1}), map[string]int{"a": 0, "b": 0})
		expectLine(t, scrapeAll(t, s.c), "ply_net_total{comm=\"a\"} 12\n")
		s.tracer.expire(pair{chars("a"), words(7)})
		s.read(counts(map[string]int64{"b": 1}), map[string]int{"b": 0})
		s.read(counts(map[string]int64{"a": 9, "b": 1}), map[string]int{"a": 3, "b": 0})
		expectLine(t, scrapeAll(t, s.c), "ply_net_total{comm=\"a\"} 9\n")
	})
}

// What Prometheus makes of the series is all that was counted, whichever keys expire
// when.
func TestIncreaseBesideExpiry(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(1, seed))
		tracer, c := startExpiring(t, "@[comm] = count();", `{map: "@", expire: 10m, labels: [{name: comm, map: {a: x, b: x, c: x, d: y, e: y}}]}`)
		keys, value, idle := []string{"a", "b", "c", "d", "e", "f"}, map[string]int64{}, map[string]bool{}
		series := func(key string) string {
			return map[string]string{"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": "f"}[key]
		}
		made, seen, last := map[string]int64{}, map[string]int64{}, map[string]int64{}
		lastStart := map[string]time.Time{}
		for range 200 {
			for _, key := range keys {
				switch {
				case r.IntN(3) == 0:
					n := int64(1 + r.IntN(9))
					value[key] += n
					made[series(key)] += n
					idle[key] = false
				case idle[key] && r.IntN(3) == 0: // as it was when it was scraped
					tracer.expire(pair{chars(key), words(value[key])})
					delete(value, key)
				}
			}
			if r.IntN(2) == 0 {
				continue
			}
			tracer.rows["@"] = counts(value)
			now := map[string]int64{}
			starts := startsOf(t, c, time.Now())
			for label, n := range valuesOf(t, c) {
				before := last[label]
				if !starts[label].Equal(lastStart[label]) {
					before = 0
				}
				if n < before {
					t.Fatalf("seed %d: %s falls from %d to %d and has the same start", seed, label, before, n)
				}
				seen[label] += n - before
				now[label] = n
			}
			last, lastStart = now, starts
			for key := range value {
				idle[key] = true
			}
			if !maps.Equal(seen, made) {
				t.Fatalf("seed %d: Prometheus has seen %v, made were %v", seed, seen, made)
			}
		}
	}
}

// valuesOf returns the values of a script's only counter by its only label.
func valuesOf(t *testing.T, c *collector) map[string]int64 {
	t.Helper()
	families, err := c.gather(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "ply_net_total" {
				values[m.Label[0].GetValue()] = int64(m.Counter.GetValue())
			}
		}
	}
	return values
}

// What expired keys had is kept when the exporter forgets the many that are gone, and
// when a reload changes something that is no code.
func TestBasesAreKept(t *testing.T) {
	tracer, c := startExpiring(t, "@[comm] = count();", expiring)
	many := map[string]int64{"a": 60, "b": 40}
	for i := range 3000 {
		many[fmt.Sprint("k", i)] = 1
	}
	tracer.rows["@"] = counts(many)
	scrapeAll(t, c)
	delete(many, "b")
	tracer.expire(pair{chars("b"), words(40)})
	for i := range 3000 {
		tracer.expire(pair{chars(fmt.Sprint("k", i)), words(1)})
	}
	tracer.rows["@"] = counts(map[string]int64{"a": 61})
	for range 3 {
		expectLine(t, scrapeAll(t, c), "ply_net_total{comm=\"x\"} 101\n")
	}
	r := c.scripts[0].running
	if n := len(r.series[0].list); n > 10 {
		t.Errorf("%d series are kept", n)
	}
	fresh, err := r.newSeries()
	if err != nil {
		t.Fatal(err)
	}
	r.series[0] = fresh[0].after(r.series[0], 1)
	for range 2 {
		expectLine(t, scrapeAll(t, c), "ply_net_total{comm=\"x\"} 101\n")
	}
}

// Which maps expire: those that say so, and by default those that are exported and can
// have many keys.
func TestWhichMapsExpire(t *testing.T) {
	for _, row := range []struct {
		body, defaults, metric string
		want                   bool
	}{
		{"@[comm] = count();", "", "", false},
		{"@[comm] = count();", "1h", "", true},
		{"@[comm] = count();", "1h", `{map: "@", expire: never}`, false},
		{"@[comm] = count();", "", `{map: "@", expire: 10s}`, true},
		{"@[comm] = quantize(pid);", "", `{map: "@", expire: 10m, overflow: drop}`, true},
		{"@[comm] = max(pid);", "", `{map: "@", expire: 10m, overflow: evict}`, true},
		{"@[comm] = pid; @n = count();", "1h", "", false},
		{"@[comm] = pid; @n = count();", "", `{map: "@", expire: 10m}`, true},
		{"@[cpu] = count();", "1h", "", false},
		{"@[cpu] = count();", "", `{map: "@", expire: 10m}`, true},
		{"@ = count();", "1h", "", false},
		{"@[comm] = count(); if (pid == 1) { clear(@); }", "1h", "", false},
	} {
		yaml := oneScriptYAML(row.metric)
		if row.defaults != "" {
			yaml = "defaults: {expire: " + row.defaults + "}\n" + yaml
		}
		c := run(t, &fakeBackend{scripts: map[string]string{"S": on(row.body)}}, yaml)
		if got := strings.Contains(scrapeAll(t, c), "ply_map_expired_total{"); got != row.want {
			t.Errorf("%s, by default %q, %s: expires %t", row.body, row.defaults, row.metric, got)
		}
	}
}

func TestWrongExpire(t *testing.T) {
	for metric, want := range map[string]string{
		`{map: "@", expire: 5s}`:           "expire: 5s is too short: keys would go between two scrapes, before anybody has seen their last value; give at least 10s, or never",
		`{map: "@", expire: 0}`:            "expire: 0 is too short",
		`{map: "@", expire: 600}`:          `expire: "600" is no time: give one such as 10m or 1h30m, or never`,
		`{map: "@", expire: -10m}`:         "expire: -10m is too short",
		`{map: "@", expire: [10m]}`:        "expire must be a word or a number, not a list",
		`{map: "@", expire: 10000000000h}`: "is too long: say never",
	} {
		_, err := config.Parse("c.yaml", []byte(oneScriptYAML(metric)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", metric, err, want)
		}
	}
	for body, want := range map[string]string{
		"@ = count();": "expire: @ has no keys that could expire: remove it",
		"@[comm] = count(); if (pid == 1) { clear(@); }": "expire: @ is cleared by the script, so its keys cannot expire: remove it, or the clear()",
	} {
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(`{map: "@", expire: 10m}`)))
		if err != nil {
			t.Fatal(err)
		}
		_, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": on(body)}})
		if !slices.ContainsFunc(fatal, func(e *plylang.Error) bool { return e.Msg == want && strings.HasPrefix(e.Error(), "c.yaml:1:") }) {
			t.Errorf("%s: got %v, want %q", body, fatal, want)
		}
	}
}

// The series of a workload has what a group had counted before its key expired.
func TestExpiredGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := &fakeTracer{groups: map[int64]fakeGroup{1: inPod("shop", "web-1", "nginx", "web"), 2: inPod("shop", "web-2", "nginx", "web")}}
		b := &fakeBackend{scripts: map[string]string{"S": on("@[cgroup] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
		c := run(t, b, oneScriptYAML(`{map: "@", labels: [{as: [workload]}], expire: 10m}`))
		for i, step := range []struct {
			rows   map[int64]int64
			expire []pair
			want   int64
		}{
			{map[int64]int64{1: 60, 2: 40}, nil, 100},
			{map[int64]int64{2: 45}, []pair{{words(1), words(61)}}, 106},
			{map[int64]int64{1: 3, 2: 45}, nil, 109},
			{map[int64]int64{1: 4, 2: 45}, []pair{{words(1), words(3)}, {words(1), words(2)}}, 115},
		} {
			time.Sleep(10 * time.Second)
			tracer.count(step.rows)
			tracer.expire(step.expire...)
			wantValues(t, c, fmt.Sprint("step ", i), map[string]int64{"workload=web": step.want})
		}
	})
}
