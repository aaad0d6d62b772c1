package elf

import (
	"errors"
	"fmt"
)

// Argument is an argument of a probe at all of its places.
type Argument struct {
	Type
	// Err says why the argument cannot be had anywhere, or has no type.
	Err error
}

// Arguments joins the arguments of a probe's places, which may differ: the
// compiler notes the type of the expression at each place. postgresql's
// lwlock:wait:start has 4 bytes without a sign at two places, and a constant
// with a sign at the third.
//
// The type is one that holds all of them. Variables decide; a constant, whose
// type is that of a literal, only counts where it would not fit. Integers with
// and without a sign are joined in one with a sign that holds both, as far as 8
// bytes go. Integers and floating-point numbers have no type in common, and
// what a place lacks, or hides, has no type from there.
func (p Probe) Arguments() []Argument {
	n := 0
	for _, place := range p.Places {
		n = max(n, len(place.Args))
	}
	all := make([]Argument, n)
	for i := range all {
		all[i] = p.argument(i)
	}
	return all
}

// argument joins the operands number i.
func (p Probe) argument(i int) Argument {
	var variables, constants []Operand
	var hidden error
	for _, place := range p.Places {
		switch {
		case i >= len(place.Args):
			hidden = fmt.Errorf("is missing at %#x", place.Address)
		case place.Args[i].Err != nil:
			hidden = fmt.Errorf("(%s at %#x) %w", place.Args[i].Text, place.Address, place.Args[i].Err)
		case place.Args[i].Kind == Constant:
			constants = append(constants, place.Args[i])
		default:
			variables = append(variables, place.Args[i])
		}
	}
	if len(variables) == 0 && len(constants) == 0 {
		return Argument{Err: hidden}
	}
	if len(variables) == 0 {
		variables = constants
	}
	t := variables[0].Type
	for _, o := range variables[1:] {
		if o.Float != t.Float {
			return Argument{Err: errors.New("is an integer at some places and a floating-point number at others")}
		}
		t = join(t, o.Type)
	}
	for _, o := range constants {
		if t.Float {
			return Argument{Err: errors.New("is a constant at some places and a floating-point number at others")}
		}
		if !t.holds(o) {
			t = join(t, o.Type)
		}
	}
	return Argument{Type: t}
}

// join returns the smallest type that holds the values of both, as far as 8
// bytes go.
func join(a, b Type) Type {
	if a.Signed == b.Signed {
		a.Size = max(a.Size, b.Size)
		return a
	}
	if a.Signed {
		a, b = b, a
	}
	return Type{Size: min(8, max(2*a.Size, b.Size)), Signed: true}
}

// holds says whether a constant can be had as this type.
func (t Type) holds(o Operand) bool {
	if t.Size == 8 {
		return t.Signed || o.Value >= 0 || !o.Signed
	}
	limit := int64(1) << (8 * t.Size)
	if t.Signed {
		return o.Value >= -limit/2 && o.Value < limit/2
	}
	return o.Value >= 0 && o.Value < limit
}
