package bpfgen

import (
	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// An env is what the checker sees of this machine: its probes, and the rows of
// the table of built-ins.
type env struct {
	*probe.Resolver
	kernel *kernel.Kernel
	params func(string) (string, bool)

	curtask *builtin
	kaddr   *builtin
}

// NewEnv returns what plylang.Check asks for on kernel k. The options must be
// those that Compile gets then, as far as they are about attaching. params
// gives the text of $1, $NAME and their kin; nil: there are none.
func NewEnv(k *kernel.Kernel, opt Options, params func(string) (string, bool)) plylang.Env {
	return newEnv(k, opt, params)
}

func newEnv(k *kernel.Kernel, opt Options, params func(string) (string, bool)) *env {
	e := &env{Resolver: probe.NewResolver(k, opt.PlainAttach), kernel: k, params: params}
	if opt.PID != 0 {
		e.SetProcess(opt.PID)
	}
	return e
}

// Lookup returns a built-in that every probe has; see plylang.Env.
func (e *env) Lookup(name string) *plylang.Func {
	switch name {
	case currentTask:
		return e.task()
	case symbolAddress:
		return e.symbolAddress()
	}
	return Lookup(name)
}

// currentTask is the variable whose type is this kernel's own.
const currentTask = "curtask"

// task returns the variable with its type, or with the error where the kernel does
// not tell.
func (e *env) task() *plylang.Func {
	if e.curtask == nil {
		t, err := ctype.Find(e.kernel, "struct task_struct *")
		if t == nil && err == nil {
			return nil
		}
		row := *byName[currentTask]
		row.Result, row.Impl = t, &row
		if err != nil {
			row.Infer = func([]plylang.Expr) (*plylang.Type, error) { return nil, err }
		}
		e.curtask = &row
	}
	return &e.curtask.Func
}

// Names lists what Lookup knows; see plylang.Env.
func (e *env) Names() []string {
	names := make([]string, len(universal))
	for i, b := range universal {
		names[i] = b.Name
	}
	return names
}

// Param returns the text of a parameter of the script; see plylang.Env.
func (e *env) Param(name string) (string, bool) {
	if e.params == nil {
		return "", false
	}
	return e.params(name)
}

// Enumerators returns the enums that have a value of a name; see plylang.Env.
func (e *env) Enumerators(name string) []*plylang.Enumeration { return e.kernel.Enumerators(name) }

// TypeNamed returns the type a cast names; see plylang.Env.
func (e *env) TypeNamed(name string) (*plylang.Type, error) { return ctype.Find(e.kernel, name) }
