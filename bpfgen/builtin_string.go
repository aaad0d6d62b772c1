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
			Name: "dyn", Doc: "Value of a dynamic tracepoint field; data->field alone means the same.",
			Params: []plylang.Param{{Name: "field", Want: plylang.WantValue}},
			Infer:  dynamicField,
		},
		mem: func(g *gen, args []plylang.Expr, dst emit.Mem) { g.memInto(args[0], dst) },
	},
	{
		Func: plylang.Func{
			Name: "mem", Doc: "The n bytes at address p; if n is a format such as \"2Hx8s\", the record there.",
			Params: []plylang.Param{
				{Name: "p", Want: plylang.WantAddress},
				{Name: "n", Want: plylang.WantValue},
			},
			Infer: bytesAt,
		},
		mem: readBytes,
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
			Name: "startswith", Doc: "1 if a begins with the string literal b, else 0.",
			Params: []plylang.Param{{Name: "a", Want: plylang.WantString}, {Name: "b", Want: plylang.WantString, Const: true}},
			Result: plylang.S64,
		},
		gen: startsWith,
	},
}

// dynamicField infers the type of dyn(): that of the field.
func dynamicField(args []plylang.Expr) (*plylang.Type, error) {
	t := args[0].Type()
	if t.Kind != plylang.String && t.Kind != plylang.Bytes {
		return nil, &plylang.ArgError{Arg: 0, Msg: "dyn() is for text and bytes, and this is neither: leave dyn() out"}
	}
	return t, nil
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

func bytesAt(args []plylang.Expr) (*plylang.Type, error) {
	if format, ok := args[1].(*plylang.StringLit); ok {
		record, err := object.ParseRecord(format.Value)
		if err != nil {
			return nil, &plylang.ArgError{Arg: 1, Msg: err.Error()}
		}
		return &plylang.Type{Kind: plylang.Bytes, Size: record.Size, Display: plylang.DisplayRecord(record)}, nil
	}
	n, ok := constantLength(args)
	switch {
	case !ok:
		return nil, &plylang.ArgError{Arg: 1, Msg: "n of mem() must be a constant, because bytes have one length: str(p, n) is text of any"}
	case n < 1 || n > object.MaxText:
		return nil, &plylang.ArgError{Arg: 1, Msg: fmt.Sprintf("the length must be 1 to %d", object.MaxText)}
	}
	return &plylang.Type{Kind: plylang.Bytes, Size: int(n)}, nil
}

func readBytes(g *gen, args []plylang.Expr, dst emit.Mem) {
	typ, _ := bytesAt(args)
	g.expr(args[0]) // before anything is written: it may read dst
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	if typ.Size%8 != 0 {
		g.Zero(dst.Word(dst.Words() - 1))
	}
	g.ProbeRead(dst.At(0, typ.Size), args[0].Type().User)
}

func limitedLength(args []plylang.Expr) (*plylang.Type, error) {
	if n := constantArg(args, 2); n < 0 || n > object.MaxText {
		return nil, &plylang.ArgError{Arg: 2, Msg: fmt.Sprintf("the length must be 0 to %d", object.MaxText)}
	}
	return plylang.S64, nil
}

func startsWith(g *gen, args []plylang.Expr) {
	prefix := g.text(args[1])
	g.orderText(g.text(args[0]), prefix, len(prefix.lit))
	no, end := g.Label(), g.Label()
	g.Jump(asm.JNE, asm.R0, 0, no)
	g.Emit(asm.Mov.Imm(asm.R0, 1))
	g.Goto(end)
	g.Bind(no)
	g.Emit(asm.Mov.Imm(asm.R0, 0))
	g.Bind(end)
}
