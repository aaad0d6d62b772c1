package plylang

import "math/bits"

// ConstInt returns the value of an expression that is the same always, as the
// language computes it. The expression must have been checked. A value that
// needs the 64th bit of an unsigned number comes out negative.
func ConstInt(x Expr) (int64, bool) {
	v, ok := constant(x)
	return int64(v), ok
}

// constant is ConstInt for the bits of the value. A literal that the code
// generator made was never checked.
func constant(x Expr) (uint64, bool) {
	if n, ok := x.(*Number); ok {
		return n.Value, true
	}
	return x.constant()
}

// fold computes a constant expression from its operands, which have been
// checked.
func fold(x Expr) (uint64, bool) {
	switch x := x.(type) {
	case *Number:
		return x.Value, true
	case *Name:
		if x.enumerator != nil {
			return uint64(x.enumerator.Value), true
		}
	case *Unary:
		v, ok := constant(x.X)
		return applyUnary(x.Op, v), ok && x.Op != MUL
	case *Binary:
		return foldBinary(x)
	case *In:
		return foldIn(x)
	case *Cond:
		return foldCond(x)
	case *Cast:
		v, ok := constant(x.X)
		if t := x.Type(); !t.Integer() {
			return 0, false
		}
		return foldOrder(truncate(v, x.Type()), x), ok
	case *Call:
		if x.Func != nil && x.Func.Fold != nil {
			return x.Func.Fold(x.Args)
		}
	}
	return 0, false
}

func foldBinary(x *Binary) (uint64, bool) {
	a, okA := constant(x.X)
	b, okB := constant(x.Y)
	switch {
	case x.Op == LAND && okA && a == 0:
		return 0, true
	case x.Op == LOR && okA && a != 0:
		return 1, true
	case !okA || !okB:
		return 0, false
	}
	return apply(x.Op, a, b, Unsigned(x.Op, x.X.Type(), x.Y.Type())), true
}

// foldIn knows where a number is one of the constants, or none.
func foldIn(x *In) (uint64, bool) {
	v, ok := constant(x.X)
	if !ok || x.Pattern != nil {
		return 0, false
	}
	for _, elem := range x.List {
		if w, ok := constant(elem); ok && v == w {
			return 1, true
		}
	}
	return 0, true
}

// foldOrder turns the bytes of a constant around that is cast to a type in network
// byte order.
func foldOrder(v uint64, x *Cast) uint64 {
	t := x.Type()
	if !x.Turns() {
		return v
	}
	return bits.ReverseBytes64(v) >> (64 - 8*t.Size)
}

// Turns says whether a cast takes a number as it lies in memory in network byte
// order: its value is then the number in host order.
func (x *Cast) Turns() bool {
	to, from := x.Type(), x.X.Type()
	return to.Integer() && int(to.Net) == to.Size && from.Net == 0
}

func foldCond(x *Cond) (uint64, bool) {
	v, ok := constant(x.X)
	switch {
	case !ok:
		return 0, false
	case v != 0:
		return constant(x.Then)
	}
	return constant(x.Else)
}

// truncate cuts v to the size of t and widens it again by the sign of t.
func truncate(v uint64, t *Type) uint64 {
	bits := 64 - 8*t.Size
	if bits <= 0 {
		return v
	}
	if t.Signed {
		return uint64(int64(v<<bits) >> bits)
	}
	return v << bits >> bits
}

func applyUnary(op Token, v uint64) uint64 {
	switch op {
	case SUB:
		return -v
	case TILDE:
		return ^v
	case NOT:
		return truthValue(v == 0)
	}
	return v
}

func truthValue(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// apply computes a op b as the language does it: in 64 bits, wrapping around,
// signed or unsigned; x / 0 is 0 and x % 0 is x, as BPF defines.
func apply(op Token, a, b uint64, unsigned bool) uint64 {
	if f := wrapping[op]; f != nil {
		return f(a, b)
	}
	if unsigned {
		return unsignedOps[op](a, b)
	}
	return signedOps[op](int64(a), int64(b))
}

// wrapping are the operators that do not care for the sign.
var wrapping = map[Token]func(a, b uint64) uint64{
	ADD:  func(a, b uint64) uint64 { return a + b },
	SUB:  func(a, b uint64) uint64 { return a - b },
	MUL:  func(a, b uint64) uint64 { return a * b },
	AND:  func(a, b uint64) uint64 { return a & b },
	OR:   func(a, b uint64) uint64 { return a | b },
	XOR:  func(a, b uint64) uint64 { return a ^ b },
	SHL:  func(a, b uint64) uint64 { return a << (b & 63) },
	EQ:   func(a, b uint64) uint64 { return truthValue(a == b) },
	NE:   func(a, b uint64) uint64 { return truthValue(a != b) },
	LAND: func(a, b uint64) uint64 { return truthValue(a != 0 && b != 0) },
	LOR:  func(a, b uint64) uint64 { return truthValue(a != 0 || b != 0) },
	LXOR: func(a, b uint64) uint64 { return truthValue((a != 0) != (b != 0)) },
}

var unsignedOps = map[Token]func(a, b uint64) uint64{
	SHR: func(a, b uint64) uint64 { return a >> (b & 63) },
	LT:  func(a, b uint64) uint64 { return truthValue(a < b) },
	GT:  func(a, b uint64) uint64 { return truthValue(a > b) },
	LE:  func(a, b uint64) uint64 { return truthValue(a <= b) },
	GE:  func(a, b uint64) uint64 { return truthValue(a >= b) },
	DIV: func(a, b uint64) uint64 {
		if b == 0 {
			return 0
		}
		return a / b
	},
	MOD: func(a, b uint64) uint64 {
		if b == 0 {
			return a
		}
		return a % b
	},
}

var signedOps = map[Token]func(a, b int64) uint64{
	SHR: func(a, b int64) uint64 { return uint64(a >> (b & 63)) },
	LT:  func(a, b int64) uint64 { return truthValue(a < b) },
	GT:  func(a, b int64) uint64 { return truthValue(a > b) },
	LE:  func(a, b int64) uint64 { return truthValue(a <= b) },
	GE:  func(a, b int64) uint64 { return truthValue(a >= b) },
	DIV: func(a, b int64) uint64 {
		if b == 0 {
			return 0
		}
		return uint64(a / b)
	},
	MOD: func(a, b int64) uint64 {
		if b == 0 {
			return uint64(a)
		}
		return uint64(a % b)
	},
}
