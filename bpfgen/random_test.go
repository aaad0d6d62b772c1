package bpfgen

import (
	"fmt"
	"math/rand"
	"testing"

	"ply-exporter/internal/need"
)

// TestRandomExpressions compares generated code with Go's own arithmetic.
func TestRandomExpressions(t *testing.T) {
	need.EachKernel(t)
	const programs, each = 6, 60
	for seed := range programs {
		r := &generator{rand.New(rand.NewSource(int64(seed)))}
		rows := make([]row, each)
		for i := range rows {
			x := r.expr(4)
			rows[i] = row{x.text, int64(x.value)}
		}
		runRows(t, variableCode(), rows)
	}
}

// A number is an expression with its value and whether its type is an
// unsigned one of 64 bits.
type number struct {
	text     string
	value    uint64
	unsigned bool
}

// operandValues are the variables of random expressions: those with an odd
// index are unsigned.
var operandValues = []uint64{
	0, 1, 7, 63, 64, 0xff, 0x8000, 0xffffffff, 0x80000000, 0x123456789abcdef, 1 << 62, 1<<63 - 1,
	1 << 63, 1<<63 + 1, ^uint64(0), ^uint64(6), ^uint64(0xff),
}

// variableCode stores the operands in maps, so that the verifier cannot know
// them; each use is a read, so that it does not learn from earlier uses either.
func variableCode() string {
	code := ""
	for i, v := range operandValues {
		if i%2 == 1 {
			code += fmt.Sprintf("@c%d = (u64)%d;\n", i, v)
		} else {
			code += fmt.Sprintf("@c%d = (s64)%d;\n", i, int64(v))
		}
	}
	return code
}

type generator struct{ *rand.Rand }

func (r *generator) variable() number {
	i := r.Intn(len(operandValues))
	return number{fmt.Sprintf("@c%d", i), operandValues[i], i%2 == 1}
}

func (r *generator) leaf() number {
	if r.Intn(3) > 0 {
		return r.variable()
	}
	v := []uint64{0, 1, 2, 10, 255, 1 << 31, 1<<32 - 1, 1 << 40}[r.Intn(8)]
	return number{fmt.Sprint(v), v, false}
}

func (r *generator) expr(depth int) number {
	if depth == 0 {
		return r.leaf()
	}
	switch n := r.Intn(20); {
	case n < 9:
		return r.arithmetic(depth)
	case n < 12:
		return r.comparison(depth)
	case n < 14:
		return r.logic(depth)
	case n < 16:
		return r.cast(depth)
	case n < 18:
		return r.unary(depth)
	}
	c, a, b := r.expr(depth-1), r.expr(depth-1), r.expr(depth-1)
	return number{fmt.Sprintf("(s64)(%s ? %s : %s)", c.text, a.text, b.text), choice(c.value != 0, a.value, b.value), false}
}

func choice(c bool, a, b uint64) uint64 {
	if c {
		return a
	}
	return b
}

func truthOf(c bool) uint64 { return choice(c, 1, 0) }

func (r *generator) arithmetic(depth int) number {
	op := []string{"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"}[r.Intn(10)]
	a, b := r.expr(depth-1), r.expr(depth-1)
	if op == "/" || op == "%" || op == "<<" || op == ">>" {
		b = r.variable() // a constant one may be an error
	}
	unsigned := a.unsigned || b.unsigned && op != "<<" && op != ">>"
	return number{fmt.Sprintf("(%s %s %s)", a.text, op, b.text), evaluate(op, a.value, b.value, unsigned), unsigned}
}

func evaluate(op string, a, b uint64, unsigned bool) uint64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "&":
		return a & b
	case "|":
		return a | b
	case "^":
		return a ^ b
	case "<<":
		return a << (b % 64)
	case ">>":
		if unsigned {
			return a >> (b % 64)
		}
		return uint64(int64(a) >> (b % 64))
	case "/":
		return quotient(a, b, unsigned)
	case "%":
		return a - quotient(a, b, unsigned)*b
	}
	panic(op)
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

func (r *generator) comparison(depth int) number {
	a, b := r.expr(depth-1), r.expr(depth-1)
	less, unsigned := int64(a.value) < int64(b.value), a.unsigned || b.unsigned
	if unsigned {
		less = a.value < b.value
	}
	equal := a.value == b.value
	ops := map[string]bool{"==": equal, "!=": !equal, "<": less, ">": !less && !equal, "<=": less || equal, ">=": !less}
	op := []string{"==", "!=", "<", ">", "<=", ">="}[r.Intn(6)]
	return number{fmt.Sprintf("(%s %s %s)", a.text, op, b.text), truthOf(ops[op]), false}
}

func (r *generator) logic(depth int) number {
	a, b := r.expr(depth-1), r.expr(depth-1)
	x, y := a.value != 0, b.value != 0
	ops := map[string]bool{"&&": x && y, "||": x || y, "^^": x != y}
	op := []string{"&&", "||", "^^"}[r.Intn(3)]
	return number{fmt.Sprintf("(%s %s %s)", a.text, op, b.text), truthOf(ops[op]), false}
}

func (r *generator) cast(depth int) number {
	a := r.expr(depth - 1)
	to := []string{"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"}[r.Intn(8)]
	values := map[string]uint64{
		"u8": uint64(uint8(a.value)), "s8": uint64(int8(a.value)), "u16": uint64(uint16(a.value)), "s16": uint64(int16(a.value)),
		"u32": uint64(uint32(a.value)), "s32": uint64(int32(a.value)), "u64": a.value, "s64": a.value,
	}
	return number{fmt.Sprintf("(%s)%s", to, a.text), values[to], to == "u64"}
}

func (r *generator) unary(depth int) number {
	a := r.expr(depth - 1)
	switch r.Intn(3) {
	case 0:
		return number{"(-" + a.text + ")", -a.value, a.unsigned}
	case 1:
		return number{"(~" + a.text + ")", ^a.value, a.unsigned}
	}
	return number{"(!" + a.text + ")", truthOf(a.value == 0), false}
}
