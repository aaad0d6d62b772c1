package exporter

import (
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// An Outcome says what becomes of a script on a kernel.
type Outcome struct {
	Script string
	State  State
	Detail string // why, unless all of it runs
}

// State is how much of a script a kernel can run.
type State string

// The states. A script in part lacks what it allows to be absent.
const (
	StateOK     State = "ok"
	StatePart   State = "in part"
	StateAbsent State = "absent"
	StateError  State = "error"
)

// Runs says whether a script in this state runs.
func (s State) Runs() bool { return s == StateOK || s == StatePart }

// Outcomes compiles every script, in the configuration's order.
func Outcomes(cfg *config.Config, b Backend) []Outcome {
	scripts, _ := compile(cfg, b)
	out := make([]Outcome, len(scripts))
	for i, s := range scripts {
		o := Outcome{Script: s.conf.Name, State: StateOK}
		switch {
		case s.mistaken:
			o.State, o.Detail = StateError, plylang.Detail(s.err)
		case s.err != nil:
			o.State, o.Detail = StateAbsent, plylang.Detail(s.err)
		case len(s.notes) > 0:
			o.State, o.Detail = StatePart, plylang.Detail(s.notes)
		}
		out[i] = o
	}
	return out
}
