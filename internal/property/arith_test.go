package property

import (
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

var expressions = flag.Int("expressions", 0, "random expressions to compute; 0 for the share of the kernel")

// perScript is how many expressions are packed in one script: few scripts are
// needed, and one of them is large.
const perScript = 250

// ownExpressions is how many this kernel is to compute: most are the machine's
// own, which is not emulated. With three guests they are 10,000.
func ownExpressions() int {
	switch {
	case *expressions != 0:
		return *expressions
	case need.InGuest():
		return 1000
	}
	return 7000
}

// TestExpressions compares what the kernel makes of expressions, written with
// no more parentheses than C needs, with what Go computes.
func TestExpressions(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	if need.InGuest() {
		frugal()
	}
	k := live.Kernel(t)
	compareExpressions(t, k, ownExpressions(), func(obj *object.Object) ([]string, error) { return observeLoaded(k, obj) })
}

// TestEvaluate does the same with the reference evaluator.
func TestEvaluate(t *testing.T) {
	compareExpressions(t, recorded(t), 1000, func(obj *object.Object) ([]string, error) {
		return evaluateBegin(obj.Script, here())
	})
}

func compareExpressions(t *testing.T, k *kernel.Kernel, n int, run func(*object.Object) ([]string, error)) {
	failed := 0
	for first := 0; first < n && failed < maxFailures; first += perScript {
		text, want := expressionScript(ownShare().seed<<32 + int64(first))
		obj, err := compile(k, text)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		got, err := run(obj)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		for line, x := range want {
			if !slices.Contains(got, line) {
				failed++
				t.Errorf("%s is not %#x", x.text, x.bits)
			}
		}
	}
}

// expressionScript returns a script that stores expressions in @r, and what is
// then in there.
func expressionScript(seed int64) (text string, want map[string]arith) {
	g := &arithGenerator{rand.New(rand.NewSource(seed))}
	want = map[string]arith{}
	text = "BEGIN {\n" + variables()
	for i := range perScript {
		x := g.expr(4)
		text += fmt.Sprintf("@r[%d] = %s;\n", i, x.text)
		want[fmt.Sprintf("@r[%#x] %#x", i, x.bits)] = x
	}
	return text + "}", want
}

// operandBits are the values of the variables: @s0 and on as signed numbers,
// @u0 and on as unsigned ones.
var operandBits = []uint64{
	0, 1, 2, 7, 10, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32,
	0x123456789abcdef, 1 << 62, 1<<63 - 1, 1 << 63, 1<<63 + 1, ^uint64(0), ^uint64(1), ^uint64(6), ^uint64(0x80000000),
}

// variables stores the operands in maps, so that neither the compiler nor the
// verifier knows them.
func variables() string {
	var b strings.Builder
	for i, v := range operandBits {
		fmt.Fprintf(&b, "@s%d = %d; @u%d = (u64)%d;\n", i, int64(v), i, v)
	}
	return b.String()
}

// An arith is an expression with its value. Its text is an operand of
// operators that bind less than prec, as C counts.
type arith struct {
	text     string
	prec     int
	bits     uint64
	unsigned bool
}

// inside is the text where an operand of at least that precedence stands.
func (x arith) inside(prec int) string {
	if x.prec < prec {
		return "(" + x.text + ")"
	}
	return x.text
}

const (
	precCond    = 1
	precUnary   = 13
	precPrimary = 14
)

type arithGenerator struct{ *rand.Rand }

// A binaryOp is a binary operator as Go computes it.
type binaryOp struct {
	text     string
	prec     int
	signed   func(a, b int64) int64
	unsigned func(a, b uint64) uint64 // nil: the same bits as signed
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var binaryOps = []binaryOp{
	{"||", 2, func(a, b int64) int64 { return bit(a != 0 || b != 0) }, nil},
	{"^^", 3, func(a, b int64) int64 { return bit((a != 0) != (b != 0)) }, nil},
	{"&&", 4, func(a, b int64) int64 { return bit(a != 0 && b != 0) }, nil},
	{"|", 5, func(a, b int64) int64 { return a | b }, nil},
	{"^", 6, func(a, b int64) int64 { return a ^ b }, nil},
	{"&", 7, func(a, b int64) int64 { return a & b }, nil},
	{"==", 8, func(a, b int64) int64 { return bit(a == b) }, nil},
	{"!=", 8, func(a, b int64) int64 { return bit(a != b) }, nil},
	{"<", 9, func(a, b int64) int64 { return bit(a < b) }, func(a, b uint64) uint64 { return uint64(bit(a < b)) }},
	{">", 9, func(a, b int64) int64 { return bit(a > b) }, func(a, b uint64) uint64 { return uint64(bit(a > b)) }},
	{"<=", 9, func(a, b int64) int64 { return bit(a <= b) }, func(a, b uint64) uint64 { return uint64(bit(a <= b)) }},
	{">=", 9, func(a, b int64) int64 { return bit(a >= b) }, func(a, b uint64) uint64 { return uint64(bit(a >= b)) }},
	{"<<", 10, func(a, b int64) int64 { return a << (b & 63) }, nil},
	{">>", 10, func(a, b int64) int64 { return a >> (b & 63) }, func(a, b uint64) uint64 { return a >> (b & 63) }},
	{"+", 11, func(a, b int64) int64 { return a + b }, nil},
	{"-", 11, func(a, b int64) int64 { return a - b }, nil},
	{"*", 12, func(a, b int64) int64 { return a * b }, nil},
	{"/", 12, divide[int64], divide[uint64]},
	{"%", 12, remainder[int64], remainder[uint64]},
}

func divide[T int64 | uint64](a, b T) T {
	if b == 0 {
		return 0
	}
	return a / b
}

func remainder[T int64 | uint64](a, b T) T {
	if b == 0 {
		return a
	}
	return a % b
}

func (g *arithGenerator) expr(depth int) arith {
	if depth == 0 {
		return g.leaf()
	}
	switch n := g.Intn(16); {
	case n < 10:
		return g.binary(depth)
	case n < 12:
		return g.unary(depth)
	case n < 14:
		return g.cast(depth)
	case n < 15:
		return g.cond(depth)
	}
	return g.leaf()
}

func (g *arithGenerator) leaf() arith {
	i := g.Intn(len(operandBits))
	v := operandBits[i]
	switch g.Intn(5) {
	case 0:
		return arith{fmt.Sprint(v), precPrimary, v, v>>63 == 1}
	case 1:
		return arith{fmt.Sprintf("%#x", v), precPrimary, v, v>>63 == 1}
	}
	return g.variable()
}

func (g *arithGenerator) variable() arith {
	i := g.Intn(len(operandBits))
	if g.Intn(2) == 0 {
		return arith{fmt.Sprintf("@s%d", i), precPrimary, operandBits[i], false}
	}
	return arith{fmt.Sprintf("@u%d", i), precPrimary, operandBits[i], true}
}

func (g *arithGenerator) binary(depth int) arith {
	op := binaryOps[g.Intn(len(binaryOps))]
	a, b := g.expr(depth-1), g.expr(depth-1)
	shift := op.prec == 10
	if shift || op.text == "/" || op.text == "%" {
		b = g.variable() // a constant one may be an error
	}
	x := arith{text: fmt.Sprintf("%s %s %s", a.inside(op.prec), op.text, b.inside(op.prec+1)), prec: op.prec}
	x.unsigned = a.unsigned || b.unsigned && !shift
	if x.unsigned && op.unsigned != nil {
		x.bits = op.unsigned(a.bits, b.bits)
	} else {
		x.bits = uint64(op.signed(int64(a.bits), int64(b.bits)))
	}
	x.unsigned = x.unsigned && (op.prec > 9 || op.prec >= 5 && op.prec <= 7)
	return x
}

func (g *arithGenerator) unary(depth int) arith {
	x := g.expr(depth - 1)
	operand := x.inside(precUnary)
	switch g.Intn(3) {
	case 0:
		if operand[0] == '-' || operand[0] <= '9' && operand[0] >= '0' {
			operand = "(" + operand + ")" // a minus before a number is the number's
		}
		return arith{"-" + operand, precUnary, -x.bits, x.unsigned}
	case 1:
		return arith{"~" + operand, precUnary, ^x.bits, x.unsigned}
	}
	return arith{"!" + operand, precUnary, uint64(bit(x.bits == 0)), false}
}

func (g *arithGenerator) cast(depth int) arith {
	to := casts[g.Intn(len(casts))]
	return castTo(to, g.expr(depth-1))
}

func castTo(to string, x arith) arith {
	v := cast(to, x.bits)
	return arith{fmt.Sprintf("(%s)%s", to, x.inside(precUnary)), precUnary, v.bits, v.unsigned}
}

func (g *arithGenerator) cond(depth int) arith {
	c, a, b := g.expr(depth-1), g.expr(depth-1), g.expr(depth-1)
	x := arith{prec: precCond, bits: b.bits}
	if c.bits != 0 {
		x.bits = a.bits
	}
	x.text = fmt.Sprintf("%s ? %s : %s", c.inside(precCond+1), a.inside(precCond), b.inside(precCond))
	return castTo([]string{"s64", "u64"}[g.Intn(2)], x) // the sign of a choice is another matter
}
