package probe

import (
	"fmt"

	"ply-exporter/plylang"
)

// The variables that only some kinds of probes have. A provider names the rows
// of those that its probes may have; newVar makes one with the type and the code
// that it has at some sites.

func variableRow(name, doc string, aliases ...string) *plylang.Func {
	return &plylang.Func{Name: name, Aliases: aliases, Role: plylang.Variable, Doc: doc}
}

var (
	argRows   = numberedRows(maxArg + 1)
	argsRow   = variableRow("args", "the declared arguments by name: args->name")
	callerRow = variableRow("caller", "the address of the probe")
	dataRow   = variableRow("data", "the fields of the tracepoint: data->field", "args")
	funcRow   = variableRow("func", "the traced function or system call", "probefunc")
	regsRow   = variableRow("regs", "the CPU registers: regs->ip")
	retvalRow = variableRow("retval", "the return value")

	regRow = &plylang.Func{Name: "reg", Role: plylang.Function, Doc: "a register by name",
		Params: []plylang.Param{{Name: "name", Want: plylang.WantString, Const: true}}}
)

// maxArg is the last argument that has a variable.
const maxArg = 9

// numberedRows are arg0, arg1 and so on.
func numberedRows(n int) []*plylang.Func {
	rows := make([]*plylang.Func, n)
	for i := range rows {
		rows[i] = variableRow(fmt.Sprintf("arg%d", i), "argument by number, counted from 0")
	}
	return rows
}

// addressType is a number of 8 bytes that is shown as a name.
func addressType(display *plylang.Display) *plylang.Type {
	return &plylang.Type{Kind: plylang.Int, Size: 8, Display: display}
}

// wordType is a register, or an argument whose type is not known.
var wordType = plylang.U64
