package plylang

import (
	"fmt"
	"strings"
)

// A probe may have many functions, each of which has its own arguments. That
// some of them lack what the probe names is said once, with all their names.

// Shared is implemented by the Fields that several functions have in common:
// Functions names them.
type Shared interface {
	Functions() []string
}

// A lack is a member that functions do not have.
type lack struct {
	functions string // separated by blanks; "" when the error is of another kind
	member    string
	hint      string // a suggestion
}

// newLack is the error that fields have no such member.
func newLack(src *Source, pos Pos, fields Fields, member, hint string) *Error {
	e := newError(src, pos, "%s has no member %q%s", fields.Name(), member, hint)
	shared, ok := fields.(Shared)
	if !ok {
		return e
	}
	if names := strings.Join(shared.Functions(), " "); names != "" {
		e.lack = lack{names, member, hint}
		e.Msg = e.lack.message()
	}
	return e
}

// message says which functions lack the member.
func (l lack) message() string {
	names := strings.Fields(l.functions)
	if len(names) == 1 {
		return clip(fmt.Sprintf("function %s has no member %q%s", names[0], l.member, l.hint))
	}
	return clip(fmt.Sprintf("functions %s have no member %q%s: give them a probe of their own", someOf(names), l.member, l.hint))
}

// someOf names the first few of several things.
func someOf(names []string) string {
	const most = 4
	last := names[len(names)-1]
	if more := len(names) - most; more > 0 {
		names, last = names[:most+1], fmt.Sprint(more, " more")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + last
}

// joinLacks makes one error of those that say at one place that functions lack
// the same member.
func (l ErrorList) joinLacks() ErrorList {
	type place struct {
		pos    Pos
		member string
	}
	first := map[place]*Error{}
	var out ErrorList
	for _, e := range l {
		at := place{e.Pos, e.lack.member}
		if e.lack.functions == "" || first[at] == nil {
			first[at] = e
			out = append(out, e)
			continue
		}
		all := &first[at].lack
		all.functions += " " + e.lack.functions
		if all.hint == "" {
			all.hint = e.lack.hint
		}
		first[at].Msg = all.message()
	}
	return out
}
