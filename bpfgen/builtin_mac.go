package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// macSize is ETH_ALEN.
const macSize = 6

// macType infers the type of mac()'s value, from an address, or from bytes that
// begin with it: the kernel keeps some in arrays of 32.
func macType(args []plylang.Expr) (*plylang.Type, error) {
	t := args[0].Type()
	switch address := t.Kind == plylang.Pointer || t.Integer() && t.Size == 8 && t.Unit == plylang.Plain && !t.Literal; {
	case address, !t.Scalar() && t.Size == macSize, isMember(args[0]) && t.Kind == plylang.Array && t.Elem.Size == 1 && t.Size > macSize:
		return &plylang.Type{Kind: plylang.Bytes, Size: macSize, Display: plylang.DisplayMAC}, nil
	}
	return nil, &plylang.ArgError{Arg: 0, Msg: "mac takes 6 bytes or their address, as in mac(dev->dev_addr) or mac(mem(p, 6))"}
}

func isMember(x plylang.Expr) bool {
	_, ok := x.(*plylang.Member)
	return ok
}

// readMAC reads the bytes as such also where they are declared as text, which would
// end at a zero.
func readMAC(g *gen, args []plylang.Expr, dst emit.Mem) {
	t := args[0].Type()
	if m, ok := args[0].(*plylang.Member); ok && !t.Scalar() {
		first, bytes := *m, *m.Field.Type
		bytes.Kind, bytes.Size = plylang.Bytes, macSize
		first.Field.Type = &bytes
		first.SetType(&bytes)
		g.copyLocation(&first, dst)
		return
	}
	if !t.Scalar() {
		g.memInto(args[0], dst)
		return
	}
	g.expr(args[0])
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	g.Zero(dst)
	g.ProbeRead(dst.At(0, macSize), t.User)
}
