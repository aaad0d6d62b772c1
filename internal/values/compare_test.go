package values

import (
	"cmp"
	"testing"
)

// A comparison is of a metric with what somebody else says of the same.
type comparison struct {
	ours   metric
	source string // such as "pgmajfault of /proc/vmstat"
	theirs func(t *testing.T) float64

	// slack is by how much the two may differ although both are right, for
	// example because one counts the beginning and the other the end. It is 0
	// where they are equal.
	slack float64

	// part is which part of what the source adds the metric has at least, where
	// the source also counts what is around it; all, if it is 0.
	part float64

	// least is how much the work adds at least, 1 if it is 0: nothing shows
	// nothing.
	least float64
}

// compare lets work happen and compares what it adds to each metric with what it
// adds to the source. The machine does other things beside it, so each side is
// read twice:
//
//	theirs, ours, theirs, work, theirs, ours, theirs
//
// What is added to ours must lie between what is added to theirs from the second
// reading to the third, and from the first to the last. Where nobody but the work
// adds anything, these are the same, and so the metric is exact.
func compare(t *testing.T, s *server, work func(), list ...comparison) {
	t.Helper()
	first := readAll(t, list)
	before := s.scrape(t)
	second := readAll(t, list)
	work()
	third := readAll(t, list)
	after := s.scrape(t)
	last := readAll(t, list)
	for i, c := range list {
		got := c.ours.of(after) - c.ours.of(before)
		c.judge(t, got, third[i]-second[i], last[i]-first[i])
	}
}

func readAll(t *testing.T, list []comparison) []float64 {
	t.Helper()
	all := make([]float64, len(list))
	for i, c := range list {
		all[i] = c.theirs(t)
	}
	return all
}

func (c comparison) judge(t *testing.T, got, low, high float64) {
	t.Helper()
	if c.part > 0 {
		low *= c.part
	}
	if least := cmp.Or(c.least, 1); low < least && c.slack == 0 || high < least {
		t.Errorf("%s: the work adds %v to %v to it, want %v", c.source, low, high, least)
	}
	if got < low-c.slack || got > high+c.slack {
		t.Errorf("%v: %v more, but %s: %v to %v more, give or take %v", c.ours, got, c.source, low, high, c.slack)
		return
	}
	t.Logf("%v: %v more; %s: %v to %v, give or take %v", c.ours, got, c.source, low, high, c.slack)
}

// A ledger counts what the work of a test itself does.
type ledger map[string]float64

// of returns an entry as a source.
func (l ledger) of(entry string) func(*testing.T) float64 {
	return func(*testing.T) float64 { return l[entry] }
}
