package plylang

import (
	"cmp"
	"fmt"
	"strings"
)

// Joining types
//
// A map's value, each part of its key, and a local have one type, which must
// fit everything that is put there. It is the join of the types of all of it.

// zeroT is the type of the literal 0, which joins with everything that is a
// number: a duration may be set to 0, a pointer too.
var zeroT = &Type{Kind: Int, Size: 8, Signed: true, Literal: true}

// join returns the type that holds values of both a and b; nil is a type that
// is not known. ok is false when there is none.
func join(a, b *Type) (t *Type, ok bool) {
	switch {
	case a == nil:
		return widen(b), true
	case b == nil:
		return widen(a), true
	case a == zeroT && b.number():
		return widen(b), true
	case b == zeroT && a.number():
		return widen(a), true
	}
	if a.Kind == Pointer && b.Integer() || a.Integer() && b.Kind == Pointer {
		a, b = addressOf(a), addressOf(b)
	}
	a, b = oneEnum(a, b)
	display, ok := joinDisplays(a.Display, b.Display)
	if !ok || a.asInt().Kind != b.asInt().Kind || a.Unit != b.Unit {
		return nil, false
	}
	switch a.Kind {
	case Int, Enum, Bool:
		return joinInts(a, b, display), true
	case Pointer:
		return joinPointers(a, b, display), true
	case String:
		return widen(&Type{Kind: String, Size: max(a.Size, b.Size), Display: display}), true
	default:
		return a, a.Size == b.Size
	}
}

func joinDisplays(a, b *Display) (*Display, bool) {
	if a == nil {
		return b, true
	}
	return a, b == nil || a.Equal(b)
}

// joinInts makes 64 bits of both. They are unsigned only where every value
// that is not a literal is an unsigned 64-bit one; anything narrower fits a
// signed one. Values of one enum stay that, among literals too.
func joinInts(a, b *Type, display *Display) *Type {
	a, b = widen(a), widen(b)
	t := &Type{Kind: Int, Size: 8, Unit: a.Unit, Display: display, User: a.User || b.User, Net: joinNet(a, b)}
	switch {
	case a.Literal && b.Literal:
		return Literal
	case a.Literal:
		t.Signed = b.Signed
	case b.Literal:
		t.Signed = a.Signed
	default:
		t.Signed = a.Signed || b.Signed
	}
	if b.Literal || a.Kind == b.Kind && a.Enum.Equal(b.Enum) {
		t.Kind, t.Enum = a.Kind, a.Enum
	} else if a.Literal {
		t.Kind, t.Enum = b.Kind, b.Enum
	}
	return t
}

// joinNet is the byte order of values of two types. Literals have that of the
// others, since values are in host order.
func joinNet(a, b *Type) uint8 {
	switch {
	case a.Literal:
		return b.Net
	case b.Literal || a.Net == b.Net:
		return a.Net
	}
	return NetMixed
}

func joinPointers(a, b *Type, display *Display) *Type {
	t := *a
	t.Display, t.User = display, a.User || b.User
	if !same(a.Elem, b.Elem) {
		t.Elem = nil
	}
	return &t
}

// addressOf is a pointer as a plain number.
func addressOf(t *Type) *Type {
	if t.Kind != Pointer {
		return t
	}
	return &Type{Kind: Int, Size: 8, Display: t.Display, User: t.User}
}

// number says whether 0 is a value of t.
func (t *Type) number() bool { return t.Integer() || t.Kind == Pointer }

// widen is t as it is stored in a map or a local: integers have 64 bits there,
// and it does not matter any more where a string was read.
func widen(t *Type) *Type {
	switch {
	case t == nil:
		return nil
	case t.Integer() && t.Size < 8:
		return &Type{Kind: t.Kind, Size: 8, Signed: true, Unit: t.Unit, Enum: t.Enum, Display: t.Display, User: t.User, Net: t.Net}
	case t.Kind == String && (t.Dyn != NotDyn || t.User):
		return &Type{Kind: String, Size: t.Size, Display: t.Display}
	}
	return t
}

// unliteral is t, or as where all that is known of t is that literals fit.
func unliteral(t, as *Type) *Type {
	if t != nil && t.Literal {
		return as
	}
	return t
}

// same says whether two types mean the same. A bool means what the integer does,
// and so does an enum but for its display.
func same(a, b *Type) bool {
	if a == b || a == nil || b == nil {
		return a == b
	}
	if (a == zeroT) != (b == zeroT) || (a.Struct == nil) != (b.Struct == nil) ||
		a.Struct != nil && a.Struct.Name() != b.Struct.Name() {
		return false
	}
	x, y := *a.asInt(), *b.asInt()
	x.Elem, y.Elem, x.Struct, y.Struct, x.Display, y.Display = nil, nil, nil, nil, nil, nil
	return x == y && a.Display.Equal(b.Display) && same(a.Elem, b.Elem)
}

var unitNames = [...]string{Plain: "plain number", Duration: "duration", Timestamp: "timestamp"}

// describe says what a value of type t is, for messages.
func describe(t *Type) string {
	if d := t.Display; d != nil && d != DisplayTime {
		return cmp.Or(d.What, "a value shown as "+d.String())
	}
	switch t.Kind {
	case Int, Enum, Bool:
		return "a " + unitNames[t.Unit]
	case Pointer:
		return "a pointer"
	case Struct:
		return "a " + structName(t)
	case Array:
		return fmt.Sprintf("an array of %d bytes", t.Size)
	case String:
		return "a string"
	case Bytes:
		return fmt.Sprintf("%d bytes", t.Size)
	case Stack:
		return "a stack"
	default:
		return "nothing"
	}
}

// structName names a struct so that it is seen to be one: programs in Go and C++ have one
// that is called string.
func structName(t *Type) string {
	switch {
	case t.Struct == nil:
		return "struct"
	case !strings.Contains(t.Struct.Name(), " "):
		return "struct " + t.Struct.Name()
	}
	return t.Struct.Name()
}

// A cell is what types are joined in: a local, a map's value, or one part of
// a map's key.
type cell struct {
	name string
	now  *Type // found by the last round; what reading it gives
	next *Type // found by this round so far
	pos  Pos   // where the kind and unit of next come from
}

func (c *checker) newCell(format string, args ...any) *cell {
	v := &cell{name: fmt.Sprintf(format, args...)}
	c.cells = append(c.cells, v)
	return v
}

// read returns the type that reading v gives. Before anything is known of it,
// what this round has found so far must do.
func (c *checker) read(v *cell) *Type {
	switch {
	case v.now == nil && v.next != nil:
		return v.next
	case v.now == nil && c.assumeZero:
		return zeroT
	case c.literalSigned:
		return unliteral(v.now, S64)
	}
	return v.now
}

// put joins t into v.
func (c *checker) put(v *cell, t *Type, pos Pos) {
	if t == nil {
		return
	}
	joined, ok := join(v.next, t)
	if !ok {
		c.errorf(pos, "%s is %s here but %s at %s", v.name, describe(t), describe(v.next), c.where(v.pos))
		return
	}
	if v.next == nil || v.next == zeroT {
		v.pos = pos
	}
	v.next = joined
}
