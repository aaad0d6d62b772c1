package exporter

import (
	"log/slog"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/encode"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// A collector reads the maps of all scripts and turns them into metrics. It is
// no prometheus.Collector in a registry: a registry describes, hashes and sorts
// an object for every series at each scrape. What it would check holds by
// construction: labels are sorted and valid, series and families unique.
type collector struct {
	scripts   []*script
	maxSeries int
	log       *slog.Logger
	more      prometheus.Gatherer // the exporter's process; may be nil
	timed     func() bool         // whether the kernel always keeps statistics; nil: it does not

	lock   sync.Mutex // held while maps are read, and until what was read is written
	readAt time.Time  // when a scrape read them last; zero when other scripts run since

	asked    atomic.Int32  // scrapes that are under way
	answered chan struct{} // closed when one is done; nil while nobody waits for that

	scraped time.Time     // when the last scrape was done
	took    time.Duration // and how long it was reading and writing
}

// A gathered is a metric that a scrape sends: of a script, or a message.
type gathered struct {
	name    string
	script  *encode.Family
	message *dto.MetricFamily
}

// scrape reads all maps for a scrape that was requested at a time, and calls
// send with all metrics, sorted by name. They are valid during the call. The
// error is of the metrics of the exporter's process, which may be incomplete.
func (c *collector) scrape(asked time.Time, send func([]gathered)) error {
	c.asked.Add(1)
	defer c.asked.Add(-1)
	var more []*dto.MetricFamily
	var err error
	if c.more != nil {
		more, err = c.more.Gather()
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	defer c.tellAnswered()
	begin := time.Now()
	families := c.read(asked)
	for _, f := range more {
		families = append(families, gathered{name: f.GetName(), message: f})
	}
	sort.Slice(families, func(i, j int) bool { return families[i].name < families[j].name })
	send(families)
	c.noteSent(begin)
	return err
}

// answerFirst gives up the lock, and returns when a scrape that waits for it is done, if
// there is one.
func (c *collector) answerFirst() {
	answered := make(chan struct{})
	c.answered = answered
	asked := c.asked.Load() > 0
	c.lock.Unlock()
	if asked {
		<-answered
	}
}

// tellAnswered ends answerFirst. The caller has the lock.
func (c *collector) tellAnswered() {
	if c.answered != nil {
		close(c.answered)
		c.answered = nil
	}
}

// noteSent notes when a scrape that began then was done with what it has read.
func (c *collector) noteSent(begin time.Time) {
	now := time.Now()
	c.scraped, c.took = now, now.Sub(begin)
	for _, s := range c.scripts {
		if s.running != nil && s.running.readErr == nil {
			s.running.reads.add(now)
		}
	}
}

// gather returns the metrics of a scrape as messages.
func (c *collector) gather(asked time.Time) (all []*dto.MetricFamily, err error) {
	err = c.scrape(asked, func(families []gathered) {
		for _, f := range families {
			if f.script != nil {
				f.message = f.script.Message()
			}
			if len(f.message.Metric) > 0 {
				all = append(all, f.message)
			}
		}
	})
	return all, err
}

func (c *collector) read(asked time.Time) (families []gathered) {
	self := selfFamilies{}
	var read []*running
	timed := c.timed != nil && c.timed()
	for _, s := range c.scripts {
		if timed && s.running != nil {
			s.running.addRuns(self)
		}
		if c.readScript(s, asked, self) {
			read = append(read, s.running)
		}
	}
	c.readAt = time.Now()
	for i, rooms := range c.rooms(read) {
		r := read[i]
		list, omitted := r.families(self, rooms)
		families = append(families, list...)
		self.add(seriesOmitted, float64(omitted), r.conf.Name)
		c.noteCut(r, omitted)
	}
	for _, s := range c.scripts {
		if s.running != nil {
			self.startWith(s.running)
		}
	}
	for _, f := range self.list() {
		families = append(families, gathered{name: f.GetName(), message: f})
	}
	return families
}

// readScript reads one script, and says whether it could. One that cannot be
// read has no metrics but its ply_script_up, and is logged once.
func (c *collector) readScript(s *script, asked time.Time, self selfFamilies) bool {
	name := s.conf.Name
	if len(s.names) > 0 {
		self.add(scriptWaiting, boolValue(s.waits() != nil), name)
	}
	r := s.running
	if r == nil {
		self.add(scriptUp, 0, name)
		for _, spec := range s.ownSpecs() {
			self.add(probeAttached, 0, notAttached, spec, name)
		}
		return false
	}
	r.waited(asked)
	begin := time.Now()
	err := r.scrape(asked)
	c.noteError(r, err)
	self.add(scriptUp, boolValue(err == nil && !r.spent.over), name)
	r.addSpending(self)
	self.add(scriptInfo, 1, r.object.Hash, name)
	r.addProbes(self)
	r.addPrints(self)
	r.addFaults(self)
	r.addElapsed(self)
	r.addPatterns(self)
	if err != nil {
		return false
	}
	self.add(scriptDuration, time.Since(begin).Seconds(), name)
	return true
}

func (c *collector) noteError(r *running, err error) {
	if err != nil && r.readErr == nil {
		c.log.Error("maps cannot be read", "script", r.conf.Name, "err", err)
	}
	if err == nil && r.readErr != nil {
		c.log.Info("maps can be read again", "script", r.conf.Name)
	}
	r.readErr = err
}

// families returns the metrics of the last reading, with as many series with
// labels of each map as rooms says, and how many series were left out.
func (r *running) families(self selfFamilies, rooms []int) (families []gathered, omitted int) {
	for i, reading := range r.last {
		t := reading.series
		r.addMap(self, reading)
		if !t.m.exported {
			continue
		}
		if t.m.typ == dto.MetricType_HISTOGRAM && t.mp.Value != nil && t.mp.Value.Signed {
			self.add(mapNegative, t.negatives(), t.mp.Name, r.conf.Name)
		}
		each, most := t.m.seriesPerSample(), t.shown
		if fit := rooms[i] / each; len(t.m.labels) > 0 && most > fit {
			omitted += (most - fit) * each
			most = fit
		}
		families = append(families, gathered{name: t.m.name, script: t.family(most)})
	}
	return families, omitted
}

// addPrints adds what was lost of a script that prints.
func (r *running) addPrints(self selfFamilies) {
	if len(r.object.Events) > 0 {
		self.add(eventsLost, float64(r.tracer.LostEvents()), r.conf.Name)
		self.add(linesOmitted, float64(r.tracer.OmittedLines()), r.conf.Name)
	}
}

// addFaults adds what the script could not read.
func (r *running) addFaults(self selfFamilies) {
	if r.object.ReadsUser {
		self.add(scriptFaults, float64(r.tracer.Faults()), r.conf.Name)
	}
}

// addElapsed adds the calls that the script misses because it is not known when they
// began.
func (r *running) addElapsed(self selfFamilies) {
	if r.object.Timed {
		self.add(mapDropped, float64(r.tracer.LostBegins()), elapsedMap, r.conf.Name)
	}
}

// elapsedMap is what the map of beginnings is called, which no script has.
const elapsedMap = "elapsed"

// addPatterns adds how many cgroups match each pattern of the script.
func (r *running) addPatterns(self selfFamilies) {
	for _, p := range r.tracer.CgroupPatterns() {
		pattern := decode.ForLabel.Escape(p.Pattern)
		self.add(patternGroups, float64(p.Groups), pattern, r.conf.Name)
		self.add(patternLeftOut, float64(p.LeftOut), pattern, r.conf.Name)
	}
}

// fillsUp says that there may be more keys than the map has room for.
func fillsUp(mp *object.Map) bool {
	return !mp.ProgramsOnly() && mp.Storage != object.Array && len(mp.Key) > 0
}

func (r *running) addMap(self selfFamilies, reading mapReading) {
	mp, script := reading.series.mp, r.conf.Name
	if !mp.ProgramsOnly() {
		self.add(mapEntries, float64(reading.entries), mp.Name, script)
	}
	if fillsUp(mp) {
		self.add(mapMaxEntries, float64(mp.MaxEntries), mp.Name, script)
	}
	if mp.Storage == object.LRUHash {
		self.add(mapSurplus, float64(reading.surplus), mp.Name, script)
	}
	if reading.series.m.filters() {
		self.add(mapFiltered, float64(reading.filtered), mp.Name, script)
	}
	self.add(mapDropped, float64(reading.dropped), mp.Name, script)
	if mp.Overflow != nil {
		self.add(mapOverflow, float64(reading.overflowed), mp.Name, script)
	}
	if mp.Expiry != nil {
		self.add(mapExpired, float64(reading.expired), mp.Name, script)
	}
	if mp.Cleared() {
		self.add(mapLateClears, float64(r.tracer.LateClears(mp)), mp.Name, script)
	}
	self.add(mapMemory, float64(reading.memory), mp.Name, script)
}

// notAttached is the kind of probes of a script that does not run.
const notAttached = "none"

// ownSpecs are the probe specifications of a script as it was written, each
// once.
func (s *script) ownSpecs() []string {
	if s.specs == nil {
		s.specs = []string{}
		parsed, err := plylang.Parse(s.conf.Source)
		if err != nil {
			return nil // a mistake, which has stopped the start
		}
		for _, probe := range parsed.Probes {
			for _, name := range specNames(probe.Specs()) {
				s.specs = append(s.specs, decode.ForLabel.Escape(name))
			}
		}
		slices.Sort(s.specs)
		s.specs = slices.Compact(s.specs)
	}
	return s.specs
}

// addRuns adds what the programs of each specification took.
func (r *running) addRuns(self selfFamilies) {
	for spec, cost := range newCosts(r.tracer.Costs()).probes {
		spec = decode.ForLabel.Escape(spec)
		self.add(probeRuns, float64(cost.Runs), spec, r.conf.Name)
		self.add(probeRunSeconds, cost.Time.Seconds(), spec, r.conf.Name)
	}
}

// addProbes adds the state of each specification, one sample for equal ones.
func (r *running) addProbes(self selfFamilies) {
	type key struct{ spec, kind string }
	attached, missed := map[key]bool{}, map[string]uint64{}
	for _, p := range r.tracer.Probes() {
		k := key{decode.ForLabel.Escape(p.Spec), p.Kind}
		before, seen := attached[k]
		attached[k] = p.Attached && (before || !seen)
		if p.MissedKnown {
			missed[k.spec] += p.Missed
		}
	}
	for k, ok := range attached {
		self.add(probeAttached, boolValue(ok), k.kind, k.spec, r.conf.Name)
	}
	for spec, n := range missed {
		self.add(probeMissed, float64(n), spec, r.conf.Name)
	}
}
