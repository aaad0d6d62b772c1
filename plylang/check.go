package plylang

import (
	"errors"
	"fmt"
)

// How a script is checked
//
// Check works on copies: every probe becomes a Clause for each group of places
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
// Clauses, Maps and Warnings. Its error is an ErrorList with all that is
// wrong, in order.
func Check(script *Script, env Env) error {
	c := &checker{
		script:   script,
		env:      env,
		stored:   map[string]Pos{},
		assigned: map[string]Pos{},
		maps:     map[string]*mapState{},
		params:   map[Expr]bool{},
		reported: map[Error]bool{},
	}
	c.gatherNames()
	c.makeClauses()
	c.surveyMaps()
	c.checkFlow()
	c.solve()
	c.finish()
	c.errs.Sort()
	if c.more {
		c.errs.Add(script.Src, Pos(len(script.Src.Text)), "more than %d errors: the others are not shown", maxErrors)
	}
	c.warnings.Sort()
	script.Warnings = append(script.Warnings, c.warnings...)
	script.Warnings.Sort()
	return c.errs.Err()
}

// A checker is one run of Check.
type checker struct {
	script   *Script
	env      Env
	errs     ErrorList
	warnings ErrorList
	reported map[Error]bool // what is in errs
	more     bool           // than are in errs

	stored   map[string]Pos // maps that something is stored in, and where first
	assigned map[string]Pos // locals of any probe, and where first assigned
	clauses  []*clause
	maps     map[string]*mapState
	order    []*mapState   // by first appearance
	params   map[Expr]bool // literals that stand for $1 and its kin

	cells     []*cell // of maps and locals
	unsettled []*cell // did not come to rest

	// consts are the constants among the expressions typed in this round.
	consts map[Expr]uint64

	assumeZero    bool // what nothing is known of holds zero
	literalSigned bool // maps and locals of literals only are signed
}

// A clause is a Clause while it is checked.
type clause struct {
	*checker
	*Clause
	known  bool // the scope is known
	locals map[string]*localState
}

// A localState is a Local while it is checked.
type localState struct {
	*Local
	cell *cell
}

// errorf reports an error, once for all clauses of a probe. Past the first
// hundred nobody reads on.
func (c *checker) errorf(pos Pos, format string, args ...any) {
	e := Error{Src: c.script.Src, Pos: pos, Msg: fmt.Sprintf(format, args...)}
	switch {
	case c.reported[e]:
	case c.full():
		c.more = true
	default:
		c.reported[e] = true
		c.errs = append(c.errs, &e)
	}
}

// full says whether there are as many errors as are shown.
func (c *checker) full() bool { return len(c.errs) >= maxErrors }

// truncate forgets all errors but the first n.
func (c *checker) truncate(n int) {
	for _, e := range c.errs[n:] {
		delete(c.reported, *e)
	}
	c.errs = c.errs[:n]
	c.more = c.more && c.full()
}

// didYouMean is DidYouMean as long as there is a message to put it into.
func (c *checker) didYouMean(name string, candidates func() []string) string {
	if c.full() {
		return ""
	}
	return DidYouMean(name, candidates())
}

func (c *checker) warnf(pos Pos, format string, args ...any) {
	c.warnings.Add(c.script.Src, pos, format, args...)
}

// place is how messages name another place of the script.
func (c *checker) place(pos Pos) string {
	if c.full() {
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
		c.errs = append(c.errs, list...)
	case errors.As(err, &one):
		c.errs = append(c.errs, one)
	default:
		c.errs = append(c.errs, &Error{
			Src:     c.script.Src,
			Pos:     spec.Pos,
			Msg:     err.Error(),
			Missing: errors.Is(err, ErrMissing),
		})
	}
}

// finish hands over what was found.
func (c *checker) finish() {
	c.reportUnsettled()
	c.script.Clauses, c.script.Maps = nil, nil
	for _, cl := range c.clauses {
		for _, l := range cl.Locals {
			l.Type = unliteral(cl.locals[l.Name].cell.now, S64)
		}
		if cl.known {
			c.script.Clauses = append(c.script.Clauses, cl.Clause)
		}
	}
	for _, m := range c.order {
		c.script.Maps = append(c.script.Maps, m.finish())
	}
}
