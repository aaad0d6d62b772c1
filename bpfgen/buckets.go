package bpfgen

import (
	"math"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// A histogram is Buckets with the code that finds the bucket of a number.
type histogram interface {
	Buckets

	// emit leaves in R0 the index of the bucket of the number in R1. unsigned
	// says that its 64th bit is no sign.
	emit(g *gen, unsigned bool)
}

// maxBuckets is how many buckets a histogram may have.
const maxBuckets = 4096

// Log2 divides the numbers by powers of two, each cut into 2^Bits equal parts.
// Values below 2^(Bits+1) have a bucket each; but 0 and 1 share one when Bits
// is 0. The last bucket has no upper limit: it has unsigned numbers from 2^63 on
// too.
type Log2 struct{ Bits int }

func newLog2(args []plylang.Expr) (histogram, error) {
	if len(args) < 2 {
		return Log2{}, nil
	}
	bits, _ := plylang.ConstInt(args[1])
	if bits < 0 || bits > 4 {
		return nil, &plylang.ArgError{Arg: 1, Msg: "bits must be 0 to 4: every power of two is cut into 2^bits buckets"}
	}
	return Log2{int(bits)}, nil
}

// exact is the number of buckets before the first that a power is cut into.
func (h Log2) exact() int {
	if h.Bits == 0 {
		return 1
	}
	return 2 << h.Bits
}

// Len returns the number of buckets.
func (h Log2) Len() int { return 1 + h.exact() + (62-h.Bits)<<h.Bits }

// Range returns the limits of bucket i.
func (h Log2) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	n := i - 1
	switch {
	case i == 0:
		return 0, -1, false, true
	case h.Bits == 0 && n == 0:
		return 0, 1, true, true
	case n < h.exact():
		return int64(n), int64(n), true, true
	}
	n -= h.exact()
	power, part := h.Bits+1+n>>h.Bits, int64(n&(1<<h.Bits-1))
	if h.Bits == 0 {
		power, part = 1+n, 0
	}
	width := int64(1) << (power - h.Bits)
	lo = int64(1)<<power + part*width
	return lo, lo + (width - 1), true, i < h.Len()-1
}

func (h Log2) emit(g *gen, unsigned bool) {
	negative, end, parts := g.label(), g.label(), g.label()
	if !unsigned {
		g.jump(asm.JSLT, asm.R1, 0, negative)
	}
	if h.Bits > 0 {
		g.jump(asm.JGE, asm.R1, int32(h.exact()), parts)
		g.emit(asm.Mov.Reg(asm.R0, asm.R1), asm.Add.Imm(asm.R0, 1))
		g.goto_(end)
		g.bind(parts)
	}
	g.emit(asm.Mov.Reg(asm.R2, asm.R1))
	g.log2()
	h.emitPart(g, unsigned)
	if !unsigned {
		g.goto_(end)
		g.bind(negative)
		g.emit(asm.Mov.Imm(asm.R0, 0))
	}
	g.bind(end)
}

// emitPart turns the logarithm in R0 of the number in R2 into a bucket.
func (h Log2) emitPart(g *gen, unsigned bool) {
	if unsigned {
		fits := g.label()
		g.jump(asm.JLE, asm.R0, 62, fits)
		g.emit(asm.Mov.Imm(asm.R0, 62), asm.Mov.Imm(asm.R2, -1), asm.RSh.Imm(asm.R2, 1))
		g.bind(fits)
	}
	if h.Bits == 0 {
		g.emit(asm.Add.Imm(asm.R0, 1))
		return
	}
	g.emit(
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.Sub.Imm(asm.R1, int32(h.Bits)),
		asm.RSh.Reg(asm.R2, asm.R1), // 2^Bits + part
		asm.Sub.Imm(asm.R1, 1),
		asm.LSh.Imm(asm.R1, int32(h.Bits)),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Add.Imm(asm.R1, int32(1+h.exact()-1<<h.Bits)),
		asm.Mov.Reg(asm.R0, asm.R1),
	)
}

// log2 leaves in R0 the place of the highest bit of R1, and 0 when R1 is 0. R1
// and R3 are lost.
func (g *gen) log2() {
	g.emit(asm.Mov.Imm(asm.R0, 0))
	for shift := int32(32); shift > 0; shift /= 2 {
		low := g.label()
		g.emit(asm.Mov.Reg(asm.R3, asm.R1), asm.RSh.Imm(asm.R3, shift))
		g.jump(asm.JEq, asm.R3, 0, low)
		g.emit(asm.Add.Imm(asm.R0, shift), asm.Mov.Reg(asm.R1, asm.R3))
		g.bind(low)
	}
}

// Bounds divides the numbers from 0 on by ascending inclusive upper bounds.
// Bucket 0 holds the negative ones, bucket 1+i what is at most bounds[i] and
// more than the one before it, the last what is above all.
type Bounds []uint64

// Len returns the number of buckets.
func (b Bounds) Len() int { return len(b) + 2 }

// Range returns the limits of bucket i.
func (b Bounds) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	if i == 0 {
		return 0, -1, false, true
	}
	if i > 1 {
		lo = int64(b[i-2]) + 1
	}
	if i <= len(b) {
		return lo, int64(b[i-1]), true, true
	}
	return lo, 0, true, false
}

func (b Bounds) emit(g *gen, unsigned bool) { g.findBound(b, 1, 0, unsigned) }

// findBound leaves in R0 the index of the first bound that the number in R1
// does not exceed, plus first; for negative numbers it leaves negative.
func (g *gen) findBound(bounds []uint64, first, negative int, unsigned bool) {
	below, end := g.label(), g.label()
	if !unsigned {
		g.jump(asm.JSLT, asm.R1, 0, below)
	}
	g.compareTree(bounds, first, end)
	if !unsigned {
		g.bind(below)
		g.emit(asm.Mov.Imm(asm.R0, int32(negative)))
	}
	g.bind(end)
}

// compareTree is a binary search written out as code.
func (g *gen) compareTree(bounds []uint64, first int, end string) {
	if len(bounds) == 0 {
		g.emit(asm.Mov.Imm(asm.R0, int32(first)))
		g.goto_(end)
		return
	}
	mid, below := len(bounds)/2, g.label()
	if v := bounds[mid]; v <= math.MaxInt32 {
		g.jump(asm.JLE, asm.R1, int32(v), below)
	} else {
		g.imm(asm.R2, int64(v))
		g.jumpReg(asm.JLE, asm.R1, asm.R2, below)
	}
	g.compareTree(bounds[mid+1:], first+mid+1, end)
	g.bind(below)
	g.compareTree(bounds[:mid], first, end)
}

// Linear divides the numbers from Lo to Hi into steps. Bucket 0 holds what is
// below Lo, the last what is from Hi on.
type Linear struct{ Lo, Hi, Step int64 }

func newLinear(args []plylang.Expr) (histogram, error) {
	lo, hi, step := constantArg(args, 1), constantArg(args, 2), constantArg(args, 3)
	switch {
	case hi <= lo:
		return nil, &plylang.ArgError{Arg: 2, Msg: "the upper limit must be above the lower one"}
	case step <= 0:
		return nil, &plylang.ArgError{Arg: 3, Msg: "the step must be at least 1"}
	case uint64(hi-lo)/uint64(step) > maxBuckets-3:
		return nil, &plylang.ArgError{Arg: 3, Msg: "this makes more than 4096 buckets: use a larger step"}
	}
	return Linear{lo, hi, step}, nil
}

func constantArg(args []plylang.Expr, i int) int64 {
	if i >= len(args) {
		return 0
	}
	v, _ := plylang.ConstInt(args[i])
	return v
}

// steps is the number of buckets between Lo and Hi.
func (h Linear) steps() int { return int((uint64(h.Hi-h.Lo)-1)/uint64(h.Step) + 1) }

// Len returns the number of buckets.
func (h Linear) Len() int { return h.steps() + 2 }

// Range returns the limits of bucket i.
func (h Linear) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	switch {
	case i == 0:
		return 0, h.Lo - 1, false, true
	case i > h.steps():
		return h.Hi, 0, true, false
	}
	lo = h.Lo + int64(i-1)*h.Step
	width := min(uint64(h.Step), uint64(h.Hi-lo))
	return lo, lo + int64(width-1), true, true
}

func (h Linear) emit(g *gen, unsigned bool) {
	below, above, end := g.label(), g.label(), g.label()
	g.imm(asm.R2, h.Lo)
	if unsigned {
		g.jump(asm.JSLT, asm.R1, 0, above)
	}
	g.jumpReg(asm.JSLT, asm.R1, asm.R2, below)
	g.imm(asm.R3, h.Hi)
	g.jumpReg(asm.JSGE, asm.R1, asm.R3, above)
	g.imm(asm.R3, h.Step)
	g.emit(
		asm.Sub.Reg(asm.R1, asm.R2),
		asm.Div.Reg(asm.R1, asm.R3),
		asm.Add.Imm(asm.R1, 1),
		asm.Mov.Reg(asm.R0, asm.R1),
	)
	g.goto_(end)
	g.bind(below)
	g.emit(asm.Mov.Imm(asm.R0, 0))
	g.goto_(end)
	g.bind(above)
	g.emit(asm.Mov.Imm(asm.R0, int32(h.steps()+1)))
	g.bind(end)
}

// LogLinear divides the numbers at ascending starts: bucket 0 holds what is
// below the first, bucket i what is from start i-1 to before start i, the last
// what is from the last one on.
type LogLinear []uint64

func newLogLinear(args []plylang.Expr) (histogram, error) {
	factor, lo := constantArg(args, 1), constantArg(args, 2)
	hi, steps := constantArg(args, 3), constantArg(args, 4)
	switch {
	case factor < 2:
		return nil, &plylang.ArgError{Arg: 1, Msg: "the factor must be at least 2"}
	case lo < 0 || hi < lo:
		return nil, &plylang.ArgError{Arg: 3, Msg: "the magnitudes must be ascending and not negative"}
	case steps < factor || steps%factor != 0:
		return nil, &plylang.ArgError{Arg: 4, Msg: "the number of steps must be a multiple of the factor"}
	}
	return logLinear(factor, lo, hi, steps)
}

func logLinear(factor, lo, hi, steps int64) (histogram, error) {
	start := int64(1)
	var starts LogLinear
	for m := int64(0); m <= hi; m++ {
		if start > math.MaxInt64/factor {
			return nil, &plylang.ArgError{Arg: 3, Msg: "the largest magnitude does not fit 64 bits: use a smaller one"}
		}
		next := start * factor
		width := max(next/steps, 1)
		if m >= lo && (next-start)/width > int64(maxBuckets-2-len(starts)) {
			return nil, &plylang.ArgError{Arg: 4, Msg: "this makes more than 4096 buckets: use fewer steps"}
		}
		for v := start; m >= lo && v < next; v += min(width, next-v) {
			starts = append(starts, uint64(v))
		}
		start = next
	}
	return append(starts, uint64(start)), nil
}

// Len returns the number of buckets.
func (h LogLinear) Len() int { return len(h) + 1 }

// Range returns the limits of bucket i.
func (h LogLinear) Range(i int) (lo, hi int64, hasLo, hasHi bool) {
	if hasLo = i > 0; hasLo {
		lo = int64(h[i-1])
	}
	if hasHi = i < len(h); hasHi {
		hi = int64(h[i]) - 1
	}
	return lo, hi, hasLo, hasHi
}

func (h LogLinear) emit(g *gen, unsigned bool) {
	uppers := make([]uint64, len(h))
	for i, start := range h {
		uppers[i] = start - 1
	}
	g.findBound(uppers, 0, 0, unsigned)
}
