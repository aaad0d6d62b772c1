package property

import (
	"fmt"
	"math/bits"
	"strings"

	"ply-exporter/plylang"
)

func (e *evaluator) eval(x plylang.Expr) value {
	switch x := x.(type) {
	case *plylang.Number:
		return value{bits: x.Value, unsigned: x.Value>>63 == 1 && !strings.HasPrefix(x.Text, "-")}
	case *plylang.StringLit:
		return value{text: x.Value, isText: true}
	case *plylang.Name:
		return e.name(x)
	case *plylang.Member:
		return e.variable("data->" + x.Name)
	case *plylang.MapRef:
		return e.read(x)
	case *plylang.Unary:
		return unary(x.Op, e.eval(x.X))
	case *plylang.Binary:
		return e.binary(x)
	case *plylang.In:
		return e.in(x)
	case *plylang.Cond:
		return e.choose(x)
	case *plylang.Cast:
		return cast(x.To, e.eval(x.X).bits)
	case *plylang.Call:
		return e.call(x)
	default:
		panic(fmt.Sprintf("property: no expression %T", x))
	}
}

func (e *evaluator) name(x *plylang.Name) value {
	if x.Local != nil {
		return e.locals[x.Local].as(e.types.local(x.Local))
	}
	return e.variable(x.Name)
}

func (e *evaluator) variable(name string) value {
	v, ok := e.world[name]
	if !ok {
		panic("property: no variable " + name)
	}
	return v
}

func (e *evaluator) read(x *plylang.MapRef) value {
	if r := e.maps[x.Map][e.key(x)]; r != nil {
		return r.value
	}
	return value{}.as(e.types.value(x.Map))
}

func truth(b bool) value {
	if b {
		return value{bits: 1}
	}
	return value{}
}

func unary(op plylang.Token, v value) value {
	switch op {
	case plylang.NOT:
		return truth(!v.truth())
	case plylang.SUB:
		v.bits = -v.bits
	case plylang.TILDE:
		v.bits = ^v.bits
	default:
		panic(fmt.Sprintf("property: no unary %v", op))
	}
	return v
}

func (e *evaluator) binary(x *plylang.Binary) value {
	a := e.eval(x.X)
	if x.Op == plylang.LAND && !a.truth() {
		return truth(false)
	}
	if x.Op == plylang.LOR && a.truth() {
		return truth(true)
	}
	return compute(x.Op, a, e.eval(x.Y))
}

func (e *evaluator) in(x *plylang.In) value {
	a, found := e.eval(x.X), false
	for _, elem := range x.List {
		b := e.eval(elem)
		found = found || a.bits == b.bits && a.text == b.text
	}
	return truth(found)
}

func (e *evaluator) choose(x *plylang.Cond) value {
	if e.eval(x.X).truth() {
		return e.eval(x.Then).as(e.types.of(x))
	}
	return e.eval(x.Else).as(e.types.of(x))
}

// compute applies a binary operator to what is already evaluated.
func compute(op plylang.Token, a, b value) value {
	switch op {
	case plylang.LAND:
		return truth(a.truth() && b.truth())
	case plylang.LOR:
		return truth(a.truth() || b.truth())
	case plylang.LXOR:
		return truth(a.truth() != b.truth())
	case plylang.EQ:
		return truth(a.bits == b.bits && a.text == b.text)
	case plylang.NE:
		return truth(a.bits != b.bits || a.text != b.text)
	case plylang.SHL:
		return value{bits: a.bits << (b.bits % 64), unsigned: a.unsigned}
	case plylang.SHR:
		return shiftRight(a, b.bits%64)
	case plylang.LT, plylang.GT, plylang.LE, plylang.GE:
		return ordered(op, compare(a, b))
	}
	return value{bits: arithmetic(op, a, b), unsigned: a.unsigned || b.unsigned}
}

func shiftRight(a value, by uint64) value {
	if a.unsigned {
		return value{bits: a.bits >> by, unsigned: true}
	}
	return value{bits: uint64(int64(a.bits) >> by)}
}

// compare is negative, zero or positive as a is less than, equal to or greater
// than b.
func compare(a, b value) int {
	less := int64(a.bits) < int64(b.bits)
	if a.unsigned || b.unsigned {
		less = a.bits < b.bits
	}
	switch {
	case a.bits == b.bits:
		return 0
	case less:
		return -1
	}
	return 1
}

func ordered(op plylang.Token, c int) value {
	switch op {
	case plylang.LT:
		return truth(c < 0)
	case plylang.GT:
		return truth(c > 0)
	case plylang.LE:
		return truth(c <= 0)
	}
	return truth(c >= 0)
}

func arithmetic(op plylang.Token, a, b value) uint64 {
	switch op {
	case plylang.ADD:
		return a.bits + b.bits
	case plylang.SUB:
		return a.bits - b.bits
	case plylang.MUL:
		return a.bits * b.bits
	case plylang.AND:
		return a.bits & b.bits
	case plylang.OR:
		return a.bits | b.bits
	case plylang.XOR:
		return a.bits ^ b.bits
	case plylang.DIV:
		return quotient(a.bits, b.bits, a.unsigned || b.unsigned)
	case plylang.MOD:
		return a.bits - b.bits*quotient(a.bits, b.bits, a.unsigned || b.unsigned)
	default:
		panic(fmt.Sprintf("property: no operator %v", op))
	}
}

func quotient(a, b uint64, unsigned bool) uint64 {
	switch {
	case b == 0:
		return 0
	case unsigned:
		return a / b
	}
	return uint64(int64(a) / int64(b))
}

// cast cuts a number to a C type, and widens it by the type's sign.
func cast(to string, n uint64) value {
	switch to {
	case "u8", "uint8_t", "unsigned char":
		return value{bits: uint64(uint8(n))}
	case "s8", "char":
		return value{bits: uint64(int8(n))}
	case "u16", "unsigned short":
		return value{bits: uint64(uint16(n))}
	case "s16", "short", "int16_t":
		return value{bits: uint64(int16(n))}
	case "u32", "unsigned int":
		return value{bits: uint64(uint32(n))}
	case "s32", "int":
		return value{bits: uint64(int32(n))}
	case "s64", "long":
		return value{bits: n}
	case "u64", "unsigned long", "size_t":
		return value{bits: n, unsigned: true}
	default:
		panic("property: no cast to " + to)
	}
}

func (e *evaluator) call(x *plylang.Call) value {
	a := e.eval(x.Args[0])
	switch x.Name {
	case "abs":
		if !a.unsigned && int64(a.bits) < 0 {
			a.bits = -a.bits
		}
		return a
	case "log2":
		return log2(a)
	case "strlen":
		return value{bits: uint64(len(a.text))}
	case "sizeof":
		return sizeof(a)
	case "strcmp":
		return signed(strings.Compare(a.text, e.eval(x.Args[1]).text))
	case "strncmp":
		n := e.eval(x.Args[2]).bits
		return signed(strings.Compare(head(a.text, n), head(e.eval(x.Args[1]).text, n)))
	case "startswith":
		return truth(strings.HasPrefix(a.text, e.eval(x.Args[1]).text))
	default:
		panic("property: no function " + x.Name)
	}
}

func signed(n int) value { return value{bits: uint64(n)} }

func head(s string, n uint64) string { return s[:min(n, uint64(len(s)))] }

func log2(a value) value {
	if !a.unsigned && int64(a.bits) < 0 {
		return signed(-1)
	}
	return signed(max(0, bits.Len64(a.bits)-1))
}

// sizeof is that of a literal.
func sizeof(a value) value {
	if a.isText {
		return signed(len(a.text) + 1)
	}
	return signed(8)
}
