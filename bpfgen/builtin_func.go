package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

var functions = []*builtin{
	{
		Func: plylang.Func{
			Name: "log2", Doc: "Position of the highest bit set in x; 0 for 0, -1 for negative numbers.",
			Params: []plylang.Param{{Name: "x", Want: plylang.WantInt}}, Result: plylang.S64,
		},
		gen: callLog2,
	},
	{
		Func: plylang.Func{
			Name: "abs", Doc: "Absolute value of x.",
			Params: []plylang.Param{{Name: "x", Want: plylang.WantInt}}, Infer: sameInt,
		},
		gen: callAbs,
	},
	{
		Func: plylang.Func{
			Name: "sizeof", Doc: "Size in bytes of x, a value or a type; strings include their NUL.",
			Params: []plylang.Param{{Name: "x", Want: plylang.WantValue}}, Result: plylang.Literal,
			Fold: func(args []plylang.Expr) (uint64, bool) { return sizeOf(args[0]), true },
		},
		gen: func(g *gen, args []plylang.Expr) { g.Imm(asm.R0, int64(sizeOf(args[0]))) },
	},
	{
		Func: plylang.Func{
			Name: "uptr", Doc: "Address p, in user memory.",
			Params: []plylang.Param{{Name: "p", Want: plylang.WantAddress}}, Infer: intoMemory(true),
		},
		gen: sameValue,
	},
	{
		Func: plylang.Func{
			Name: "kptr", Doc: "Address p, in kernel memory.",
			Params: []plylang.Param{{Name: "p", Want: plylang.WantAddress}}, Infer: intoMemory(false),
		},
		gen: sameValue,
	},
}

func sameValue(g *gen, args []plylang.Expr) { g.expr(args[0]) }

func callLog2(g *gen, args []plylang.Expr) {
	end, positive := g.Label(), g.Label()
	g.expr(args[0])
	g.Emit(asm.Mov.Reg(asm.R1, asm.R0))
	if !wide(args[0].Type()) {
		g.Jump(asm.JSGE, asm.R1, 0, positive)
		g.Emit(asm.Mov.Imm(asm.R0, -1))
		g.Goto(end)
		g.Bind(positive)
	}
	g.log2()
	g.Bind(end)
	g.forgetSmall()
}

func callAbs(g *gen, args []plylang.Expr) {
	g.expr(args[0])
	if !wide(args[0].Type()) {
		g.absolute(asm.R0, asm.R1)
	}
}

// sizeOf is the size of the value of x.
func sizeOf(x plylang.Expr) uint64 {
	if s, ok := x.(*plylang.StringLit); ok {
		return uint64(len(s.Value)) + 1
	}
	return uint64(x.Type().Size)
}

// sameInt infers the type of the argument, but 64 bits for a signed one: the
// smallest number of fewer has no opposite in them.
func sameInt(args []plylang.Expr) (*plylang.Type, error) {
	t := *args[0].Type()
	if t.Signed {
		t.Size = 8
	}
	return &t, nil
}

// intoMemory infers a pointer into user memory or the kernel's.
func intoMemory(user bool) func([]plylang.Expr) (*plylang.Type, error) {
	return func(args []plylang.Expr) (*plylang.Type, error) {
		t := plylang.Type{Kind: plylang.Pointer, Size: 8, Elem: plylang.VoidT}
		if have := args[0].Type(); have.Kind == plylang.Pointer {
			t = *have
		}
		t.User = user
		return &t, nil
	}
}
