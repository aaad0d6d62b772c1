package ctype

import (
	"fmt"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/plylang"
)

// declaredFields are the members of a struct, a union or a class; those of its nameless
// members, of the classes that it extends, and of the structs that it embeds in Go count as
// its own.
type declaredFields struct{ *elf.Declared }

// Name names the struct for messages.
func (f *declaredFields) Name() string { return f.String() }

// A holder is a struct whose members count as those of another that it is a part of.
type holder struct {
	of       *elf.Declared
	at       int64  // in bits
	path     string // to it, as a script writes it: "" for the struct itself
	indirect bool   // it is behind a pointer, which Go embeds too
	twice    bool   // there are several of it in the other one
}

// member is a member of the struct by name, with what holds it. What lies less deep comes
// first. Several at one depth are none that Go finds, since they have names by which the
// holder can be told; of C++'s, which have none, it is the first.
func (f *declaredFields) member(name string) (in holder, m elf.Member, found int) {
	level, seen := []holder{{of: f.Declared}}, map[*elf.Declared]bool{f.Declared: true}
	for depth := 0; depth < deepest && len(level) > 0 && found == 0; depth++ {
		for _, h := range level {
			for _, own := range h.of.Members() {
				if own.Name != name {
					continue
				}
				if found++; found == 1 {
					in, m = h, own
				}
			}
		}
		level = below(level, seen)
	}
	if in.twice {
		found++
	}
	return in, m, found
}

// below are the structs whose members count as those of some others, each once, and none
// that was seen before.
func below(level []holder, seen map[*elf.Declared]bool) (next []holder) {
	at := map[*elf.Declared]int{}
	for _, h := range level {
		for _, m := range h.of.Members() {
			inner := holder{of: m.Type, at: h.at + m.Offset, path: h.path + m.Name + ".", indirect: h.indirect}
			if m.Name == "" {
				inner.path = h.path
			}
			if m.Embedded && m.Type.Kind == elf.DeclaredPointer {
				inner.of, inner.path, inner.indirect = m.Type.Elem(), h.path+m.Name+"->", true
			}
			switch i, known := at[inner.of]; {
			case m.Name != "" && !m.Embedded, inner.of == nil, inner.of.Kind != elf.DeclaredStruct, seen[inner.of]:
			case known:
				next[i].twice = true
			default:
				inner.twice = h.twice
				at[inner.of], next = len(next), append(next, inner)
			}
		}
	}
	for _, h := range next {
		seen[h.of] = true
	}
	return next
}

// Member returns a member by name.
func (f *declaredFields) Member(name string) (plylang.Field, bool) {
	in, m, found := f.member(name)
	if found == 0 || in.indirect || found > 1 && in.path != "" {
		return plylang.Field{}, false
	}
	return declaredField(m, in.at+m.Offset)
}

// Names lists the members in order of declaration.
func (f *declaredFields) Names() []string {
	return declaredNames(f.Declared, map[*elf.Declared]bool{})
}

func declaredNames(d *elf.Declared, seen map[*elf.Declared]bool) (names []string) {
	if seen[d] {
		return nil
	}
	seen[d] = true
	for _, m := range d.Members() {
		if m.Name == "" {
			names = append(names, declaredNames(m.Type, seen)...)
			continue
		}
		names = append(names, m.Name)
	}
	return names
}

// Refused says why a member cannot be had that is there; "" for any other.
func (f *declaredFields) Refused(name string) string {
	if f.IsOpaque() {
		return fmt.Sprintf("the members of %s are not known where the function is: its debug information only says that there is such a type", f)
	}
	in, m, found := f.member(name)
	switch elsewhere := f.Elsewhere(); {
	case found == 0 && elsewhere != nil:
		return fmt.Sprintf("%s has no member %q, but others that are %v", f, name, elsewhere)
	case found == 0:
		return ""
	case found > 1 && in.path != "":
		return fmt.Sprintf("%s embeds several structs with a member %q: write which one, such as %s%s", f, name, in.path, name)
	case in.indirect:
		return fmt.Sprintf("%s of %s is behind a pointer: write %s%s", name, f, in.path, name)
	case m.Bits != 0 && OfProgram(m.Type).Integer():
		return fmt.Sprintf("%s of %s is a bit field that lies in two of its numbers (%s), which is not read", name, f, m.Type)
	}
	return fmt.Sprintf("%s of %s is %s", name, f, NoValue(m.Type))
}
