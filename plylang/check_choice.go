package plylang

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What is absent
//
// A script may say what to do where a kernel lacks something: "a ? b" takes the
// first that there is, and "a ?" may have nothing. A probe that is nowhere then,
// and what exists() excludes (check_exists.go), is not compiled, and nothing is
// wrong with it. What it stores still tells the types of maps: an absent clause
// is typed with the others, in silence.

// A taken is what a choice came to.
type taken struct {
	spec   *Spec
	scopes []Scope // none where something is wrong, which was reported
	absent bool    // it may have nothing, and has
}

// choose takes the first specification of a choice that this kernel has.
func (c *checker) choose(choice *Choice, uses func(*Spec) Uses) taken {
	var lacks []error
	for i, spec := range choice.Specs {
		scopes, err := c.scopesOf(spec, uses(spec))
		switch {
		case err == nil:
			c.checkProviders(choice.Specs[i+1:])
			return taken{spec: spec, scopes: scopes}
		case !errors.Is(err, ErrMissing):
			c.scopesFailed(spec, err)
			return taken{spec: spec}
		}
		lacks = append(lacks, err)
	}
	if choice.Optional {
		c.note(choice.Specs[0].Pos, "%s is absent: %s", choice, reasons(choice, lacks))
		return taken{absent: true}
	}
	c.nothingOf(choice, lacks)
	return taken{}
}

// checkProviders finds the specifications of providers that there are nowhere:
// another kernel would come to them.
func (c *checker) checkProviders(specs []*Spec) {
	for _, spec := range specs {
		if p := meantProvider(spec.Provider); p != nil && p.Hint == "" || isWholeSpec(spec.Provider) {
			continue
		}
		if _, err := c.scopesOf(spec, Uses{}); err != nil && !errors.Is(err, ErrMissing) {
			c.scopesFailed(spec, err)
		}
	}
}

// nothingOf reports a choice of which nothing exists.
func (c *checker) nothingOf(choice *Choice, lacks []error) {
	first := choice.Specs[0]
	if len(choice.Specs) > 1 {
		e := newError(c.script.Src, first.Pos, `this kernel has nothing of %s: %s; with a "?" at the end the probe may be absent`, choice, reasons(choice, lacks))
		e.Missing, e.Later = true, slices.ContainsFunc(lacks, func(err error) bool { return errors.Is(err, ErrLater) })
		c.errs.add(e)
		return
	}
	err := lacks[0]
	switch one, other, ok := gluedAlternative(first); {
	case ok:
		err = missingAlso{err, fmt.Sprintf(`; the "?" is the glob's, between alternatives it has blanks around it: %s ? %s`, one, other)}
	case strings.HasSuffix(first.Target, "?"):
		err = missingAlso{err, `; the "?" is the glob's, a blank before it makes the probe one that may be absent`}
	}
	c.scopesFailed(first, err)
}

// gluedAlternative finds two specifications that were written as one glob:
// kprobe:a?kprobe:b.
func gluedAlternative(s *Spec) (one, other string, ok bool) {
	one, other, _ = strings.Cut(s.String(), "?")
	provider, _, hasTarget := strings.Cut(other, ":")
	return one, other, hasTarget && provider != "" && meantProvider(provider) != nil
}

// A missingAlso is an error with a hint.
type missingAlso struct {
	error
	hint string
}

func (e missingAlso) Error() string { return e.error.Error() + e.hint }
func (e missingAlso) Unwrap() error { return e.error }

// reasons says why each specification is missing, once where it is the same for
// all.
func reasons(choice *Choice, lacks []error) string {
	var parts []string
	same := true
	for i, err := range lacks {
		same = same && reason(err) == reason(lacks[0])
		parts = append(parts, fmt.Sprintf("%s: %s", choice.Specs[i], reason(err)))
	}
	if same {
		return reason(lacks[0])
	}
	return strings.Join(parts, "; ")
}

// reason is an error without its position.
func reason(err error) string {
	var one *Error
	if errors.As(err, &one) {
		return one.Msg
	}
	return err.Error()
}

// note says what is absent.
func (c *checker) note(pos Pos, format string, args ...any) {
	c.notes.add(newError(c.script.Src, pos, format, args...))
}

// addAbsent enters a probe that runs nowhere, or what of it does not run.
func (c *checker) addAbsent(p *Probe) {
	cl := c.newClause(p, p.Choices[0].Specs[0], unknownScope{})
	cl.absent = true
	cl.keepAll()
	cl.begin()
}
