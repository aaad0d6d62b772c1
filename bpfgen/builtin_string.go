package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// defaultText is how many bytes str(p) reads at most; with the NUL it is a power
// of two.
const defaultText = 127

var stringFunctions = []*builtin{
	{
		Func: plylang.Func{
			Name: "str", Doc: "String at address p, at most n bytes (127 by default, and if n is not a constant).",
			Params: []plylang.Param{
				{Name: "p", Want: plylang.WantValue},
				{Name: "n", Want: plylang.WantPlain, Optional: true},
			},
			Infer: textType,
		},
		mem: readText,
	},
	{
		Func: plylang.Func{
			Name: "dyn", Doc: "Value of a dynamic tracepoint field, of at most n bytes; data->field alone means the same.",
			Params: []plylang.Param{
				{Name: "field", Want: plylang.WantValue},
				{Name: "n", Want: plylang.WantPlain, Optional: true, Const: true},
			},
			Infer: dynamicField,
		},
		mem: readDynamicField,
	},
	{
		Func: plylang.Func{
			Name: "mem", Doc: "The n bytes at address p; if n is a format such as \"2Hx8s\", the record there, or its only value; without n what p points to.",
			Params: []plylang.Param{
				{Name: "p", Want: plylang.WantAddress},
				{Name: "n", Want: plylang.WantValue, Optional: true},
			},
			Infer: memoryType,
		},
		gen: loadMemory,
		mem: readMemory,
	},
	{
		Func: plylang.Func{
			Name: "strcmp", Doc: "Negative, zero or positive if a sorts before, equals or sorts after b.",
			Params: []plylang.Param{{Name: "a", Want: plylang.WantString}, {Name: "b", Want: plylang.WantString}},
			Result: plylang.S64,
		},
		gen: func(g *gen, args []plylang.Expr) { g.orderText(g.text(args[0]), g.text(args[1]), -1) },
	},
	{
		Func: plylang.Func{
			Name: "strncmp", Doc: "Like strcmp, for the first n bytes.",
			Params: []plylang.Param{
				{Name: "a", Want: plylang.WantString}, {Name: "b", Want: plylang.WantString},
				{Name: "n", Want: plylang.WantPlain, Const: true},
			},
			Result: plylang.S64,
			Infer:  limitedLength,
		},
		gen: func(g *gen, args []plylang.Expr) {
			g.orderText(g.text(args[0]), g.text(args[1]), int(constantArg(args, 2)))
		},
	},
	{
		Func: plylang.Func{
			Name: "strlen", Doc: "Length of a in bytes.",
			Params: []plylang.Param{{Name: "a", Want: plylang.WantString}}, Result: plylang.S64,
		},
		gen: func(g *gen, args []plylang.Expr) { g.length(g.mem(args[0])) },
	},
	{
		Func: plylang.Func{
			Name: "startswith", Doc: "1 if a begins with b, else 0.",
			Params: []plylang.Param{{Name: "a", Want: plylang.WantString}, {Name: "b", Want: plylang.WantString}},
			Result: plylang.S64,
		},
		gen: startsWith,
	},
}

// textType infers the type of str(): as long as the text may be.
func textType(args []plylang.Expr) (*plylang.Type, error) {
	n := int64(defaultText)
	t := args[0].Type()
	if t.Kind == plylang.String {
		n = int64(t.Size)
	} else if !t.Integer() && t.Kind != plylang.Pointer {
		return nil, &plylang.ArgError{Arg: 0, Msg: "str() reads text at an address, and this is neither: leave str() out"}
	}
	if length, ok := constantLength(args); ok {
		n = length
		if n < 1 || n > object.MaxText {
			return nil, &plylang.ArgError{Arg: 1, Msg: fmt.Sprintf("the length must be 1 to %d", object.MaxText)}
		}
	}
	return plylang.StringType(int(n)), nil
}

// constantLength is n of str(p, n) and mem(p, n), where the script tells it.
func constantLength(args []plylang.Expr) (n int64, ok bool) {
	if len(args) < 2 {
		return 0, false
	}
	return plylang.ConstInt(args[1])
}

// readText reads text at an address. Text that is there already is cut to the
// wanted length.
func readText(g *gen, args []plylang.Expr, dst emit.Mem) {
	typ, _ := textType(args)
	_, known := constantLength(args)
	t := args[0].Type()
	switch {
	case len(args) > 1 && !known:
		g.readTextUpTo(args, dst, typ.Size)
	case known && dynamicMember(args[0]) != nil:
		g.copyDynamic(dynamicMember(args[0]), typ, dst)
	case t.Kind != plylang.String:
		g.expr(args[0])
		g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
		g.ReadString(dst, typ.Size, t.User)
	default:
		g.memInto(args[0], dst)
		if rest := typ.Size % 8; rest != 0 {
			g.keepBytes(dst.Word(dst.Words()-1), rest)
		}
	}
}

func limitedLength(args []plylang.Expr) (*plylang.Type, error) {
	if n := constantArg(args, 2); n < 0 || n > object.MaxText {
		return nil, &plylang.ArgError{Arg: 2, Msg: fmt.Sprintf("the length must be 0 to %d", object.MaxText)}
	}
	return plylang.S64, nil
}

func startsWith(g *gen, args []plylang.Expr) {
	a, prefix := g.text(args[0]), g.text(args[1])
	no, end := g.Label(), g.Label()
	if prefix.isLit {
		g.orderText(a, prefix, len(prefix.lit))
		g.Jump(asm.JNE, asm.R0, 0, no)
	} else {
		g.comparePrefix(a, prefix, no)
	}
	g.Emit(asm.Mov.Imm(asm.R0, 1))
	g.Goto(end)
	g.Bind(no)
	g.Emit(asm.Mov.Imm(asm.R0, 0))
	g.Bind(end)
	g.forgetSmall()
}
