package main

import (
	"os"
	"strings"

	"ply-exporter/internal/need"
)

// facts are what a kernel and its machine let tests do. Those of guests are
// written down in the table of guests; those of this machine are looked up.
type facts struct {
	release     string
	root        bool
	bpf         bool // programs load
	kprobes     bool
	kprobeMulti bool
	guest       bool
}

func hostFacts() facts {
	return facts{
		release:     need.Release(),
		root:        os.Geteuid() == 0,
		bpf:         true,
		kprobes:     need.HasKprobes(),
		kprobeMulti: need.HasKprobeMulti(),
	}
}

func (f facts) String() string {
	var has []string
	for _, fact := range []struct {
		name string
		is   bool
	}{{"root", f.root}, {"kprobes", f.kprobes}, {"kprobe_multi", f.kprobeMulti}} {
		if fact.is {
			has = append(has, fact.name)
		} else {
			has = append(has, "no "+fact.name)
		}
	}
	return strings.Join(has, ", ")
}

// reasons are why a test may be skipped: a row's test goes by the words that
// package need uses, and applies says where the reason is a good one. A reason
// without a row is never a good one.
var reasons = []struct {
	prefix  string
	applies func(f facts, rest string) bool
	guests  bool // some guest kernel must run the test then
}{
	{"needs root", func(f facts, _ string) bool { return !f.root }, false},
	{"needs a kernel that loads BPF programs", func(f facts, _ string) bool { return !f.bpf }, false},
	{"needs a guest kernel", func(f facts, _ string) bool { return !f.guest }, true},
	{"needs kprobes", func(f facts, _ string) bool { return !f.kprobes }, true},
	{"needs kprobe_multi", func(f facts, _ string) bool { return !f.kprobeMulti }, true},
	{"needs 32-bit programs", func(f facts, _ string) bool { return !f.guest }, true},
	{"needs kernel ", func(f facts, rest string) bool { return need.Older(f.release, rest) }, true},
	{"needs the command ", func(f facts, _ string) bool { return f.guest || !f.root }, false},
}

// onlyInGuests tells whether a test that is skipped for a reason must run in a
// guest kernel.
func onlyInGuests(reason string) bool {
	for _, r := range reasons {
		if strings.HasPrefix(reason, r.prefix) {
			return r.guests
		}
	}
	return false
}

// skipAllowed tells whether a kernel with these facts excuses a skip.
func skipAllowed(f facts, reason string) bool {
	for _, r := range reasons {
		if rest, ok := strings.CutPrefix(reason, r.prefix); ok {
			return r.applies(f, rest)
		}
	}
	return false
}
