package property

import (
	"fmt"
	"strings"
)

// Shapes
//
// Some statements have a path for each constant that they can leave: a length, a
// bit that is set, a branch that is taken. The verifier follows all of them,
// unless the compiler makes it forget the constants. A shape is such statements,
// and a comparison and a histogram of what they left.

// shape writes one, with locals and maps of its own.
func (g *generator) shape() string {
	g.shapes++
	n := fmt.Sprintf("n%d", g.shapes)
	var s string
	switch g.Intn(5) {
	case 0:
		s = fmt.Sprintf("%s = strlen(%s) + strlen(%s)", n, g.text(1), g.text(1))
	case 1:
		s = fmt.Sprintf("%s = log2(%s) + log2(%s) + log2(%s)", n, g.numberLeaf(), g.numberLeaf(), g.numberLeaf())
	case 2:
		s = g.eachBit(n, 16, func(bit uint64) string { return fmt.Sprintf("%s |= %d", n, bit) })
	case 3:
		s = g.manyConstants(n)
	case 4:
		s = g.bitCounts(n)
	}
	s += fmt.Sprintf(";\n@m%d[%s > %d, %s %% 7 == %d] = quantize(%s)", g.shapes, n, g.Intn(40), n, g.Intn(7), n)
	return s
}

// eachBit does something for each of the lowest bits of a number that is set.
func (g *generator) eachBit(n string, bits int, do func(bit uint64) string) string {
	lines := []string{fmt.Sprintf("%sx = %s", n, g.numberLeaf())}
	for i := range bits {
		bit := uint64(1) << i
		lines = append(lines, fmt.Sprintf("if (%sx & %d) { %s; }", n, bit, do(bit)))
	}
	return strings.Join(lines, ";\n")
}

// manyConstants adds up locals that were assigned or not.
func (g *generator) manyConstants(n string) string {
	var locals []string
	s := g.eachBit(n, 20, func(uint64) string {
		locals = append(locals, fmt.Sprintf("%sv%d", n, len(locals)))
		return fmt.Sprintf("%s = %d", locals[len(locals)-1], g.Intn(1000))
	})
	return s + fmt.Sprintf(";\n%s = %s", n, strings.Join(locals, " + "))
}

// bitCounts compares how many bits of two numbers are set.
func (g *generator) bitCounts(n string) string {
	return fmt.Sprintf("%[1]sx = %[2]s;\n%[1]sy = %[3]s;\n"+
		"unroll (64) { if (%[1]sx & 1) { %[1]sa++; } %[1]sx >>= 1; if (%[1]sy & 1) { %[1]sb++; } %[1]sy >>= 1; };\n"+
		"%[1]s = %[1]sa > %[1]sb ? %[1]sa : %[1]sb + 64", n, g.numberLeaf(), g.numberLeaf())
}
