package plylang_test

import (
	"fmt"

	"ply-exporter/plylang"
)

func ExampleParse() {
	script, err := plylang.Parse(&plylang.Source{Text: "k:vfs_read / pid != 1 / { $bytes[execname].sum(arg(2)) }"})
	fmt.Println(script, err)

	_, err = plylang.Parse(&plylang.Source{File: "probes.yaml", Line: 12, Text: "BEGIN { @ = 1 +; }"})
	fmt.Println(plylang.Detail(err))
	// Output:
	// k:vfs_read / pid != 1 / { $bytes[execname] = sum(arg2); } <nil>
	// probes.yaml:12:16: expected a value, found ";"
	//     BEGIN { @ = 1 +; }
	//                    ^
}

// env is a machine whose probes can be anywhere, with one variable and one
// aggregation. The code generator has an Env that knows a kernel.
type env struct{}

var funcs = map[string]*plylang.Func{
	"pid":   {Name: "pid", Role: plylang.Variable, Result: plylang.U32},
	"count": {Name: "count", Role: plylang.Aggregation},
}

func (env) Scopes(*plylang.Spec, plylang.Uses) ([]plylang.Scope, error) {
	return []plylang.Scope{scope{}}, nil
}
func (env) Lookup(name string) *plylang.Func          { return funcs[name] }
func (env) Names() []string                           { return []string{"pid", "count"} }
func (env) Enumerators(string) []*plylang.Enumeration { return nil }
func (env) TypeNamed(string) (*plylang.Type, error)   { return nil, nil }
func (env) Param(string) (value string, ok bool)      { return "", false }

// scope has no variables of its own.
type scope struct{}

func (scope) Lookup(string) *plylang.Func           { return nil }
func (scope) Names() []string                       { return nil }
func (scope) Elsewhere(string) string               { return "" }
func (s scope) Narrowed(plylang.Uses) plylang.Scope { return s }

func ExampleCheck() {
	for _, text := range []string{"kprobe:vfs_read { @reads[pid] = count(); }", "kprobe:vfs_read { @reads[pdi] = count(); }"} {
		script, err := plylang.Parse(&plylang.Source{Text: text})
		if err != nil {
			fmt.Println(plylang.Detail(err))
			continue
		}
		if err := plylang.Check(script, env{}); err != nil {
			fmt.Println(plylang.Detail(err))
			continue
		}
		m := script.Maps[0]
		fmt.Printf("%s has %d key of %d bytes and is fed by %s()\n", m.Name, len(m.Keys), m.Keys[0].Size, m.Agg.Name)
	}
	// Output:
	// @reads has 1 key of 8 bytes and is fed by count()
	// script:1:26: no variable or built-in named "pdi"; did you mean "pid"?
	//     kprobe:vfs_read { @reads[pdi] = count(); }
	//                              ^
}
