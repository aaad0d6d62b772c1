package exporter

import (
	"log/slog"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"ply-exporter/plylang"
)

// A collector reads the maps of all scripts and turns them into metrics. It is
// a prometheus.Gatherer rather than a Collector in a registry: a registry
// describes, hashes and sorts every series at each scrape, which for 20,000 of
// them costs more than reading and sending. What it would check holds by
// construction: labels are sorted and valid, series and families unique.
type collector struct {
	units     []*unit
	maxSeries int
	log       *slog.Logger
	more      prometheus.Gatherer // the exporter's process; may be nil

	lock     sync.Mutex // held while maps are read
	sharing  sync.Mutex // guards inFlight
	inFlight *reading
}

// A reading is one reading of all maps, shared by the scrapes that came while
// it was under way.
type reading struct {
	done     chan struct{}
	families []*dto.MetricFamily
}

// Gather reads all maps and returns the metrics sorted by name.
func (c *collector) Gather() ([]*dto.MetricFamily, error) {
	families := append([]*dto.MetricFamily(nil), c.share()...)
	var err error
	if c.more != nil {
		var more []*dto.MetricFamily
		more, err = c.more.Gather()
		families = append(families, more...)
	}
	sort.Slice(families, func(i, j int) bool { return families[i].GetName() < families[j].GetName() })
	return families, err
}

// share reads the maps, or waits for the reading that is under way.
func (c *collector) share() []*dto.MetricFamily {
	c.sharing.Lock()
	if r := c.inFlight; r != nil {
		c.sharing.Unlock()
		<-r.done
		return r.families
	}
	r := &reading{done: make(chan struct{})}
	c.inFlight = r
	c.sharing.Unlock()
	defer func() {
		c.sharing.Lock()
		c.inFlight = nil
		c.sharing.Unlock()
		close(r.done)
	}()
	r.families = c.read()
	return r.families
}

func (c *collector) read() []*dto.MetricFamily {
	c.lock.Lock()
	defer c.lock.Unlock()
	own := ownFamilies{}
	room := c.maxSeries
	if room == 0 {
		room = -1 // no limit
	}
	var families []*dto.MetricFamily
	for _, u := range c.units {
		families = append(families, c.readUnit(u, own, &room)...)
	}
	return append(families, own.list()...)
}

// readUnit reads one script. One that cannot be read has no metrics but its
// ply_script_up, and is logged once.
func (c *collector) readUnit(u *unit, own ownFamilies, room *int) []*dto.MetricFamily {
	name := u.conf.Name
	if !u.running() {
		own.add(scriptUp, 0, name)
		for _, spec := range u.specTexts() {
			own.add(probeAttached, 0, notAttached, spec, name)
		}
		return nil
	}
	begin := time.Now()
	rows, err := u.readMaps()
	c.noteError(u, err)
	own.add(scriptUp, boolValue(err == nil), name)
	own.add(scriptInfo, 1, u.object.Hash, name)
	u.addProbes(own)
	if err != nil {
		return nil
	}
	families, omitted := u.families(rows, own, room)
	own.add(seriesOmitted, float64(omitted), name)
	own.add(scriptDuration, time.Since(begin).Seconds(), name)
	return families
}

func (c *collector) noteError(u *unit, err error) {
	if err != nil && u.readErr == nil {
		c.log.Error("maps cannot be read", "script", u.conf.Name, "err", err)
	}
	if err == nil && u.readErr != nil {
		c.log.Info("maps can be read again", "script", u.conf.Name)
	}
	u.readErr = err
}

// readMaps reads every map of the script.
func (u *unit) readMaps() ([][]Row, error) {
	rows := make([][]Row, len(u.tables))
	for i, t := range u.tables {
		var err error
		if rows[i], err = u.tracer.Rows(t.mp); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// families returns the metrics of a script that was read, as far as there is
// room for series, and how many series were left out.
func (u *unit) families(rows [][]Row, own ownFamilies, room *int) (families []*dto.MetricFamily, omitted int) {
	created := timestamppb.New(u.tracer.Created())
	for i, t := range u.tables {
		u.addMap(own, t, len(rows[i]))
		if !t.m.exported {
			continue
		}
		t.update(rows[i])
		list := t.current()
		if t.m.typ == dto.MetricType_HISTOGRAM && t.mp.Value != nil && t.mp.Value.Signed {
			own.add(mapNegative, t.negatives(list), t.mp.Name, u.conf.Name)
		}
		each := t.m.seriesPerSample()
		if fit := max(0, *room) / each; *room >= 0 && len(list) > fit {
			omitted += (len(list) - fit) * each
			list = list[:fit]
		}
		*room -= len(list) * each
		if f := t.family(list, created); f != nil {
			families = append(families, f)
		}
	}
	return families, omitted
}

func (u *unit) addMap(own ownFamilies, t *table, entries int) {
	name, script := t.mp.Name, u.conf.Name
	own.add(mapEntries, float64(entries), name, script)
	own.add(mapMaxEntries, float64(max(1, t.mp.Room)), name, script)
	own.add(mapDropped, float64(u.tracer.Dropped(t.mp)), name, script)
	own.add(mapMemory, float64(u.tracer.MapMemory(t.mp)), name, script)
}

// notAttached is the kind of probes of a script that does not run.
const notAttached = "none"

// specTexts are the probe specifications of a script as it was written, each
// once.
func (u *unit) specTexts() []string {
	if u.specs == nil {
		u.specs = []string{}
		script, err := plylang.Parse(u.conf.Source)
		if err != nil {
			return nil // a mistake, which has stopped the start
		}
		for _, probe := range script.Probes {
			for _, spec := range probe.Specs {
				u.specs = append(u.specs, validLabel(spec.String()))
			}
		}
		slices.Sort(u.specs)
		u.specs = slices.Compact(u.specs)
	}
	return u.specs
}

// addProbes adds the state of each specification, one sample for equal ones.
func (u *unit) addProbes(own ownFamilies) {
	type key struct{ spec, kind string }
	attached, missed := map[key]bool{}, map[string]uint64{}
	for _, p := range u.tracer.Probes() {
		k := key{validLabel(p.Spec), p.Kind}
		before, seen := attached[k]
		attached[k] = p.Attached && (before || !seen)
		if p.MissedKnown {
			missed[k.spec] += p.Missed
		}
	}
	for k, ok := range attached {
		own.add(probeAttached, boolValue(ok), k.kind, k.spec, u.conf.Name)
	}
	for spec, n := range missed {
		own.add(probeMissed, float64(n), spec, u.conf.Name)
	}
}
