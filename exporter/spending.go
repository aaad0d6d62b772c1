package exporter

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/tracer"
)

// Budgets
//
// The kernel's own statistics say how long programs run. They make each run longer,
// of whomever, so they are on for a moment at a time. A script that takes more of a
// CPU than its budget, in the mean of a minute, is detached: what it has counted
// stays, and it is started afresh after a pause, which is twice as long each time.
// What it had stored is not used again, since a beginning without its end gives
// wrong times.

const (
	sampleEvery  = 10 * time.Second
	sampleSpread = time.Second // so that what is periodic is not seen always, or never
	sampleTime   = 100 * time.Millisecond
	samples      = 6 // of a minute

	firstPause = time.Minute
	maxPause   = time.Hour
	forgiven   = 10 // times the last pause: a script that ran for longer is as one that never was detached
)

// A spending is what a script takes, and each of its probes, and what became of it.
type spending struct {
	taken
	probes map[string]*taken // by specification; programs that serve several are with each

	over  bool          // it is detached
	took  float64       // the share for which it was
	pause time.Duration // how long it is, or was the last time
	until time.Time
}

// A taken is what programs took.
type taken struct {
	samples []sample    // the latest ones
	cost    tracer.Cost // of all that there were
}

// A sample is what programs took at some moment.
type sample struct {
	share float64 // of one CPU
	runs  float64 // of the programs, a second
}

// share and runs are the means of the samples.
func (t *taken) share() float64 { return t.mean(func(one sample) float64 { return one.share }) }
func (t *taken) runs() float64  { return t.mean(func(one sample) float64 { return one.runs }) }

func (t *taken) mean(of func(sample) float64) float64 {
	sum := 0.0
	for _, one := range t.samples {
		sum += of(one)
	}
	return sum / float64(max(1, len(t.samples)))
}

// runSeconds is the mean time of a run, once there was one.
func (t *taken) runSeconds() (s float64, known bool) {
	if t.cost.Runs == 0 {
		return 0, false
	}
	return t.cost.Time.Seconds() / float64(t.cost.Runs), true
}

// add takes in what programs took in some time.
func (t *taken) add(c tracer.Cost, in time.Duration) {
	if len(t.samples) == samples {
		t.samples = t.samples[1:]
	}
	t.samples = append(t.samples, sample{c.Time.Seconds() / in.Seconds(), float64(c.Runs) / in.Seconds()})
	t.cost = t.cost.Plus(c)
}

// add takes in what a script took in some time.
func (s *spending) add(c costs, in time.Duration) {
	s.taken.add(c.all, in)
	for spec, cost := range c.probes {
		s.probe(spec).add(cost, in)
	}
}

// probe is what the programs of a specification took.
func (s *spending) probe(spec string) *taken {
	if s.probes[spec] == nil {
		if s.probes == nil {
			s.probes = map[string]*taken{}
		}
		s.probes[spec] = &taken{}
	}
	return s.probes[spec]
}

// forget forgets what was taken lately: it is not what is taken from now on.
func (s *spending) forget() {
	s.samples = nil
	for _, t := range s.probes {
		t.samples = nil
	}
}

// exceeds says whether it was more than a budget over a minute.
func (s *spending) exceeds(budget config.Share) bool {
	return budget > 0 && !s.over && len(s.samples) == samples && s.share() > float64(budget)
}

// fits says whether what the script was detached for is within a budget.
func (s *spending) fits(budget config.Share) bool {
	return budget == 0 || s.took <= float64(budget)
}

// stop notes that the script is detached.
func (s *spending) stop() {
	s.over, s.took = true, s.share()
	s.forget()
	if time.Since(s.until) > forgiven*s.pause {
		s.pause = 0
	}
	s.wait()
}

// wait begins a pause.
func (s *spending) wait() {
	s.pause = min(cmp.Or(2*s.pause, firstPause), maxPause)
	s.until = time.Now().Add(s.pause)
}

// budget is the share of a CPU that the script may take.
func (in *instance) budget(c *config.Script) config.Share {
	if c.Budget != nil {
		return *c.Budget
	}
	return in.opt.CPUBudget
}

// nextSample is when programs are watched next.
func nextSample() time.Duration { return sampleEvery - sampleSpread/2 + rand.N(sampleSpread) }

// watchSpending takes a sample of what scripts take, detaches those that exceed their
// budget and starts those again whose pause is over, even while this process may not
// know what they take.
func (in *instance) watchSpending(ctx context.Context) {
	in.reloads.lock.Lock()
	defer in.reloads.lock.Unlock()
	statistics, err := in.opt.Backend.Statistics()
	if err == nil {
		in.sample(ctx, statistics)
	} else {
		in.forgetSamples()
	}
	in.noteStatistics(err)
	for _, s := range in.collector.scripts {
		in.followFiles(s)
		r := s.running
		if r != nil {
			in.followCPUs(r)
		}
		switch {
		case r == nil:
		case in.adapt(s):
		case r.spent.exceeds(in.budget(s.conf)):
			in.detach(s)
		case r.spent.over && !time.Now().Before(r.spent.until):
			in.startAgain(s, "its pause is over")
		}
	}
}

// keepStatistics has the kernel always keep statistics, where that is asked for.
func (in *instance) keepStatistics() io.Closer {
	if in.opt.Statistics {
		kept, err := in.opt.Backend.Statistics()
		if err == nil {
			in.measures = true
			return kept
		}
		in.opt.Log.Warn("--bpf.stats has no effect", "err", err)
	}
	return io.NopCloser(nil)
}

// timed says whether the kernel always keeps statistics.
func (in *instance) timed() bool { return in.measures || tracer.StatisticsOn() }

// followCPUs lets timers begin again on CPUs that were offline.
func (in *instance) followCPUs(r *running) {
	if err := r.tracer.FollowCPUs(); err != nil {
		in.opt.Log.Warn("which CPUs are online is not known, so that timers do not begin again on those which were not", "script", r.conf.Name, "err", err)
	}
}

// noteStatistics logs when it begins and ends that nothing is known.
func (in *instance) noteStatistics(err error) {
	if err != nil && !in.blind {
		in.opt.Log.Warn("what scripts take of a CPU is not known, so that --bpf.cpu-budget has no effect", "err", err)
	}
	if err == nil && in.blind {
		in.opt.Log.Info("what scripts take of a CPU is known again")
	}
	in.blind = err != nil
}

// forgetSamples forgets what scripts took: it is not what they take.
func (in *instance) forgetSamples() {
	in.collector.lock.Lock()
	defer in.collector.lock.Unlock()
	for _, s := range in.collector.scripts {
		if s.running != nil {
			s.running.spent.forget()
		}
	}
}

// sample adds to the spending of each script while there are statistics. They are read
// at both ends of the time that is measured: a scrape that holds the lock is not in it.
func (in *instance) sample(ctx context.Context, statistics io.Closer) {
	scripts := in.collector.scripts
	begin, before := time.Now(), costsOf(scripts)
	select {
	case <-ctx.Done():
	case <-time.After(sampleTime):
	}
	after, took := costsOf(scripts), time.Since(begin)
	_ = statistics.Close()
	in.collector.lock.Lock()
	defer in.collector.lock.Unlock()
	for i, s := range scripts {
		if s.running != nil && !s.running.spent.over {
			s.running.spent.add(after[i].minus(before[i]), took)
		}
	}
}

// The costs of a script are what all its programs took, and those of each specification.
type costs struct {
	all    tracer.Cost
	probes map[string]tracer.Cost
}

// newCosts adds up those of programs.
func newCosts(programs []tracer.ProgramCost) costs {
	c := costs{probes: map[string]tracer.Cost{}}
	for _, p := range programs {
		c.all = c.all.Plus(p.Cost)
		for _, spec := range p.Specs {
			c.probes[spec] = c.probes[spec].Plus(p.Cost)
		}
	}
	return c
}

// minus is what was added since earlier costs.
func (c costs) minus(before costs) costs {
	did := costs{c.all.Minus(before.all), map[string]tracer.Cost{}}
	for spec, cost := range c.probes {
		did.probes[spec] = cost.Minus(before.probes[spec])
	}
	return did
}

// costsOf is what scripts have taken while there were statistics.
func costsOf(scripts []*script) []costs {
	all := make([]costs, len(scripts))
	for i, s := range scripts {
		if s.running != nil {
			all[i] = newCosts(s.running.tracer.Costs())
		}
	}
	return all
}

// detach detaches a script that has exceeded its budget.
func (in *instance) detach(s *script) {
	in.collector.lock.Lock()
	s.running.spent.stop()
	in.collector.lock.Unlock()
	if err := s.running.tracer.Pause(); err != nil {
		in.opt.Log.Error("script cannot be detached", "script", s.conf.Name, "err", err)
	}
	in.changed()
	in.manager.changed(in.collector.scripts)
	in.opt.Log.Warn("script detached", "script", s.conf.Name, "reason", s.running.overBudget(in.budget(s.conf)))
}

// overBudget says why the script does not run.
func (r *running) overBudget(budget config.Share) string {
	return fmt.Sprintf("its programs took %s of a CPU in a minute, its budget is %s (--bpf.cpu-budget, or budget: in the configuration); it starts again at %s",
		config.Share(r.spent.took), budget, r.spent.until.Format(time.TimeOnly))
}

// startAgain starts a script afresh, from 0.
func (in *instance) startAgain(s *script, why string) {
	fresh := &script{conf: s.conf, compiled: s.running.compiled, files: s.running.files}
	if in.outdated(s) {
		fresh = in.compileFor(s)
	}
	start([]*script{fresh}, in.opt.Backend)
	giveBack(in.opt.Backend)
	if fresh.err != nil {
		in.opt.Log.Error("script does not start again", "script", s.conf.Name, "err", fresh.err)
	}
	if old := in.succeed(s, fresh); old != nil {
		in.opt.Log.Info("script runs again", "script", s.conf.Name, "reason", why)
		_ = old.tracer.Close()
	}
	in.changed()
	in.manager.changed(in.collector.scripts)
}

// succeed lets a script that was detached go on as one that was started, and returns
// the one before; if none was, it waits once more.
func (in *instance) succeed(s, as *script) (old *running) {
	in.collector.lock.Lock()
	defer in.collector.lock.Unlock()
	fresh := as.running
	if fresh == nil {
		s.running.spent.wait()
		return nil
	}
	if s.compiled != as.compiled {
		s.compiled, s.files, s.warnings, s.notes = as.compiled, as.files, as.warnings, as.notes
	}
	fresh.spent = spending{pause: s.running.spent.pause, until: s.running.spent.until}
	fresh.follow(time.Now())
	fresh.sampleEvery(max(1, s.running.every))
	old, s.running = s.running, fresh
	return old
}

// addSpending adds what the script takes, once that is known.
func (r *running) addSpending(self selfFamilies) {
	name := r.conf.Name
	self.add(scriptOverBudget, boolValue(r.spent.over), name)
	if r.object.Sampled {
		self.add(scriptSample, 1/float64(r.every), name)
	}
	if len(r.spent.samples) > 0 {
		self.add(scriptCPU, r.spent.share(), name)
	}
	if mean, known := r.spent.runSeconds(); known {
		self.add(scriptEvent, mean, name)
	}
}
