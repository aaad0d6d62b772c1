package plylang

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A probe may have many functions, each of which has its own arguments. That
// some of them do not have what the probe names is said once, with all names.

// Shared is implemented by the Fields that several functions have in common:
// Functions names them.
type Shared interface {
	Functions() []string
}

// A missingMember is a member that functions do not have.
type missingMember struct {
	functions string // separated by blanks; "" when the error is of another kind
	name      string
	hint      string // a suggestion
	only      string // a suggestion where there is one function
}

// newMissingMember is the error that fields have no such member.
func newMissingMember(src *Source, pos Pos, fields Fields, member, hint string) *Error {
	only := cmp.Or(hint, members(fields))
	e := newError(src, pos, "%s has no member %q%s", fields.Name(), member, only)
	shared, ok := fields.(Shared)
	if !ok {
		return e
	}
	if names := strings.Join(shared.Functions(), " "); names != "" {
		e.member = missingMember{names, member, hint, only}
		e.Msg = e.member.message()
	}
	return e
}

// whereMember suggests what to write instead of a member that fields do not have.
func (c *clause) whereMember(fields Fields, member string) string {
	if _, its := c.fields(); its == fields {
		if keep := c.keptAtEntry(member); keep != "" {
			return keep
		}
	}
	return c.nearMember(fields, member)
}

// nearMember suggests members like one that fields do not have.
func (c *clause) nearMember(fields Fields, member string) string {
	if c.errs.full() {
		return ""
	}
	return innerMembers(fields, member, c.didYouMean(member, fields.Names))
}

// innerMembers suggests members of structs that are members themselves, as skc_dport of
// struct sock is in __sk_common: the very one, or those whose names are near.
func innerMembers(fields Fields, member, hint string) string {
	var all []string
	within := map[string]string{}
	for _, name := range fields.Names() {
		outer, ok := fields.Member(name)
		if !ok || outer.Type == nil || outer.Type.Kind != Struct || outer.Type.Struct == nil {
			continue
		}
		for _, inner := range outer.Type.Struct.Names() {
			if within[inner] == "" {
				within[inner] = name + "." + inner
				all = append(all, inner)
			}
		}
	}
	if within[member] != "" {
		return didYouMean([]string{within[member]})
	}
	if hint != "" {
		return hint
	}
	near := nearest(member, all)
	for i, name := range near {
		near[i] = within[name]
	}
	return didYouMean(near)
}

// maxMembers is how many members a message lists.
const maxMembers = 12

// members is the end of a message about a member that fields do not have, and
// nothing like it; "" where there are too many to list. What all tracepoints have says
// nothing of one.
func members(fields Fields) string {
	names := slices.DeleteFunc(slices.Clone(fields.Names()), func(name string) bool { return strings.HasPrefix(name, "common_") })
	if len(names) == 0 || len(names) > maxMembers {
		return ""
	}
	return "; it has " + strings.Join(names, ", ")
}

// message says which functions do not have the member.
func (m missingMember) message() string {
	names := strings.Fields(m.functions)
	if len(names) == 1 {
		return clip(fmt.Sprintf("function %s has no member %q%s", names[0], m.name, m.only))
	}
	return clip(fmt.Sprintf("functions %s have no member %q%s: give them a probe of their own", someOf(names), m.name, m.hint))
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

// joinMissingMembers makes one error of those that say at one position that
// functions do not have the same member.
func (l ErrorList) joinMissingMembers() ErrorList {
	type use struct {
		pos    Pos
		member string
	}
	first := map[use]*Error{}
	var out ErrorList
	for _, e := range l {
		at := use{e.Pos, e.member.name}
		if e.member.functions == "" || first[at] == nil {
			first[at] = e
			out = append(out, e)
			continue
		}
		all := &first[at].member
		all.functions += " " + e.member.functions
		if all.hint == "" {
			all.hint = e.member.hint
		}
		first[at].Msg = all.message()
	}
	return out
}
