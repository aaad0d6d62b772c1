package exporter

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Series whose counts are not all in the maps go on only with a handover.
func TestNeedsAHandover(t *testing.T) {
	for metric, want := range map[string]string{
		"labels: [cgroup]":           "",
		"labels: [{as: [workload]}]": "series of ply_net_total have counts of containers that ended",
		"top: 3":                     "what was counted of ply_net_total in which series depends on what was among the largest",
	} {
		tracer := &fakeTracer{groups: map[int64]fakeGroup{}}
		b := &fakeBackend{scripts: map[string]string{"S": on("@[cgroup] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
		c := run(t, b, oneScriptYAML(`{map: "@", `+metric+`}`))
		tracer.count(map[int64]int64{1: 5})
		scrape(t, c)
		r := c.scripts[0].running
		if got := r.pinName(); got.Needs != want || got.Name != "net" {
			t.Errorf("%s: %q needs a handover because %q, want %q", metric, got.Name, got.Needs, want)
		}
		if !r.compiled.resume(r.handover()) {
			t.Errorf("%s: the handover is of no use", metric)
		}
		if r.compiled.resume(nil) {
			t.Errorf("%s: no handover is of use", metric)
		}
	}
}

// Series keep their start.
func TestHandoverOfStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := &fakeTracer{rows: map[string][]pair{"@": {{words(1), words(5)}}}, pinned: true}
		b := &fakeBackend{scripts: map[string]string{"S": on("@[pid] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
		yaml := oneScriptYAML(`{map: "@"}`)
		c := run(t, b, yaml)
		scrape(t, c)
		time.Sleep(time.Minute)
		tracer.rows["@"] = append(tracer.rows["@"], pair{words(2), words(7)})
		before := startsOf(t, c, time.Now())
		left := time.Now()
		time.Sleep(time.Minute)
		c.leave()
		time.Sleep(time.Hour)
		c = run(t, b, yaml)
		tracer.rows["@"] = append(tracer.rows["@"], pair{words(3), words(1)})
		time.Sleep(time.Minute)
		after := startsOf(t, c, time.Now())
		if len(before) != 2 || len(after) != 3 {
			t.Fatalf("%v, then %v", before, after)
		}
		for key, at := range before {
			if !after[key].Equal(at) {
				t.Errorf("%s started at %v, and now at %v", key, at, after[key])
			}
			delete(after, key)
		}
		for key, at := range after {
			if at.Before(left) || at.After(left.Add(time.Second)) {
				t.Errorf("%s came after %v, and is said to have started at %v", key, left, at)
			}
		}
	})
}

// Series that a reload has made anew keep their start also if nobody has read them before
// the exporter ends.
func TestHandoverAfterAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{fakeBackend: fakeBackend{scripts: map[string]string{"S": on("@[pid] = count();")}}, rows: map[string][]pair{"@": {{words(1), words(5)}}}}
		in := reloading(t, b, oneScriptYAML(`{map: "@"}`))
		time.Sleep(time.Minute)
		before := startsOf(t, in.collector, time.Now())
		for _, metric := range []string{`{map: "@", help: Other.}`, `{map: "@", help: Other., labels: [other]}`} {
			time.Sleep(time.Minute)
			startsOf(t, in.collector, time.Now())
			time.Sleep(time.Minute)
			if _, err := in.change(parsed(t, oneScriptYAML(metric))); err != nil {
				t.Fatal(err)
			}
			r := in.collector.scripts[0].running
			if !r.compiled.resume(r.handover()) {
				t.Fatal("the handover is of no use")
			}
			var err error
			if r.series, err = r.newSeries(); err != nil {
				t.Fatal(err)
			}
			r.resume()
			time.Sleep(time.Minute)
			if after := startsOf(t, in.collector, time.Now()); len(after) != 1 || !maps.Equal(after, before) {
				t.Errorf("%s: starts %v, and %v before", metric, after, before)
			}
		}
	})
}

// Series that were made anew by several reloads, with no scrape between them, keep the start
// that the last scrape has shown.
func TestReloadsWithoutAScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &reloadBackend{fakeBackend: fakeBackend{scripts: map[string]string{"S": on("@[pid] = count();")}}, rows: map[string][]pair{"@": nil}}
		in := reloading(t, b, oneScriptYAML(`{map: "@"}`))
		startsOf(t, in.collector, time.Now())
		time.Sleep(time.Minute)
		b.started[0].set([]pair{{words(1), words(5)}}, time.Time{})
		before := startsOf(t, in.collector, time.Now())
		for _, metric := range []string{`{map: "@", type: gauge}`, `{map: "@", labels: [other]}`, `{map: "@"}`} {
			time.Sleep(time.Minute)
			if _, err := in.change(parsed(t, oneScriptYAML(metric))); err != nil {
				t.Fatal(err)
			}
		}
		if after := startsOf(t, in.collector, time.Now()); len(after) != 1 || !maps.Equal(after, before) {
			t.Errorf("starts %v, and %v before", after, before)
		}
	})
}

// Series keep their resolution.
func TestHandoverOfResolutions(t *testing.T) {
	s := newNativeScript(t, "(s64)pid, 4", "native: {max_buckets: 12}")
	var numbers []int64
	for i := range int64(100) {
		numbers = append(numbers, i*i*i)
	}
	s.put(numbers)
	coarse := s.histogram().GetSchema()
	r := s.c.scripts[0].running
	if !r.compiled.resume(r.handover()) {
		t.Fatal("the handover is of no use")
	}
	var err error
	if r.series, err = r.newSeries(); err != nil {
		t.Fatal(err)
	}
	r.resume()
	r.series[0].m.native.maxBuckets = 10_000
	if schema := s.histogram().GetSchema(); schema != coarse || coarse == 4 {
		t.Errorf("schema %d, and %d before", schema, coarse)
	}
}

// A handover that is not whole, or of another metric, is of no use and harms nothing.
func TestBrokenHandover(t *testing.T) {
	tracer := &fakeTracer{groups: map[int64]fakeGroup{1: inPod("x", "p", "c", "w"), 2: inPod("x", "q", "c", "v")}, pinned: true}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[cgroup] = quantize(pid, 4);")}, tracers: map[string]*fakeTracer{"S": tracer}}
	c := run(t, b, oneScriptYAML(`{map: "@", labels: [{as: [workload]}], top: 2, native: true}`))
	m := c.scripts[0].compiled.object.Maps[0]
	tracer.rows = map[string][]pair{"@": {{words(1), words(make([]int64, m.Size/8-1)...)}, {words(2), make([]byte, m.Size)}}}
	tracer.rows["@"][0].value = append(tracer.rows["@"][0].value, words(0)...)
	for _, row := range tracer.rows["@"] {
		row.value[0], row.value[80] = 5, 1
	}
	scrape(t, c)
	r := c.scripts[0].running
	whole := r.handover()
	var h handover
	if err := json.Unmarshal(whole, &h); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	used := 0
	for range 3000 {
		var broken handover
		if err := json.Unmarshal(whole, &broken); err != nil {
			t.Fatal(err)
		}
		of := broken.Maps[0]
		pieces := []*[]byte{&of.Keys, &of.Of, &of.List, &of.Texts, &of.Order, &of.Values, &of.Ledger.Keys, &of.Ledger.Last, &of.Ledger.Other, &of.Ledger.Series}
		piece := pieces[random.IntN(len(pieces))]
		switch n := len(*piece); {
		case n == 0 || random.IntN(4) == 0:
			*piece = append(*piece, byte(random.IntN(256)))
		case random.IntN(2) == 0:
			*piece = (*piece)[:random.IntN(n)]
		default:
			*piece = bytes.Clone(*piece)
			(*piece)[random.IntN(n)] ^= 1 << random.IntN(8)
		}
		text, err := json.Marshal(broken)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := r.newSeries()
		if err != nil {
			t.Fatal(err)
		}
		if r.compiled.resume(text) {
			used++
			r.series = fresh
			r.resume()
			scrape(t, c)
		}
	}
	if used == 0 || used == 3000 {
		t.Errorf("%d of 3000 were of use", used)
	}
	other := strings.Replace(string(whole), "ply_net", "ply_other", 1)
	if r.compiled.resume([]byte(other)) || !r.compiled.resume(whole) {
		t.Error("the handover of another metric is of use, or this one is not")
	}
}

// Containers end, keys are among the largest and exported of many as if the exporter had gone on.
func TestHandoverGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			metric    string
			first     map[int64]int64 // what groups have counted
			then      map[int64]int64
			meanwhile func(*fakeTracer)
			want      map[string]int64
		}{
			{"top: 2", map[int64]int64{1: 100, 2: 90, 3: 5}, map[int64]int64{1: 101, 2: 91, 3: 30}, nil, map[string]int64{"cgroup=1": 101, "cgroup=2": 91, "cgroup=other": 31}},
			{"max_entries: 2, overflow: evict", map[int64]int64{1: 1, 2: 1, 3: 2, 4: 2}, map[int64]int64{1: 1, 2: 1, 3: 2, 4: 2}, nil, map[string]int64{"cgroup=3": 2, "cgroup=4": 2}},
			{"labels: [{as: [workload], ttl: 10m}]", map[int64]int64{1: 7, 2: 3}, map[int64]int64{1: 7, 2: 4}, func(f *fakeTracer) {
				f.groups[1] = fakeGroup{gone: true}
				time.Sleep(11 * time.Minute)
			}, map[string]int64{"workload=b": 4}},
			{"labels: [{as: [workload], ttl: 10m}]", map[int64]int64{1: 7, 2: 3}, map[int64]int64{1: 7, 2: 4}, func(f *fakeTracer) {
				f.groups[1] = fakeGroup{gone: true}
				time.Sleep(9 * time.Minute)
			}, map[string]int64{"workload=a": 7, "workload=b": 4, "workload=": 2}},
			{"labels: [{as: [container]}]", map[int64]int64{1: 7, 5: 3}, map[int64]int64{1: 7, 5: 13}, func(f *fakeTracer) {
				f.groups[5] = fakeGroup{texts: []string{"5", "other", "other", "other", "other"}, unknown: true, gone: true}
			}, map[string]int64{"container=c": 8, "container=d": 13, "container=": 2}},
		} {
			unnamed := fakeGroup{texts: []string{"/d", "", "", "", "d"}, unknown: true}
			tracer := &fakeTracer{groups: map[int64]fakeGroup{1: inPod("x", "p", "c", "a"), 2: inPod("x", "q", "c", "b"), 5: unnamed}, pinned: true}
			b := &fakeBackend{scripts: map[string]string{"S": on("@[cgroup] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
			yaml := oneScriptYAML(`{map: "@", ` + tt.metric + `}`)
			c := run(t, b, yaml)
			tracer.count(map[int64]int64{1: 1, 2: 1, 3: 1, 4: 1})
			values(t, c)
			tracer.count(tt.first)
			values(t, c)
			time.Sleep(time.Second)
			c.leave()
			if tt.meanwhile != nil {
				tt.meanwhile(tracer)
			}
			c = run(t, b, yaml)
			tracer.count(tt.then)
			wantValues(t, c, tt.metric, tt.want)
		}
	})
}

// A scrape that is under way when the exporter ends is not handed over in the middle.
func TestHandoverWaitsForScrapes(t *testing.T) {
	tracer := &fakeTracer{rows: map[string][]pair{"@": {{words(1), words(5)}}}, pinned: true}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[pid] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}
	c := run(t, b, oneScriptYAML(`{map: "@"}`))
	c.lock.Lock() // as a scrape has it
	left := make(chan struct{})
	go func() { c.leave(); close(left) }()
	select {
	case <-left:
		t.Error("it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	c.lock.Unlock()
	<-left
	if len(tracer.left) == 0 {
		t.Error("nothing is left")
	}
}
