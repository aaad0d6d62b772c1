package property

import (
	"fmt"
	"strings"

	"ply-exporter/plylang"
)

// of is the type of an expression.
func (t *types) of(x plylang.Expr) typ {
	switch x := x.(type) {
	case *plylang.Number:
		return numberTyp(x)
	case *plylang.StringLit:
		return typ{text: true, size: len(x.Value) + 1}
	case *plylang.Name:
		return t.named(x)
	case *plylang.Member:
		return environment["data->"+x.Name]
	case *plylang.MapRef:
		return t.read(t.values[x.Map])
	case *plylang.Unary:
		return t.unary(x)
	case *plylang.Binary:
		return t.binary(x)
	case *plylang.In:
		return signedTyp
	case *plylang.Cond:
		return join(t.of(x.Then), t.of(x.Else))
	case *plylang.Cast:
		return castTyp(x.To)
	case *plylang.Call:
		return t.call(x)
	default:
		panic(fmt.Sprintf("property: no expression %T", x))
	}
}

func numberTyp(x *plylang.Number) typ {
	switch {
	case x.Unit == plylang.Duration:
		return typ{duration: true, size: 8}
	case x.Value>>63 == 0:
		return literalTyp
	case strings.HasPrefix(x.Text, "-"):
		return signedTyp
	}
	return typ{unsigned: true, size: 8}
}

// environment are the variables that are no locals.
var environment = map[string]typ{
	"pid": {unsigned: true, size: 4}, "tid": {unsigned: true, size: 4}, "uid": {unsigned: true, size: 4},
	"comm": {text: true, size: 16}, "probe": probeTyp,
	"data->fd": {unsigned: true, size: 4}, "data->offset": {size: 8}, "data->whence": {unsigned: true, size: 4},
	"arg0": {unsigned: true, size: 4}, "arg1": {size: 8}, "arg2": {unsigned: true, size: 4},
	"data->pid": {size: 4}, "data->ret": {size: 8}, "retval": {size: 8},
}

// probeTyp is that of the names of probes, which no other text mixes with.
var probeTyp = typ{text: true, size: 1}

func (t *types) named(x *plylang.Name) typ {
	if x.Local != nil {
		return t.read(t.locals[x.Local])
	}
	return environment[x.Name]
}

func (t *types) unary(x *plylang.Unary) typ {
	if x.Op == plylang.NOT {
		return signedTyp
	}
	operand := t.of(x.X)
	if operand.size == 0 {
		return operand
	}
	return typ{unsigned: operand.wide(), duration: operand.duration, size: 8}
}

func (t *types) binary(x *plylang.Binary) typ {
	switch x.Op {
	case plylang.ADD, plylang.SUB, plylang.MUL, plylang.DIV, plylang.MOD, plylang.AND, plylang.OR, plylang.XOR, plylang.SHL, plylang.SHR:
		a, b := t.of(x.X), t.of(x.Y) // once: there are sums of many
		if x.Op == plylang.MUL && (scales(x.X, b) || scales(x.Y, a)) {
			return typ{duration: true, size: 8}
		}
		out := t.operation(x.Op, a, b)
		switch {
		case !a.literal || !b.literal:
		case constant(x):
			out.literal = int64((&evaluator{types: t}).eval(x).bits) >= 0
		default: // abs() of a literal, which is computed when it runs
			out.literal = x.Op != plylang.SUB
		}
		return out
	}
	return signedTyp
}

// scales says whether unit is a literal with a unit, and by a plain number.
func scales(unit plylang.Expr, by typ) bool {
	n, ok := unit.(*plylang.Number)
	return ok && n.Unit == plylang.Duration && !by.duration && by.size > 0
}

// constant says whether an expression is known when the script is compiled.
func constant(x plylang.Expr) bool {
	is := true
	plylang.Walk(x, func(n plylang.Node) bool {
		switch n := n.(type) {
		case *plylang.Name, *plylang.MapRef, *plylang.Member:
			is = false
		case *plylang.Call:
			is = is && n.Name != "abs"
		}
		return is
	})
	return is
}

// operation is the type of an arithmetic operation.
func (t *types) operation(op plylang.Token, a, b typ) typ {
	out := typ{unsigned: a.wide() || b.wide(), size: 8}
	switch op {
	case plylang.SHL, plylang.SHR:
		out.unsigned = a.wide()
	case plylang.ADD, plylang.SUB:
		out.duration = a.duration || b.duration
	case plylang.MOD:
		out.duration = a.duration && b.duration
	}
	switch {
	case out.duration:
		out.unsigned = false
	case !out.unsigned && (a.size == 0 || b.size == 0):
		return typ{}
	}
	out.literal = a.literal && b.literal && op != plylang.SUB
	return out
}

// castTyp is the type of a C name.
func castTyp(name string) typ {
	size := map[string]int{"u8": 1, "s8": 1, "char": 1, "uint8_t": 1, "unsigned char": 1,
		"u16": 2, "s16": 2, "short": 2, "int16_t": 2, "unsigned short": 2,
		"u32": 4, "s32": 4, "int": 4, "unsigned int": 4}[name]
	if size == 0 {
		size = 8
	}
	return typ{unsigned: strings.HasPrefix(name, "u") || name == "size_t", size: size}
}

func (t *types) call(x *plylang.Call) typ {
	switch x.Name {
	case "abs":
		a := t.of(x.Args[0])
		if !a.unsigned && a.size > 0 {
			a.size = 8 // -128 has no opposite in 8 bits
		}
		return a
	case "sizeof":
		return literalTyp
	}
	return signedTyp
}
