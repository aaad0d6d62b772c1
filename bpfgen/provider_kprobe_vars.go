package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// The variables of functions and system calls. The rows are made per scope,
// because what they become depends on the way in.

// generate is the code of a variable: its value to R0.
type generate = func(g *gen, _ []plylang.Expr)

func funcVar(code generate) *builtin {
	return &builtin{gen: code, Func: plylang.Func{
		Name: "func", Aliases: []string{"probefunc"}, Role: plylang.Variable,
		Doc:    "the traced function or system call",
		Result: &plylang.Type{Kind: plylang.Int, Size: 8, Show: plylang.ShowFunc},
	}}
}

func callerVar(code generate, show string) *builtin {
	return &builtin{gen: code, Func: plylang.Func{
		Name: "caller", Role: plylang.Variable,
		Doc:    "the address of the probe",
		Result: &plylang.Type{Kind: plylang.Int, Size: 8, Show: show},
	}}
}

func argVar(i int, t *plylang.Type, code generate) *builtin {
	return &builtin{gen: code, Func: plylang.Func{
		Name: fmt.Sprintf("arg%d", i), Role: plylang.Variable,
		Doc:    "argument by number, counted from 0",
		Result: t,
	}}
}

func retvalVar(t *plylang.Type, code generate) *builtin {
	return &builtin{gen: code, Func: plylang.Func{
		Name: "retval", Role: plylang.Variable,
		Doc:    "the return value",
		Result: t,
	}}
}

// argsVar is args, whose members are the declared arguments.
func argsVar(fields plylang.Fields, load func(*gen, plylang.Field), copyTo func(*gen, plylang.Field, emit.Mem)) *builtin {
	return &builtin{
		gen:    func(g *gen, _ []plylang.Expr) { g.Emit(asm.Mov.Reg(asm.R0, asm.R6)) },
		member: load, memberMem: copyTo,
		Func: plylang.Func{
			Name: "args", Role: plylang.Variable,
			Doc: "the declared arguments by name: args->name",
			Result: &plylang.Type{Kind: plylang.Pointer, Size: 8,
				Elem: &plylang.Type{Kind: plylang.Struct, Struct: fields}},
		},
	}
}
