package bpfgen

import "ply-exporter/plylang"

// symbolAddress is the function whose value is this kernel's own. It is known when
// the script is compiled, so that the program has a constant.
const symbolAddress = "kaddr"

var addresses = []*builtin{{
	Func: plylang.Func{
		Name: symbolAddress, Doc: "Address of a function or variable of the kernel or of a module.",
		Params: []plylang.Param{{Name: "symbol", Want: plylang.WantString, Const: true}},
		Result: &plylang.Type{Kind: plylang.Pointer, Size: 8, Elem: plylang.VoidT},
	},
	gen: func(*gen, []plylang.Expr) { panic("bpfgen: a symbol's address is a constant") },
}}

// symbolAddress returns kaddr() with the symbols of this kernel.
func (e *env) symbolAddress() *plylang.Func {
	if e.kaddr == nil {
		row := *byName[symbolAddress]
		row.Impl = &row
		row.Infer = func(args []plylang.Expr) (*plylang.Type, error) {
			_, err := e.kernel.Address(literalText(args[0]))
			return row.Result, err
		}
		row.Fold = func(args []plylang.Expr) (uint64, bool) {
			addr, err := e.kernel.Address(literalText(args[0]))
			return addr, err == nil
		}
		e.kaddr = &row
	}
	return &e.kaddr.Func
}

// literalText is the text of a literal, or empty.
func literalText(x plylang.Expr) string {
	s, ok := x.(*plylang.StringLit)
	if !ok {
		return ""
	}
	return s.Value
}
