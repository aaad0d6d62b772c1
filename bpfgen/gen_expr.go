package bpfgen

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// expr leaves the value of a scalar expression in R0.
func (g *gen) expr(x plylang.Expr) {
	if v, ok := plylang.ConstInt(x); ok {
		g.Imm(asm.R0, v)
		return
	}
	switch x := x.(type) {
	case *plylang.Name:
		g.name(x)
	case *plylang.Call:
		g.scalarOf(x.Func, x.Args)
	case *plylang.MapRef:
		g.keep(x, func() { g.readTable(x) })
	case *plylang.Unary:
		g.unary(x)
	case *plylang.Binary:
		g.binary(x)
	case *plylang.In:
		g.truth(x)
	case *plylang.Cond:
		g.choose(x, func(y plylang.Expr) { g.expr(y) })
		g.forgetAny()
	case *plylang.Cast:
		g.cast(x)
	case *plylang.Member, *plylang.Index:
		g.keep(x, func() { g.loadLocation(x) })
	default:
		panic(fmt.Sprintf("bpfgen: no code for the value of a %T", x))
	}
}

// cast does not turn around what is in host order already.
func (g *gen) cast(x *plylang.Cast) {
	g.expr(x.X)
	t := x.Type()
	if t.Net != 0 && !x.Turns() {
		host := *t
		host.Net = 0
		t = &host
	}
	g.Extend(t)
}

// name is a local or a built-in variable.
func (g *gen) name(x *plylang.Name) {
	if x.Local != nil {
		g.Load(asm.R0, g.locals[x.Local])
		return
	}
	g.scalarOf(x.Func, nil)
}

// scalarOf leaves the value of a built-in in R0.
func (g *gen) scalarOf(f *plylang.Func, args []plylang.Expr) {
	switch row := f.Impl.(type) {
	case *builtin:
		row.gen(g, args)
	case *probe.Var:
		row.Load(&g.Context, args)
	default:
		panic(fmt.Sprintf("bpfgen: no code for %s, a %T", f.Name, row))
	}
}

func (g *gen) unary(x *plylang.Unary) {
	switch x.Op {
	case plylang.SUB:
		g.expr(x.X)
		g.Emit(asm.Neg.Imm(asm.R0, 0))
	case plylang.TILDE:
		g.expr(x.X)
		g.Emit(asm.Xor.Imm(asm.R0, -1))
	case plylang.NOT:
		g.truth(x)
	case plylang.MUL:
		g.loadLocation(x)
	case plylang.AND:
		if off, _ := g.location(x.X); off != 0 {
			g.Emit(asm.Add.Imm(asm.R0, int32(off)))
		}
	default:
		panic(fmt.Sprintf("bpfgen: no code for unary operator %d", x.Op))
	}
}

// choose evaluates one side of a conditional expression.
func (g *gen) choose(x *plylang.Cond, eval func(plylang.Expr)) {
	no, end := g.Label(), g.Label()
	g.cond(x.X, no, false)
	eval(x.Then)
	g.Goto(end)
	g.Bind(no)
	eval(x.Else)
	g.Bind(end)
}

func (g *gen) binary(x *plylang.Binary) {
	switch x.Op {
	case plylang.LOR, plylang.LAND, plylang.EQ, plylang.NE, plylang.LT, plylang.GT, plylang.LE, plylang.GE:
		g.truth(x)
	case plylang.LXOR:
		g.truth(x.X)
		left := g.Spill()
		g.truth(x.Y)
		g.Load(asm.R1, left)
		g.Free(left)
		g.Emit(asm.Xor.Reg(asm.R0, asm.R1))
	default:
		g.operate(x)
	}
}

func (g *gen) operate(x *plylang.Binary) {
	unsigned := plylang.Unsigned(x.Op, x.X.Type(), x.Y.Type())
	if v, ok := small(x.Y); ok && !scales(x) {
		g.expr(x.X)
		g.arithImm(x.Op, v, unsigned)
		return
	}
	g.operands(x.X, x.Y)
	if scales(x) {
		g.Emit(asm.Mul.Imm(asm.R1, int32(x.X.Type().Elem.Size)))
	}
	g.arith(x.Op, unsigned)
}

// operands leaves x in R0 and y in R1.
func (g *gen) operands(x, y plylang.Expr) {
	if g.simple(y) {
		g.expr(x)
		g.loadSimple(asm.R1, y)
		return
	}
	g.expr(x)
	left := g.Spill()
	g.expr(y)
	g.Emit(asm.Mov.Reg(asm.R1, asm.R0))
	g.Load(asm.R0, left)
	g.Free(left)
}

// simple says that x can be put into a register without disturbing another.
func (g *gen) simple(x plylang.Expr) bool {
	_, isConst := plylang.ConstInt(x)
	n, isName := x.(*plylang.Name)
	return isConst || isName && n.Local != nil
}

func (g *gen) loadSimple(reg asm.Register, x plylang.Expr) {
	if v, ok := plylang.ConstInt(x); ok {
		g.Imm(reg, v)
		return
	}
	g.Load(reg, g.locals[x.(*plylang.Name).Local])
}

// scales says that x is pointer arithmetic, whose second operand counts
// elements, as in C.
func scales(x *plylang.Binary) bool {
	t := x.X.Type()
	return t.Kind == plylang.Pointer && x.Type().Kind == plylang.Pointer && t.Elem != nil && t.Elem.Size > 1
}

// wide says that values of t use the 64th bit for a number.
func wide(t *plylang.Type) bool { return plylang.Unsigned(plylang.SHR, t, nil) }

// simpleOps are the operators that BPF has as they are.
var simpleOps = map[plylang.Token]asm.ALUOp{
	plylang.ADD: asm.Add,
	plylang.SUB: asm.Sub,
	plylang.MUL: asm.Mul,
	plylang.AND: asm.And,
	plylang.OR:  asm.Or,
	plylang.XOR: asm.Xor,
}

// arith computes R0 op R1 into R0. R2 to R4 are lost.
func (g *gen) arith(op plylang.Token, unsigned bool) {
	if alu, ok := simpleOps[op]; ok {
		g.Emit(alu.Reg(asm.R0, asm.R1))
		return
	}
	switch op {
	case plylang.SHL:
		g.Emit(asm.And.Imm(asm.R1, 63), asm.LSh.Reg(asm.R0, asm.R1))
	case plylang.SHR:
		g.Emit(asm.And.Imm(asm.R1, 63), emit.Pick(unsigned, asm.RSh, asm.ArSh).Reg(asm.R0, asm.R1))
	case plylang.DIV, plylang.MOD:
		g.divide(divisions[op], unsigned)
	default:
		panic(fmt.Sprintf("bpfgen: no code for operator %d", op))
	}
}

// arithImm is arith with a constant.
func (g *gen) arithImm(op plylang.Token, v int32, unsigned bool) {
	alu, isSimple := simpleOps[op]
	switch {
	case isSimple:
		g.Emit(alu.Imm(asm.R0, v))
	case op == plylang.SHL:
		g.Emit(asm.LSh.Imm(asm.R0, v&63))
	case op == plylang.SHR:
		g.Emit(emit.Pick(unsigned, asm.RSh, asm.ArSh).Imm(asm.R0, v&63))
	case v > 0 && unsigned:
		g.Emit(divisions[op].Imm(asm.R0, v))
	case v > 0:
		g.Emit(asm.Mov.Reg(asm.R2, asm.R0), asm.ArSh.Imm(asm.R2, 63))
		g.absolute(asm.R0, asm.R3)
		g.Emit(divisions[op].Imm(asm.R0, v), asm.Xor.Reg(asm.R0, asm.R2), asm.Sub.Reg(asm.R0, asm.R2))
	default:
		g.Imm(asm.R1, int64(v))
		g.arith(op, unsigned)
	}
}

var divisions = map[plylang.Token]asm.ALUOp{plylang.DIV: asm.Div, plylang.MOD: asm.Mod}

// divide divides R0 by R1. BPF before Linux 6.6 divides unsigned numbers only,
// so a signed division is one of the absolute values, with the sign put back:
// the quotient is negative when the signs differ, the remainder when the
// dividend is. x/0 is 0 and x%0 is x, as in BPF itself.
func (g *gen) divide(op asm.ALUOp, unsigned bool) {
	if unsigned {
		g.Emit(op.Reg(asm.R0, asm.R1))
		return
	}
	g.Emit(asm.Mov.Reg(asm.R2, asm.R0))
	if op == asm.Div {
		g.Emit(asm.Xor.Reg(asm.R2, asm.R1))
	}
	g.Emit(asm.ArSh.Imm(asm.R2, 63))
	g.absolute(asm.R0, asm.R3)
	g.absolute(asm.R1, asm.R3)
	g.Emit(
		op.Reg(asm.R0, asm.R1),
		asm.Xor.Reg(asm.R0, asm.R2),
		asm.Sub.Reg(asm.R0, asm.R2),
	)
}

// absolute makes reg its absolute value. temp is lost.
func (g *gen) absolute(reg, temp asm.Register) {
	g.Emit(
		asm.Mov.Reg(temp, reg),
		asm.ArSh.Imm(temp, 63),
		asm.Xor.Reg(reg, temp),
		asm.Sub.Reg(reg, temp),
	)
}

// small returns the value of a constant that fits an instruction.
func small(x plylang.Expr) (int32, bool) {
	v, ok := plylang.ConstInt(x)
	return int32(v), ok && v >= math.MinInt32 && v <= math.MaxInt32
}
