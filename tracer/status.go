package tracer

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/cilium/ebpf/link"

	"ply-exporter/plylang"
)

// A ProbeStatus says what became of one probe specification of the script.
type ProbeStatus struct {
	Spec     *plylang.Spec
	Attach   string // the attach kinds, "raw_tracepoint"; several joined by "+"
	Why      string // why that way
	Sites    int    // sites that were attached
	Covers   int    // probes these stand for, as the user counts them
	Attached bool   // it is attached now; BEGIN and END: it ran
	Err      error  // sites of a glob that could not be attached, and Ended
	Ended    error  // why sites that were attached are no longer, before the script ends

	// Missed counts the events that the kernel skipped although the probe was
	// attached. MissedKnown says whether this kernel counts them.
	Missed      uint64
	MissedKnown bool
}

// Probes returns the state of each probe specification, in the script's order.
func (t *Tracer) Probes() []ProbeStatus {
	t.life.RLock()
	defer t.life.RUnlock()
	var out []ProbeStatus
	index := map[*plylang.Spec]int{}
	for _, spec := range t.specs() {
		index[spec] = len(out)
		out = append(out, ProbeStatus{Spec: spec, MissedKnown: t.countsMisses})
	}
	for _, p := range t.programs {
		for i, spec := range p.Specs {
			p.addTo(&out[index[spec]], i, t.closed)
		}
	}
	return out
}

// Active returns the number of probes that are attached, as the user counts
// them: all functions that a glob matched, all system calls behind one
// attachment. BEGIN and END are not among them.
func (t *Tracer) Active() int {
	n := 0
	for _, s := range t.Probes() {
		if s.Attached {
			n += s.Covers
		}
	}
	return n
}

// specs returns all specifications that programs serve, in the script's order.
func (t *Tracer) specs() []*plylang.Spec {
	var out []*plylang.Spec
	seen := map[*plylang.Spec]bool{}
	for _, p := range t.programs {
		for _, spec := range p.Specs {
			if !seen[spec] {
				out, seen[spec] = append(out, spec), true
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *plylang.Spec) int { return cmp.Compare(a.Pos, b.Pos) })
	return out
}

// addTo adds what p knows to the status of the i-th specification it serves.
func (p *program) addTo(s *ProbeStatus, i int, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Attach = joinNew(s.Attach, string(p.Attach), "+")
	s.Why = joinNew(s.Why, joinNew(p.Why, p.noRoom(), "; "), "; elsewhere ")
	s.Sites += len(p.attached)
	if len(p.attached) > 0 {
		s.Covers += p.Covers[i] * len(p.attached) / len(p.Points)
	}
	ended := errors.Join(p.lostModule(), p.lostFile())
	s.Attached = s.Attached || len(p.links) > 0 && !p.halted && ended == nil || p.ran
	s.Err = errors.Join(append([]error{s.Err, ended}, leftOut(p)...)...)
	s.Ended = errors.Join(s.Ended, ended)
	s.Missed += p.missedNow(closed)
}

// joinNew adds a text to others, unless it is one of them.
func joinNew(all, text, sep string) string {
	switch {
	case all == "":
		return text
	case text == "", strings.Contains(sep+all+sep, sep+text+sep):
		return all
	}
	return all + sep + text
}

// linkMissed returns the events that a link itself counted as missed.
func linkMissed(l io.Closer) uint64 {
	if all, ok := l.(closers); ok {
		n := uint64(0)
		for _, one := range all {
			n += linkMissed(one)
		}
		return n
	}
	switch wrapped := l.(type) {
	case withoutRoom:
		return linkMissed(wrapped.Closer)
	case *inFile:
		return linkMissed(wrapped.Closer)
	}
	known, ok := l.(link.Link)
	if !ok {
		return 0
	}
	info, err := known.Info()
	if err != nil {
		return 0
	}
	if multi := info.KprobeMulti(); multi != nil {
		return multi.Missed
	}
	if perf := info.PerfEvent(); perf != nil && perf.Kprobe() != nil {
		return perf.Kprobe().Missed
	}
	return 0
}
