package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// memoryType infers the type of mem(): bytes, a record of several values, or
// the only value that a format names or that a pointer points to.
func memoryType(args []plylang.Expr) (*plylang.Type, error) {
	t, _, err := memoryAt(args)
	return t, err
}

// memoryAt is the type of what mem() reads, and how far behind the address it is.
func memoryAt(args []plylang.Expr) (t *plylang.Type, offset int, err error) {
	if len(args) < 2 {
		t, err = pointedTo(args[0].Type())
		return t, 0, err
	}
	if format, ok := args[1].(*plylang.StringLit); ok {
		record, err := object.ParseRecord(format.Value)
		if err != nil {
			return nil, 0, &plylang.ArgError{Arg: 1, Msg: err.Error()}
		}
		if len(record.Fields) == 1 {
			return sameMemory(record.Fields[0].Type, args[0].Type()), record.Fields[0].Offset, nil
		}
		return &plylang.Type{Kind: plylang.Bytes, Size: record.Size, Display: plylang.DisplayRecord(record)}, 0, nil
	}
	n, ok := constantLength(args)
	switch {
	case !ok:
		return nil, 0, &plylang.ArgError{Arg: 1, Msg: "n of mem() must be a constant, because bytes have one length: str(p, n) is text of any"}
	case n < 1 || n > object.MaxText:
		return nil, 0, &plylang.ArgError{Arg: 1, Msg: fmt.Sprintf("the length must be 1 to %d", object.MaxText)}
	}
	return &plylang.Type{Kind: plylang.Bytes, Size: int(n)}, 0, nil
}

// pointedTo is the type of mem(p): a number or an address as such, anything else
// as bytes.
func pointedTo(p *plylang.Type) (*plylang.Type, error) {
	elem := p.Elem
	switch {
	case p.Kind != plylang.Pointer || elem == nil || elem.Size == 0:
		return nil, &plylang.ArgError{Arg: 0, Msg: "nothing is known of what is at this address: say how many bytes, as in mem(p, 8)"}
	case elem.Scalar() || elem.Kind == plylang.String:
		return sameMemory(elem, p), nil
	case elem.Size > object.MaxText:
		return nil, &plylang.ArgError{Arg: 0, Msg: fmt.Sprintf("mem() reads at most %d bytes, and this points to %d: mem(p, %d) are the first of them", object.MaxText, elem.Size, object.MaxText)}
	}
	return &plylang.Type{Kind: plylang.Bytes, Size: elem.Size}, nil
}

// sameMemory is t where it was read through p: an address there is one in the
// same memory.
func sameMemory(t, p *plylang.Type) *plylang.Type {
	if !p.User || !t.Scalar() || t.Size < 8 {
		return t
	}
	user := *t
	user.User = true
	return &user
}

// atMemory leaves the address of what mem() reads in R3.
func atMemory(g *gen, args []plylang.Expr, offset int) {
	g.expr(args[0])
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	if offset != 0 {
		g.Emit(asm.Add.Imm(asm.R3, int32(offset)))
	}
}

func loadMemory(g *gen, args []plylang.Expr) {
	t, offset, _ := memoryAt(args)
	atMemory(g, args, offset)
	slot := g.Slot(8)
	g.ProbeRead(slot.At(0, t.Size), args[0].Type().User)
	g.LoadTyped(t, slot.Reg, slot.Off)
	g.Free(slot)
}

func readMemory(g *gen, args []plylang.Expr, dst emit.Mem) {
	t, offset, _ := memoryAt(args)
	user := args[0].Type().User
	atMemory(g, args, offset) // before anything is written: it may read dst
	if t.Kind == plylang.String {
		g.ReadString(dst, t.Size, user)
		return
	}
	if t.Size%8 != 0 {
		g.Zero(dst.Word(dst.Words() - 1))
	}
	g.ProbeRead(dst.At(0, t.Size), user)
}

// dynamicField infers the type of dyn(): that of the field, of the size that is
// asked for.
func dynamicField(args []plylang.Expr) (*plylang.Type, error) {
	t := args[0].Type()
	n, sized := constantLength(args)
	switch {
	case t.Kind != plylang.String && t.Kind != plylang.Bytes:
		return nil, &plylang.ArgError{Arg: 0, Msg: "dyn() is for text and bytes, and this is neither: leave dyn() out"}
	case !sized:
		return t, nil
	case dynamicMember(args[0]) == nil:
		return nil, &plylang.ArgError{Arg: 1, Msg: "dyn(field, n) is for dynamic fields: str(s, n) is the beginning of other text"}
	case n < 1 || n > object.MaxText:
		return nil, &plylang.ArgError{Arg: 1, Msg: fmt.Sprintf("the length must be 1 to %d", object.MaxText)}
	}
	resized := *t
	resized.Size = int(n)
	return &resized, nil
}

func readDynamicField(g *gen, args []plylang.Expr, dst emit.Mem) {
	if m := dynamicMember(args[0]); m != nil {
		t, _ := dynamicField(args)
		g.copyDynamic(m, t, dst)
		return
	}
	g.memInto(args[0], dst)
}

// dynamicMember is x where it is a field whose value lies elsewhere in the
// record, nil for anything else.
func dynamicMember(x plylang.Expr) *plylang.Member {
	m, ok := x.(*plylang.Member)
	if call, is := x.(*plylang.Call); is && call.Name == "dyn" && len(call.Args) > 0 {
		m, ok = call.Args[0].(*plylang.Member)
	}
	if !ok || m.Field.Type == nil || m.Field.Type.Dyn == plylang.NotDyn {
		return nil
	}
	return m
}

// copyDynamic copies as much of a dynamic field to dst as t has room for.
func (g *gen) copyDynamic(m *plylang.Member, t *plylang.Type, dst emit.Mem) {
	resized, size := *m, *m.Field.Type
	size.Size = t.Size
	resized.Field.Type = &size
	g.copyLocation(&resized, dst)
}
