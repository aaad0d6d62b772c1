package bpfgen

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// bucket leaves in R0 the index of the bucket of the number in R1. unsigned says
// that its 64th bit is no sign.
func (g *gen) bucket(b object.Buckets, unsigned bool) {
	switch b := b.(type) {
	case object.Log2:
		g.log2Bucket(b, unsigned)
	case object.Bounds:
		below := b.Negative[:len(b.Negative)-1] // the last one needs no comparison
		g.findBound(below, b.Upper, len(b.Negative), unsigned)
	case *object.Exponential:
		g.exponentialBucket(b, unsigned)
	case object.Linear:
		g.linearBucket(b, unsigned)
	case object.LogLinear:
		g.logLinearBucket(b, unsigned)
	default:
		panic(fmt.Sprintf("bpfgen: no code for buckets %T", b))
	}
}

// maxBuckets is how many buckets a histogram may have.
const maxBuckets = 4096

func newLog2(args []plylang.Expr, unsigned bool) (object.Buckets, error) {
	if len(args) < 2 {
		return object.Log2{Unsigned: unsigned}, nil
	}
	bits, _ := plylang.ConstInt(args[1])
	if bits < 0 || bits > 4 {
		return nil, &plylang.ArgError{Arg: 1, Msg: "bits must be 0 to 4: every power of two is cut into 2^bits buckets"}
	}
	return object.Log2{Bits: int(bits), Unsigned: unsigned}, nil
}

func (g *gen) log2Bucket(h object.Log2, unsigned bool) {
	negative, end, parts := g.Label(), g.Label(), g.Label()
	if !unsigned {
		g.Jump(asm.JSLT, asm.R1, 0, negative)
	}
	if h.Bits > 0 {
		g.Jump(asm.JGE, asm.R1, int32(h.Exact()), parts)
		g.Emit(asm.Mov.Reg(asm.R0, asm.R1), asm.Add.Imm(asm.R0, 1))
		g.Goto(end)
		g.Bind(parts)
	}
	g.Emit(asm.Mov.Reg(asm.R2, asm.R1))
	g.log2()
	g.log2Part(h)
	if !unsigned {
		g.Goto(end)
		g.Bind(negative)
		g.Emit(asm.Mov.Imm(asm.R0, 0))
	}
	g.Bind(end)
}

// log2Part turns the logarithm in R0 of the number in R2 into a bucket.
func (g *gen) log2Part(h object.Log2) {
	if h.Bits == 0 {
		g.Emit(asm.Add.Imm(asm.R0, 1))
		return
	}
	g.Emit(
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.Sub.Imm(asm.R1, int32(h.Bits)),
		asm.RSh.Reg(asm.R2, asm.R1), // 2^Bits + part
		asm.Sub.Imm(asm.R1, 1),
		asm.LSh.Imm(asm.R1, int32(h.Bits)),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Add.Imm(asm.R1, int32(1+h.Exact()-1<<h.Bits)),
		asm.Mov.Reg(asm.R0, asm.R1),
	)
}

// log2 leaves in R0 the number of the highest bit of R1, and 0 when R1 is 0. R1
// and R3 are lost.
func (g *gen) log2() {
	g.Emit(asm.Mov.Imm(asm.R0, 0))
	for shift := int32(32); shift > 0; shift /= 2 {
		low := g.Label()
		g.Emit(asm.Mov.Reg(asm.R3, asm.R1), asm.RSh.Imm(asm.R3, shift))
		g.Jump(asm.JEq, asm.R3, 0, low)
		g.Emit(asm.Add.Imm(asm.R0, shift), asm.Mov.Reg(asm.R1, asm.R3))
		g.Bind(low)
	}
}

// findBound leaves in R0 the index of the bucket of the number in R1: of a negative
// one, that of the first of negative that it does not exceed, or the one after
// those; of others, first plus that of the first of upper.
func (g *gen) findBound(negative []int64, upper []uint64, first int, unsigned bool) {
	end, below := g.Label(), g.Label()
	if !unsigned {
		g.Jump(asm.JSLT, asm.R1, 0, below)
	}
	compareTree(g, upper, first, asm.JLE, end)
	if !unsigned {
		g.Bind(below)
		compareTree(g, negative, 0, asm.JSLE, end)
	}
	g.Bind(end)
}

// compareTree is a binary search written out as code: it leaves in R0 the index of
// the first bound at which the jump is taken, plus first.
func compareTree[N int64 | uint64](g *gen, bounds []N, first int, jump asm.JumpOp, end string) {
	if len(bounds) == 0 {
		g.Emit(asm.Mov.Imm(asm.R0, int32(first)))
		g.Goto(end)
		return
	}
	mid, below := len(bounds)/2, g.Label()
	if v := int64(bounds[mid]); v == int64(int32(v)) {
		g.Jump(jump, asm.R1, int32(v), below)
	} else {
		g.Imm(asm.R2, v)
		g.JumpReg(jump, asm.R1, asm.R2, below)
	}
	compareTree(g, bounds[mid+1:], first+mid+1, jump, end)
	g.Bind(below)
	compareTree(g, bounds[:mid], first, jump, end)
}

func newLinear(args []plylang.Expr, _ bool) (object.Buckets, error) {
	lo, hi, step := constantArg(args, 1), constantArg(args, 2), constantArg(args, 3)
	switch {
	case hi < 0 && lo >= 0 && !args[2].Type().Signed:
		return nil, &plylang.ArgError{Arg: 2, Msg: "the upper limit must be below 2^63"}
	case hi <= lo:
		return nil, &plylang.ArgError{Arg: 2, Msg: "the upper limit must be above the lower one"}
	case step <= 0:
		return nil, &plylang.ArgError{Arg: 3, Msg: "the step must be at least 1"}
	case uint64(hi-lo)/uint64(step) > maxBuckets-3:
		return nil, &plylang.ArgError{Arg: 3, Msg: "this makes more than 4096 buckets: use a larger step"}
	}
	return object.Linear{Lo: lo, Hi: hi, Step: step}, nil
}

func constantArg(args []plylang.Expr, i int) int64 {
	if i >= len(args) {
		return 0
	}
	v, _ := plylang.ConstInt(args[i])
	return v
}

func (g *gen) linearBucket(h object.Linear, unsigned bool) {
	below, above, end := g.Label(), g.Label(), g.Label()
	g.Imm(asm.R2, h.Lo)
	if unsigned {
		g.Jump(asm.JSLT, asm.R1, 0, above)
	}
	g.JumpReg(asm.JSLT, asm.R1, asm.R2, below)
	g.Imm(asm.R3, h.Hi)
	g.JumpReg(asm.JSGE, asm.R1, asm.R3, above)
	g.Imm(asm.R3, h.Step)
	g.Emit(
		asm.Sub.Reg(asm.R1, asm.R2),
		asm.Div.Reg(asm.R1, asm.R3),
		asm.Add.Imm(asm.R1, 1),
		asm.Mov.Reg(asm.R0, asm.R1),
	)
	g.Goto(end)
	g.Bind(below)
	g.Emit(asm.Mov.Imm(asm.R0, 0))
	g.Goto(end)
	g.Bind(above)
	g.Emit(asm.Mov.Imm(asm.R0, int32(h.Steps()+1)))
	g.Bind(end)
}

func newLogLinear(args []plylang.Expr, _ bool) (object.Buckets, error) {
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

func logLinear(factor, lo, hi, steps int64) (object.Buckets, error) {
	start := int64(1)
	var starts object.LogLinear
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

func (g *gen) logLinearBucket(h object.LogLinear, unsigned bool) {
	uppers := make([]uint64, len(h))
	for i, start := range h {
		uppers[i] = start - 1
	}
	g.findBound(nil, uppers, 0, unsigned)
}
