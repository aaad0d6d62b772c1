package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// A builtin is one row: what the checker sees of a built-in and what it
// becomes. gen leaves a scalar in R0; mem writes a value that lives in memory
// to dst, all its bytes, with NULs up to its padded size (see emit.Mem).
// Exactly one of gen, mem and agg is set.
type builtin struct {
	plylang.Func
	gen func(g *gen, args []plylang.Expr)
	mem func(g *gen, args []plylang.Expr, dst emit.Mem)
	agg *aggregation
}

// universal is the table of built-ins that every probe has. It is put together
// in init, because rows may reach it themselves.
var universal []*builtin

var byName = map[string]*builtin{}

func init() {
	for _, group := range []struct {
		role plylang.Role
		rows []*builtin
	}{
		{plylang.Variable, variables},
		{plylang.Function, functions},
		{plylang.Function, stringFunctions},
		{plylang.Function, orders},
		{plylang.Function, addresses},
		{plylang.Function, displays},
		{plylang.Aggregation, aggregations},
		{plylang.Action, actions},
	} {
		for _, b := range group.rows {
			b.Role, b.Impl = group.role, b
			universal = append(universal, b)
			for _, name := range append([]string{b.Name}, b.Aliases...) {
				if variable := byName[name]; variable != nil && b.Role == plylang.Function {
					variable.Called = &b.Func
					continue
				}
				byName[name] = b
			}
		}
	}
}

// rowOf returns the row that a checked name or call refers to.
func rowOf(f *plylang.Func) *builtin { return f.Impl.(*builtin) }

// Lookup returns the built-in of that name or alias that every probe has, nil
// when there is none.
func Lookup(name string) *plylang.Func {
	if b := byName[name]; b != nil {
		return &b.Func
	}
	return nil
}

// Builtins lists the built-ins that every probe has, in the order of the
// manual.
func Builtins() []*plylang.Func {
	out := make([]*plylang.Func, len(universal))
	for i, b := range universal {
		out[i] = &b.Func
	}
	return out
}

// Types of built-in variables.
var (
	monotonic = &plylang.Type{Kind: plylang.Int, Size: 8, Unit: plylang.Timestamp}
	scaled    = shown(monotonic, plylang.DisplayTime)
	wallclock = shown(monotonic, plylang.DisplayWalltime)
)

// shown is t with another display.
func shown(t *plylang.Type, display *plylang.Display) *plylang.Type {
	c := *t
	c.Display = display
	return &c
}

// variable is the row of a variable.
func variable(name, doc string, t *plylang.Type, code func(g *gen), aliases ...string) *builtin {
	return &builtin{
		Func: plylang.Func{Name: name, Aliases: aliases, Doc: doc, Result: t},
		gen:  func(g *gen, _ []plylang.Expr) { code(g) },
	}
}

var variables = []*builtin{
	variable("pid", "Process ID.", plylang.U32, taskID(true), "tgid"),
	variable("tid", "Thread ID.", plylang.U32, taskID(false), "kpid"),
	variable("uid", "User ID of the current task.", plylang.U32, idPart(asm.FnGetCurrentUidGid, false)),
	variable("gid", "Group ID of the current task.", plylang.U32, idPart(asm.FnGetCurrentUidGid, true)),
	{
		Func: plylang.Func{Name: "comm", Aliases: []string{"execname"}, Doc: "Name of the current task.", Result: plylang.StringType(commSize)},
		mem:  func(g *gen, _ []plylang.Expr, dst emit.Mem) { g.comm(dst) },
	},
	variable("cpu", "Number of the current CPU.", plylang.U32, helper(asm.FnGetSmpProcessorId)),
	variable("numaid", "Number of the current NUMA node.", plylang.U32, helper(asm.FnGetNumaNodeId)),
	variable("cgroup", "ID of the current task's cgroup (version 2), shown as its path, also after it is removed.",
		cgroupID, helper(asm.FnGetCurrentCgroupId)),
	variable("ppid", "Process ID of the parent process.", plylang.U32, parentID),
	variable("curtask", "The current task, a pointer to its struct task_struct.", nil, helper(asm.FnGetCurrentTask)),
	variable("rand", "A random 32-bit number.", plylang.U32, random),
	variable("time", "Nanoseconds since boot, excluding suspend, shown with a unit.", scaled, now),
	variable("nsecs", "Nanoseconds since boot, excluding suspend, shown as a plain number.", monotonic, now),
	variable("walltime", "Time of day.", wallclock, walltime),
	variable("secs", "Seconds since boot, including suspend.", plylang.U64, seconds),
	variable("probe", "Full name of the probe that fired.", shown(plylang.U64, plylang.DisplayProbe),
		func(g *gen) { g.Site() }),
	variable("kstack", "Kernel stack trace.", kernelStack, kernelStackID, "stack"),
	variable("ustack", "Stack trace of the process.", userStack, userStackID),
}

// helper leaves what a helper without arguments returns.
func helper(fn asm.BuiltinFunc) func(*gen) { return func(g *gen) { g.Call(fn) } }

// idPart leaves one half of a pair of ids.
func idPart(fn asm.BuiltinFunc, upper bool) func(*gen) {
	return func(g *gen) {
		g.Call(fn)
		if upper {
			g.Emit(asm.RSh.Imm(asm.R0, 32))
			return
		}
		g.Extend(plylang.U32)
	}
}

func random(g *gen) {
	g.Call(asm.FnGetPrandomU32)
	g.Extend(plylang.U32)
}

func seconds(g *gen) {
	g.Call(asm.FnKtimeGetBootNs)
	g.Emit(asm.Div.Imm(asm.R0, 1e9))
}
