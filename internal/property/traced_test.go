package property

import (
	"math/rand"

	"ply-exporter/plylang"
)

// Scripts at the places of a system call
//
// A traced script has clauses at the beginning and the end of system calls,
// besides BEGIN and END. The test makes some calls from one thread, whose id
// is the script's $1, and the reference lets the same probes fire.

// A hook is a probe at a system call.
type hook struct {
	spec  string   // how the script names it
	probe string   // how the built-in probe does
	own   []string // its variables
}

// lseek and getpgid are calls that do no harm, whose arguments have all widths
// and signs.
var (
	lseekArgs    = []string{"arg0", "arg1", "arg2"}
	lseekEntries = []hook{
		{"tracepoint:syscalls/sys_enter_lseek", "tracepoint:syscalls/sys_enter_lseek", []string{"data->fd", "data->offset", "data->whence"}},
		{"t:syscalls:sys_enter_lseek", "tracepoint:syscalls/sys_enter_lseek", []string{"args->fd", "args->offset", "args->whence"}},
		{"trace:syscalls/sys_enter_lseek", "tracepoint:syscalls/sys_enter_lseek", []string{"fd", "offset()", "whence"}},
		{"kprobe:SyS_lseek", "kprobe:sys_lseek", lseekArgs},
		{"k:sys_lseek", "kprobe:sys_lseek", []string{"arg(0)", "arg(1)", "arg(2)"}},
	}
	lseekExits = []hook{
		{"tracepoint:syscalls/sys_exit_lseek", "tracepoint:syscalls/sys_exit_lseek", []string{"data->ret"}},
		{"kretprobe:SyS_lseek", "kretprobe:sys_lseek", []string{"retval"}},
	}
	getpgidEntry = hook{"tracepoint:syscalls/sys_enter_getpgid", "tracepoint:syscalls/sys_enter_getpgid", []string{"data->pid"}}
	getpgidExit  = hook{"tracepoint:syscalls/sys_exit_getpgid", "tracepoint:syscalls/sys_exit_getpgid", []string{"data->ret"}}
)

// A trace is a script with the probes that it uses.
type trace struct {
	text         string
	enter, leave hook // of lseek
}

// tracedScript returns a random script with probes at system calls.
func tracedScript(seed int64) trace {
	g := &generator{Rand: rand.New(rand.NewSource(seed)), rounds: 1, traced: true}
	g.declare()
	t := trace{enter: lseekEntries[g.Intn(len(lseekEntries))], leave: lseekExits[g.Intn(len(lseekExits))]}
	if g.Intn(2) == 0 {
		t.text += g.clause()
	}
	for range 2 + g.Intn(3) {
		h := []hook{t.enter, t.leave, getpgidEntry, getpgidExit}[g.Intn(4)]
		t.text += g.hooked(h.spec, h.own)
	}
	t.text += g.hooked(t.enter.spec+", "+getpgidEntry.spec, nil)
	t.text += t.leave.spec + " / tid == $1 / { @[probe].count() }\n"
	t.text += "END\n" // counts too
	t.text += "END" + g.lastBody(seed)
	return t
}

// hooked writes a clause at a hook.
func (g *generator) hooked(spec string, own []string) string {
	g.own = own
	defer func() { g.own = nil }()
	g.newLocals()
	pred := "tid == $1"
	if g.Intn(3) == 0 {
		pred += " && " + g.condition(2)
	}
	return spec + " / " + pred + " /" + g.body()
}

// A call is a system call with what came of it.
type call struct {
	lseek  bool
	args   [3]uint64
	result int64
}

// firings are what fires in a script that sees the calls, in a world.
func (t trace) firings(w world, calls []call) []firing {
	all := []firing{{"BEGIN", w.with("probe", "BEGIN")}}
	for _, c := range calls {
		enter, leave := getpgidEntry, getpgidExit
		if c.lseek {
			enter, leave = t.enter, t.leave
		}
		all = append(all,
			firing{enter.spec, c.arguments(w.with("probe", enter.probe))},
			firing{leave.spec, c.returned(w.with("probe", leave.probe))})
	}
	return append(all, firing{"END", w.with("probe", "END")})
}

func (w world) with(name, text string) world {
	out := world{name: value{text: text, isText: true}}
	for k, v := range w {
		out[k] = v
	}
	return out
}

// arguments adds those that the kernel sees of a call: a field of the tracepoint
// takes as many bits as its type has, whatever it is named.
func (c call) arguments(w world) world {
	if !c.lseek {
		w["data->pid"] = cast("int", c.args[0])
		return w
	}
	for i, to := range []string{"unsigned int", "long", "unsigned int"} {
		w[lseekEntries[0].own[i]] = cast(to, c.args[i])
		w[lseekArgs[i]] = cast(to, c.args[i])
	}
	return w
}

func (c call) returned(w world) world {
	v := value{bits: uint64(c.result)}
	w["data->ret"], w["retval"] = v, v
	return w
}

// evaluate runs all clauses of a checked script, as evaluateBegin does.
func (t trace) evaluate(script *plylang.Script, w world, calls []call) ([]string, error) {
	return evaluate(script, t.firings(w, calls))
}
