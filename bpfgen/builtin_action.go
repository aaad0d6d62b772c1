package bpfgen

import (
	"fmt"

	"ply-exporter/plylang"
)

// clearName is the function that maps are cleared by.
const clearName = "clear"

var actions = []*builtin{
	withDoubt(limited, action("print", "Prints values, or the current contents of a map.", sendPrint,
		plylang.Param{Name: "x", Want: plylang.WantPrint, Optional: true, Variadic: true})),
	action("printf", "Prints text formatted as in C; %v prints a value in its own format.", sendPrintf,
		plylang.Param{Name: "format", Want: plylang.WantFormat},
		plylang.Param{Name: "x", Want: plylang.WantValue, Optional: true, Variadic: true}),
	action(clearName, "Empties a map; what is stored afterwards stays.", sendClear, plylang.Param{Name: "map", Want: plylang.WantMap}),
	{
		Func: plylang.Func{
			Name: "exit", Doc: "Leaves the probe immediately and ends the run with status n (default 0).",
			Params:  []plylang.Param{{Name: "n", Want: plylang.WantPlain, Optional: true}},
			Infer:   checkStatus,
			Leaves:  true,
			RunOnly: true,
		},
		gen: sendExit,
	},
}

func action(name, doc string, gen func(*gen, []plylang.Expr), params ...plylang.Param) *builtin {
	return &builtin{
		Func: plylang.Func{Name: name, Doc: doc, Params: params, Result: plylang.VoidT},
		gen:  gen,
	}
}

func checkStatus(args []plylang.Expr) (*plylang.Type, error) {
	if len(args) > 0 {
		if n, ok := plylang.ConstInt(args[0]); ok && (n < 0 || n > 255) {
			return nil, &plylang.ArgError{Arg: 0, Msg: "an exit status is 0 to 255"}
		}
	}
	return plylang.VoidT, nil
}

func withDoubt(doubt func([]plylang.Expr) string, b *builtin) *builtin {
	b.Doubt = doubt
	return b
}

// limited is about print(@x, 5), which prints the first five keys elsewhere.
func limited(args []plylang.Expr) string {
	if len(args) < 2 || args[0].Type().Kind != plylang.Void {
		return ""
	}
	for _, arg := range args[1:] {
		if _, ok := plylang.ConstInt(arg); !ok {
			return ""
		}
	}
	return fmt.Sprintf("this prints all of %s, sorted by value, and then the number: write print(%[1]s), its last lines are the largest values", args[0])
}
