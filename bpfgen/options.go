// Package bpfgen turns a checked script into eBPF: programs, maps and a plan
// of what to attach where. It makes no bpf(2) call: the same source and the
// same kernel facts give the same Object.
package bpfgen

import (
	"time"

	"ply-exporter/bpfgen/object"
)

// Options say what the script cannot.
type Options struct {
	// Run compiles for "run": exit() is allowed and histograms are counted
	// into ply's own half-open buckets.
	Run bool

	// PlainAttach attaches every specification in the way its provider's name
	// says, without looking for a cheaper one.
	PlainAttach bool

	// PID is that of the only process whose events count, in the PID namespace of this one;
	// 0: those of all.
	PID int

	// Sample lets programs look at a part of the events, which user space chooses
	// while they run. What they add stands for all.
	Sample bool

	// MaxEntries is the number of keys of a map that Maps does not mention;
	// 0 means 10240, and 1024 for histograms.
	MaxEntries int

	// Maps refines single maps, by their name with its sigil.
	Maps map[string]MapOptions
}

// MapOptions refine one map.
type MapOptions struct {
	MaxEntries int           // 0: the default
	Evict      bool          // forget the oldest key instead of refusing a new one
	Other      bool          // add up in one value what an aggregation has no room for, instead of refusing it
	Programs   bool          // only programs read it
	Expire     time.Duration // forget keys not updated for so long; 0: never; not of maps that the script clears

	// ExpireDefault says that Expire is for maps that it suits: not for those whose
	// keys are few.
	ExpireDefault bool

	Buckets object.Buckets // histograms: to count into instead of the aggregation's own; nil for those
}
