package exporter

import (
	"math"

	"ply-exporter/exporter/config"
)

// Sampling
//
// A script with sample: auto that exceeds its budget is not detached, but looks at fewer
// events, each of which stands for more: at so few that it would have kept its budget in
// the last minute. It is detached when the fewest are too many. When it takes
// less than a quarter of its budget, it looks at twice as many, since that will not exceed
// half of the budget.

// spareShare is the part of the budget below which more events are looked at.
const spareShare = 1.0 / 4

// sampleFirst has a script that was just started look at the part of the events that its
// configuration says.
func (r *running) sampleFirst() { r.sampleEvery(1) }

// sampleEvery has the script look at one event in n, or in the number that its
// configuration says. The collector's lock is held, or nobody else knows the script.
func (r *running) sampleEvery(n int) {
	if !r.object.Sampled {
		return
	}
	if fixed := r.conf.Sample.Every; fixed > 0 {
		n = fixed
	}
	r.every = n
	r.tracer.SampleEvery(n)
}

// adapts says whether the script looks at as many events as its budget allows.
func (r *running) adapts() bool { return r.object.Sampled && r.conf.Sample.Every == 0 }

// sampleFor is how many events one should stand for, so that the script keeps its budget.
func (r *running) sampleFor(budget config.Share) int {
	if !r.adapts() || r.spent.over || len(r.spent.samples) < samples {
		return r.every
	}
	switch share := r.spent.share(); {
	case budget > 0 && share > float64(budget):
		times := math.Exp2(math.Ceil(math.Log2(share / float64(budget))))
		return int(min(float64(r.every)*times, config.MaxSample))
	case budget == 0 || share < spareShare*float64(budget):
		return max(1, r.every/2)
	}
	return r.every
}

// adapt changes which events a script looks at if its budget demands or allows it, and
// says whether it did.
func (in *instance) adapt(s *script) bool {
	r, budget := s.running, in.budget(s.conf)
	n := r.sampleFor(budget)
	if n == r.every {
		return false
	}
	in.collector.lock.Lock()
	defer in.collector.lock.Unlock()
	in.opt.Log.Info("script looks at other events", "script", s.conf.Name, "one_in", n, "before", r.every, "took", config.Share(r.spent.share()), "budget", budget)
	r.sampleEvery(n)
	r.spent.forget()
	return true
}
