package exporter

import (
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A glob of many programs takes a line for each way of attaching.
func TestProgramLines(t *testing.T) {
	glob := []*plylang.Spec{{Provider: "tracepoint", Target: "irq:*"}}
	c := &compiled{object: &object.Object{Programs: []*object.Program{
		{Specs: glob, Attach: object.AttachRawTracepoint, Why: "nobody is preempted"},
		{Specs: glob, Attach: object.AttachTracepoint, Why: "through perf"},
		{Specs: glob, Attach: object.AttachRawTracepoint, Why: "nobody is preempted"},
	}}}
	want := "    tracepoint:irq:*: raw_tracepoint (nobody is preempted), 2 programs\n    tracepoint:irq:*: tracepoint (through perf)"
	if got := strings.Join(c.programLines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
