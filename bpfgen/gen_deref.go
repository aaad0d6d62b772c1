package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// A location in the traced program's or the kernel's memory is an address and a
// constant offset. Locations are read through helpers that survive any address;
// a fault reads as zero.

// withMembers returns the variable that x is a member of if it loads its members
// itself, nil for all other expressions.
func withMembers(x *plylang.Member) *probe.Var {
	if n, ok := x.X.(*plylang.Name); ok && n.Func != nil {
		if v, ok := n.Func.Impl.(*probe.Var); ok && v.Member != nil {
			return v
		}
	}
	return nil
}

// location leaves an address in R0 and returns what is to be added to it, and
// whether it is an address in user memory.
func (g *gen) location(x plylang.Expr) (off int, user bool) {
	switch x := x.(type) {
	case *plylang.Member:
		off, user = g.base(x.X)
		return off + x.Field.Offset, user
	case *plylang.Index:
		return g.element(x)
	case *plylang.Unary:
		return g.base(x.X)
	case *plylang.Cast:
		return g.location(x.X)
	}
	panic(fmt.Sprintf("bpfgen: a %T has no address", x))
}

// base is the location that a pointer points to, or of a struct or array.
func (g *gen) base(x plylang.Expr) (off int, user bool) {
	if x.Type().Scalar() {
		g.expr(x)
		return 0, x.Type().User
	}
	return g.location(x)
}

// element is the location of x[i]. An index outside an array of known length
// gives the address 0, which reads as zero.
func (g *gen) element(x *plylang.Index) (off int, user bool) {
	t, size := x.X.Type(), x.Type().Size
	if i, ok := plylang.ConstInt(x.I); ok && (t.Kind != plylang.Array || i >= 0 && i < int64(t.Len)) {
		off, user = g.base(x.X)
		return off + int(i)*size, user
	}
	off, user = g.base(x.X)
	base := g.Spill()
	g.expr(x.I)
	end := g.Label()
	if t.Kind == plylang.Array && t.Len > 0 {
		inside := g.Label()
		g.Jump(asm.JLT, asm.R0, int32(t.Len), inside)
		g.Emit(asm.Mov.Imm(asm.R0, 0))
		g.Goto(end)
		g.Bind(inside)
	}
	g.Emit(asm.Mul.Imm(asm.R0, int32(size)))
	g.Load(asm.R1, base)
	g.Free(base)
	g.Emit(asm.Add.Reg(asm.R1, asm.R0), asm.Mov.Reg(asm.R0, asm.R1))
	if off != 0 {
		g.Emit(asm.Add.Imm(asm.R0, int32(off)))
	}
	g.Bind(end)
	return 0, user
}

// pointR3 makes R3 the address of the location x.
func (g *gen) pointR3(x plylang.Expr) (user bool) {
	off, user := g.location(x)
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	if off != 0 {
		g.Emit(asm.Add.Imm(asm.R3, int32(off)))
	}
	return user
}

// loadLocation leaves the scalar at a location in R0.
func (g *gen) loadLocation(x plylang.Expr) {
	m, isMember := x.(*plylang.Member)
	if isMember {
		if v := withMembers(m); v != nil {
			v.Member(&g.Context, m.Field)
			return
		}
	}
	t := x.Type()
	if isMember {
		t = m.Field.Type
	}
	if isMember && probe.IsCurrentTask(m.X) && g.PointsIntoTask(m.Field.Offset) {
		g.LoadNumber(t)
	} else if user := g.pointR3(x); user {
		slot := g.Slot(8)
		g.ProbeRead(slot.At(0, t.Size), user)
		g.LoadTyped(t, slot.Reg, slot.Off)
		g.Free(slot)
	} else {
		g.KeepToKernel()
		g.LoadNumber(t)
	}
	if isMember {
		g.bitField(m.Field)
	}
}

// bitField cuts a bit field out of R0.
func (g *gen) bitField(f plylang.Field) {
	if f.BitSize == 0 {
		return
	}
	g.Emit(
		asm.LSh.Imm(asm.R0, int32(64-f.BitOffset-f.BitSize)),
		emit.Pick(f.Type.Signed, asm.ArSh, asm.RSh).Imm(asm.R0, int32(64-f.BitSize)),
	)
}

// copyLocation copies a string, struct or array to dst.
func (g *gen) copyLocation(x plylang.Expr, dst emit.Mem) {
	if m, ok := x.(*plylang.Member); ok {
		if v := withMembers(m); v != nil && v.CopyMember != nil {
			v.CopyMember(&g.Context, m.Field, dst)
			return
		}
	}
	t := x.Type()
	user := g.pointR3(x)
	if t.Kind == plylang.String {
		g.ReadString(dst, t.Size, user)
		return
	}
	if t.Size%8 != 0 {
		g.Zero(dst.Word(dst.Words() - 1))
	}
	g.ProbeRead(dst.At(0, t.Size), user)
}
