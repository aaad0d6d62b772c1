package plylang

import (
	"errors"
	"fmt"
)

// How a script is checked
//
// Check works on copies: every probe becomes a Clause for each group of sites
// that looks different to it. Names are resolved first, then it is known which
// maps there are and what feeds them, and last come the types.
//
// A map may be read before the probe that first stores in it, and a local may
// be computed from itself. So types are found in rounds: each round types all
// clauses with what the round before learnt of maps and locals, and joins
// anew what is stored in each. When nothing changes any more, what the last
// round complained about is what is wrong. A nil type is one that is not
// known, and nobody complains about it.

// Check resolves the names of a script and types it, in place: it fills
// Clauses, Maps and Warnings, which bpfgen.Compile reads.
//
//	err := plylang.Check(script, bpfgen.NewEnv(kernel, options, params))
//
// Its error is an ErrorList with all that is wrong, in order, the errors of
// Parse included; errors.Is(err, ErrMissing) says that nothing is wrong but that
// the kernel does not have what the script needs. Check itself needs no kernel:
// env says what there is, and may describe any, from Linux 5.10 on in bpfgen.
// A script is checked once; what it keeps belongs to that env.
func Check(script *Script, env Env) error {
	c := &checker{
		script:   script,
		env:      env,
		stored:   map[string]Pos{},
		assigned: map[string]Pos{},
		maps:     map[string]*mapState{},
		params:   map[Expr]bool{},
		probes:   map[string]bool{},
	}
	for _, e := range script.syntax {
		c.errs.add(e)
	}
	c.gatherNames()
	c.makeClauses()
	c.surveyMaps()
	c.checkFlow()
	c.solve()
	if len(c.errs.list) == 0 {
		c.checkNever()
		c.checkDoubts()
	}
	c.finish()
	for _, w := range script.Warnings { // of Parse
		c.warnings.add(w)
	}
	script.Warnings = c.warnings.sorted(script.Src, "warnings")
	return c.errs.sorted(script.Src, "errors").Err()
}

// A checker is one run of Check.
type checker struct {
	script   *Script
	env      Env
	errs     diagnostics
	warnings diagnostics
	notes    diagnostics

	stored   map[string]Pos // maps that something is stored in, and where first
	assigned map[string]Pos // locals of any probe, and where first assigned
	clauses  []*clause
	size     int // nodes of all clauses
	maps     map[string]*mapState
	order    []*mapState     // by first appearance
	probes   map[string]bool // whether there are those that exists() asks for
	params   map[Expr]bool   // literals that $1 and its kin were replaced by

	cells     []*cell // of maps and locals
	unsettled []*cell // did not come to rest

	assumeZero    bool // what nothing is known of holds zero
	literalSigned bool // maps and locals of literals only are signed
}

// A clause is a Clause while it is checked.
type clause struct {
	*checker
	*Clause
	known  bool  // the scope is known
	wanted *Type // whose names the constants are that are typed; nil: not said
	absent bool  // nothing of it runs here, see check_choice.go
	locals map[string]*localState
}

// A localState is a Local while it is checked.
type localState struct {
	*Local
	cell *cell
}

// errorf reports an error, once for all clauses of a probe.
func (c *checker) errorf(pos Pos, format string, args ...any) {
	c.errs.add(newError(c.script.Src, pos, format, args...))
}

// errorf reports an error, unless it is in what does not run here.
func (c *clause) errorf(pos Pos, format string, args ...any) {
	if !c.absent {
		c.checker.errorf(pos, format, args...)
	}
}

func (c *clause) warnf(pos Pos, format string, args ...any) {
	if !c.absent {
		c.checker.warnf(pos, format, args...)
	}
}

// didYouMean is DidYouMean as long as there is a message to put it into.
func (c *checker) didYouMean(name string, candidates func() []string) string {
	if c.errs.full() {
		return ""
	}
	return DidYouMean(name, candidates())
}

func (c *checker) warnf(pos Pos, format string, args ...any) {
	c.warnings.add(newError(c.script.Src, pos, format, args...))
}

// where is how messages name another position in the script.
func (c *checker) where(pos Pos) string {
	if c.errs.full() {
		return ""
	}
	line, col := c.script.Src.Position(pos)
	return fmt.Sprintf("%s:%d:%d", c.script.Src.Name(), line, col)
}

// scopesFailed reports what Env.Scopes says.
func (c *checker) scopesFailed(spec *Spec, err error) {
	var list ErrorList
	var one *Error
	switch {
	case errors.As(err, &list):
		for _, e := range list {
			c.errs.add(e)
		}
	case errors.As(err, &one):
		found := *one
		found.Src = c.script.Src
		c.errs.add(&found)
	default:
		e := newError(c.script.Src, spec.Pos, "%v", err)
		e.Missing, e.Later = errors.Is(err, ErrMissing), errors.Is(err, ErrLater)
		c.errs.add(e)
	}
}

// finish hands over what was found.
func (c *checker) finish() {
	c.reportUnsettled()
	c.script.Clauses, c.script.Maps, c.script.Absent = nil, nil, nil
	for _, cl := range c.clauses {
		cl.literals()
		for _, l := range cl.Locals {
			l.Type = unliteral(cl.locals[l.Name].cell.now, S64)
		}
		if cl.known {
			c.script.Clauses = append(c.script.Clauses, cl.Clause)
		}
	}
	for _, m := range c.order {
		if len(m.Uses) == 0 {
			c.script.Absent = append(c.script.Absent, m.Map)
		} else {
			c.script.Maps = append(c.script.Maps, m.finish())
		}
		if m.Agg != nil && !m.Stored {
			c.note(m.Pos, "%s is absent: nothing that runs on this kernel stores in it", m.Name)
		}
	}
	c.script.Notes = c.notes.sorted(c.script.Src, "notes")
}
