package exporter

import (
	"reflect"
	"slices"
	"time"
)

// An heir is a script that goes on as another one that runs.
type heir struct {
	*script
	of     *running
	series []*mapSeries // without what was known of the keys
}

// inherit lets the scripts whose compiled form has not changed go on as they run. One
// that is detached and has a larger budget now does not: it begins at once.
func (in *instance) inherit(scripts []*script, old map[string]*running) (heirs []heir, err error) {
	before := exportedBy(old)
	for _, s := range scripts {
		was := old[s.conf.Name]
		if was == nil || s.compiled == nil || was.object.Hash != s.compiled.object.Hash ||
			s.compiled.takesNames(before) || was.spent.over && was.spent.fits(in.budget(s.conf)) {
			continue
		}
		s.compiled.object, s.running = was.object, was // what its tracer knows
		next := running{compiled: s.compiled, tracer: was.tracer}
		h := heir{script: s, of: was}
		if h.series, err = next.newSeries(); err != nil {
			return nil, err
		}
		heirs = append(heirs, h)
	}
	return heirs, nil
}

// takeOver makes the script the one that runs. Its series are those of before where
// the metric is the same. No scrape must be reading.
func (h *heir) takeOver() {
	next := *h.of
	next.compiled, next.last = h.script.compiled, nil
	next.series = slices.Clone(h.of.series)
	for i, t := range next.series {
		if !reflect.DeepEqual(t.m.shown(), next.metrics[i].shown()) {
			next.series[i] = h.series[i].after(t, startTime(next.created.UnixNano()))
		}
	}
	h.running = &next
	next.sampleEvery(max(1, next.every))
	h.running.tracer.Claim(next.pinName().Claims)
}

// without are the scripts that run and inherit from none of these, nor are such.
func without(scripts []*script, heirs []heir) (rest []*script) {
	known := map[Tracer]bool{}
	for _, h := range heirs {
		known[h.of.tracer] = true
	}
	for _, s := range scripts {
		if s.running != nil && !known[s.running.tracer] {
			rest = append(rest, s)
		}
	}
	return rest
}

func namesOf(scripts []*script) (names []string) {
	for _, s := range scripts {
		names = append(names, s.conf.Name)
	}
	return names
}

// replace has the next scrape read other scripts, and returns those before.
func (c *collector) replace(scripts []*script, heirs []heir) (before []*script) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, h := range heirs {
		h.takeOver()
	}
	now := time.Now()
	for _, s := range without(scripts, heirs) {
		s.running.follow(now)
	}
	before, c.scripts = c.scripts, scripts
	c.readAt = time.Time{}
	return before
}

// shown is what decides which series a map gives.
func (m *metric) shown() metric {
	return metric{
		name: m.name, help: m.help, typ: m.typ, unit: m.unit, scale: m.scale, labels: m.labels, bounds: m.bounds, native: m.native, rises: m.rises, exported: m.exported, top: m.top,
	}
}

// after lets the series of a map begin where others of the same map are, or those before
// which these were after if they were never read. Those of keys that had none with a start
// begin when the script did.
func (t *mapSeries) after(old *mapSeries, created startTime) *mapSeries {
	if t.ledger != nil && old.ledger != nil && t.ledger.adds == old.ledger.adds && t.m.continues(old.m) {
		t.goOn(old)
		return t
	}
	if old.former != nil {
		t.former, t.scraped, t.cleared = old.former, old.scraped, old.cleared
		return t
	}
	t.former = &formerKeys{keys: old.keys, of: old.of, list: old.list, round: old.round, other: old.other, unseen: created}
	if !old.m.starts() {
		t.former.of = make([]uint32, len(old.of))
		for i := range t.former.of {
			t.former.of[i] = noSeries
		}
	}
	t.scraped, t.cleared = old, old.cleared
	return t
}
