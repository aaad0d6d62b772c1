package ctype

import (
	"fmt"
	"strings"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/plylang"
)

// deepest is how many pointers and arrays lie around a struct or a number at most.
const deepest = 32

// largest is how many bytes a value has at most.
const largest = 1 << 30

// OfProgram turns a type that a program's debug information declares into one of the
// language; VoidT where there is none, as for a number with a point. What it points to is
// memory of the process. Structs are read when somebody asks for a member.
func OfProgram(d *elf.Declared) *plylang.Type { return declared(d, 0) }

func declared(d *elf.Declared, depth int) *plylang.Type {
	if d == nil || depth == deepest || d.Size > largest {
		return plylang.VoidT
	}
	switch d.Kind {
	case elf.DeclaredInteger:
		if d.Size >= 1 {
			return fromUser(Number(int(d.Size), d.Signed))
		}
	case elf.DeclaredBool:
		if d.Size == 1 {
			return boolean
		}
	case elf.DeclaredEnum:
		return declaredEnum(d)
	case elf.DeclaredPointer:
		return pointerTo(declared(d.Elem(), depth+1), true)
	case elf.DeclaredArray:
		return declaredArray(d, depth)
	case elf.DeclaredStruct:
		if d.Size >= 0 {
			return &plylang.Type{Kind: plylang.Struct, Size: int(d.Size), Struct: &declaredFields{d}}
		}
		return &plylang.Type{Kind: plylang.Struct, Struct: &declaredFields{d}}
	}
	return plylang.VoidT
}

func declaredEnum(d *elf.Declared) *plylang.Type {
	n := Number(int(max(d.Size, 0)), d.Signed)
	if n.Kind != plylang.Int {
		return plylang.VoidT
	}
	names := &plylang.Enumeration{Name: d.Name}
	for _, e := range d.Enumerators() {
		names.Values = append(names.Values, plylang.Enumerator{Name: e.Name, Value: e.Value})
	}
	return plylang.NamedType(n.Size, n.Signed, names)
}

func declaredArray(d *elf.Declared, depth int) *plylang.Type {
	of, n := d.Elem(), d.Len()
	elem := declared(of, depth+1)
	switch {
	case elem.Size <= 0 || n > largest/int64(elem.Size):
		return plylang.VoidT
	case of.Name == "char" && elem.Size == 1 && n > 0:
		return plylang.StringType(int(n))
	}
	return &plylang.Type{Kind: plylang.Array, Size: int(n) * elem.Size, Len: int(n), Elem: elem}
}

// declaredField is a member at a bit of its struct; false for one of a type that the
// language does not have.
func declaredField(m elf.Member, at int64) (plylang.Field, bool) {
	f := plylang.Field{Name: m.Name, Type: OfProgram(m.Type), Offset: int(at / 8)}
	switch {
	case f.Type == plylang.VoidT:
		return f, false
	case m.Bits == 0:
		return f, at%8 == 0
	case !f.Type.Integer():
		return f, false
	}
	unit := int64(8 * f.Type.Size)
	f.Offset = int(at / unit * unit / 8)
	f.BitOffset, f.BitSize = int(at%unit), int(m.Bits)
	return f, at%unit+m.Bits <= unit
}

// NoValue says of a type what it is that the language has no value of.
func NoValue(d *elf.Declared) string {
	if d != nil && d.Kind == elf.DeclaredFloat {
		return "a floating-point number (" + d.String() + "), which has no type in the language"
	}
	if d == nil || d.String() == "" {
		return "of a type that is not known"
	}
	return "of the type " + d.String() + ", which is none of the language"
}

// ProgramKey is equal for types that a clause cannot tell apart, as Key is. A struct that
// is pointed to goes by its name and its members, since programs may have several of one
// name, and what these point to by names only.
func ProgramKey(d *elf.Declared) string {
	to, key := d, Key(OfProgram(d))
	for range deepest {
		if to != nil && (to.Kind == elf.DeclaredPointer || to.Kind == elf.DeclaredArray) {
			to = to.Elem()
		}
	}
	if to == nil || to.Kind != elf.DeclaredStruct {
		return key
	}
	var b strings.Builder
	fmt.Fprint(&b, key, to.Size)
	for _, m := range to.Members() {
		fmt.Fprint(&b, " ", m.Name, " ", m.Type, " ", m.Type.Size, " ", m.Offset, " ", m.Bits)
	}
	return b.String()
}
