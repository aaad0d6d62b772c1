package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// userSymbol is the row of usym(): an address, and the number of the process in whose
// memory it is. It is a name when it is shown, so processes that run the same file have
// keys of their own in the kernel that are one where they are read.
var userSymbol = &builtin{
	Func: plylang.Func{
		Name: "usym", Doc: "Shows an address of the process as a symbol of its program, of a library or of code made while it runs.",
		Params: []plylang.Param{{Name: "x", Want: plylang.WantAddress}},
		Result: &plylang.Type{Kind: plylang.Bytes, Size: object.UserAddressSize, Display: plylang.DisplayUserSymbol},
	},
	mem: func(g *gen, args []plylang.Expr, dst emit.Mem) {
		g.obj.UserAddresses = true
		g.expr(args[0])
		g.Store(dst.Word(0), asm.R0)
		taskID(true)(g)
		g.Store(dst.Word(1), asm.R0)
	},
}
