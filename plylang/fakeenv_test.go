package plylang

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// fakeEnv is a machine with a few probes and the built-ins that the tests of
// the checker need.
type fakeEnv struct{ params map[string]string }

func newFakeEnv() *fakeEnv {
	return &fakeEnv{params: map[string]string{
		"1": "42", "2": "0x10", "3": "sda", "LIMIT": "-5", "HOME": "/root", "target": "4711",
	}}
}

var (
	timestamp = &Type{Kind: Int, Size: 8, Unit: Timestamp}
	scaled    = &Type{Kind: Int, Size: 8, Unit: Timestamp, Display: DisplayTime}
	symbol    = &Type{Kind: Int, Size: 8, Display: DisplayFunc}
	stackT    = &Type{Kind: Stack, Size: 8, Display: DisplayStack}
	charPtr   = &Type{Kind: Pointer, Size: 8, Elem: S8}
)

func pointerTo(t *Type) *Type { return &Type{Kind: Pointer, Size: 8, Elem: t} }

func variable(name string, t *Type, aliases ...string) *Func {
	return &Func{Name: name, Role: Variable, Result: t, Aliases: aliases}
}

func function(name string, result *Type, params ...Param) *Func {
	return &Func{Name: name, Role: Function, Result: result, Params: params}
}

func param(name string, want Want) Param { return Param{Name: name, Want: want} }

func constParam(name string, want Want, optional bool) Param {
	return Param{Name: name, Want: want, Const: true, Optional: optional}
}

func shownAs(name string, show *Display) *Func {
	return function(name, &Type{Kind: Int, Size: 8, Signed: true, Display: show}, param("n", WantPlain))
}

var fakeFuncs = []*Func{
	variable("pid", U32, "tgid"), variable("tid", U32, "kpid"), variable("uid", U32),
	variable("comm", StringType(16), "execname"), variable("cpu", U32),
	variable("time", scaled), variable("nsecs", timestamp), variable("secs", U64),
	variable("stack", stackT, "kstack"), variable("probe", &Type{Kind: Int, Size: 8, Display: DisplayProbe}),
	variable("curtask", pointerTo(&Type{Kind: Struct, Size: 64, Struct: taskStruct})),
	{Name: "str", Role: Function, Params: []Param{param("p", WantAddress), constParam("n", WantPlain, true)}, Infer: inferStr},
	function("strcmp", S64, param("a", WantString), param("b", WantString)),
	function("log2", S64, param("x", WantInt)),
	{Name: "abs", Role: Function, Params: []Param{param("x", WantInt)}, Infer: inferAbs},
	{Name: "sizeof", Role: Function, Params: []Param{param("x", WantValue)}, Result: S64, Fold: foldSize},
	shownAs("errno", DisplayErrno), shownAs("signal", DisplaySignal),
	{Name: "count", Role: Aggregation}, {Name: "sum", Role: Aggregation, Params: []Param{param("x", WantInt)}},
	{Name: "max", Role: Aggregation, Params: []Param{param("x", WantInt)}},
	{Name: "quantize", Role: Aggregation, Infer: inferQuantize,
		Params: []Param{param("x", WantInt), constParam("bits", WantPlain, true)}},
	{Name: "print", Role: Action, Params: []Param{{Name: "x", Want: WantPrint, Variadic: true}}},
	{Name: "printf", Role: Action, Params: []Param{param("fmt", WantFormat), {Name: "x", Want: WantValue, Variadic: true}}},
	{Name: "clear", Role: Action, Params: []Param{param("map", WantMap)}},
	{Name: "exit", Role: Action, Leaves: true, Params: []Param{{Name: "n", Want: WantPlain, Optional: true}}},
}

func inferStr(args []Expr) (*Type, error) {
	if len(args) < 2 {
		return StringType(512), nil
	}
	n, _ := ConstInt(args[1])
	if n < 1 || n > 4096 {
		return nil, &ArgError{1, fmt.Sprintf("a string has 1 to 4096 bytes, not %d", n)}
	}
	return StringType(int(n)), nil
}

func inferAbs(args []Expr) (*Type, error) {
	if args[0].Type().Unit == Duration {
		return DurationT, nil
	}
	return S64, nil
}

func inferQuantize(args []Expr) (*Type, error) {
	if len(args) < 2 {
		return nil, nil
	}
	if n, _ := ConstInt(args[1]); n < 0 || n > 4 {
		return nil, &ArgError{1, fmt.Sprintf("quantize() takes 0 to 4 bits, not %d", n)}
	}
	return nil, nil
}

func foldSize(args []Expr) (uint64, bool) { return uint64(args[0].Type().Size), true }

func find(list []*Func, name string) *Func {
	for _, f := range list {
		if f.Name == name || slices.Contains(f.Aliases, name) {
			return f
		}
	}
	return nil
}

func names(list []*Func) []string {
	var out []string
	for _, f := range list {
		out = append(out, f.Name)
	}
	return out
}

func (e *fakeEnv) Lookup(name string) *Func { return find(fakeFuncs, name) }
func (e *fakeEnv) Names() []string          { return names(fakeFuncs) }

func (e *fakeEnv) TypeNamed(name string) (*Type, error) {
	if strings.HasPrefix(name, "struct twice") {
		return nil, errors.New(`this kernel has 2 types "struct twice" that differ`)
	}
	return map[string]*Type{
		"enum tcp_states":      NamedType(4, true, tcpStates),
		"struct task_struct":   {Kind: Struct, Size: 64, Struct: taskStruct},
		"enum state":           {Kind: Enum, Size: 4, Enum: &Enumeration{Name: "state", Values: []Enumerator{{"READY", 0}}}},
		"struct task_struct *": pointerTo(&Type{Kind: Struct, Size: 64, Struct: taskStruct}),
	}[name], nil
}

// Enumerations of the tests: of two enums and of a table of flags.
var (
	tcpStates    = &Enumeration{Name: "tcp_states", Values: []Enumerator{{"TCP_ESTABLISHED", 1}, {"TCP_SYN_SENT", 2}, {"TCP_CLOSE", 7}, {"BOTH", 8}}}
	dropReasons  = &Enumeration{Name: "drop_reason", Values: []Enumerator{{"DROP_NO_SOCKET", 3}, {"DROP_MINUS", -1}, {"BOTH", 9}, {"AGREED", 4}}}
	otherReasons = &Enumeration{Name: "other_reason", Values: []Enumerator{{"AGREED", 4}}}
	openFlags    = &Enumeration{
		Field: "mode", Where: "sched_switch", Flags: true,
		Values: []Enumerator{{"O_CREAT", 0x40}, {"O_EXCL", 0x80}},
	}
	reasonTable = &Enumeration{
		Field: "reason", Where: "sched_switch", Also: dropReasons,
		Values: []Enumerator{{"NO_SOCKET", 3}, {"two words", 5}},
	}
)

func (e *fakeEnv) Enumerators(name string) (found []*Enumeration) {
	for _, e := range []*Enumeration{tcpStates, dropReasons, otherReasons} {
		if _, ok := e.Value(name); ok {
			found = append(found, e)
		}
	}
	return found
}

func (e *fakeEnv) Param(name string) (string, bool) {
	text, ok := e.params[name]
	return text, ok
}

// fields is a struct in a test.
type fields struct {
	name string
	list []Field
}

func (f *fields) Name() string { return f.name }

func (f *fields) Member(name string) (Field, bool) {
	for _, m := range f.list {
		if m.Name == name {
			return m, true
		}
	}
	return Field{}, false
}

func (f *fields) Names() []string {
	var out []string
	for _, m := range f.list {
		out = append(out, m.Name)
	}
	return out
}

var taskStruct = &fields{name: "struct task_struct"}

func init() {
	taskStruct.list = []Field{
		{Name: "pid", Type: S32, Offset: 0},
		{Name: "flags", Type: U32, Offset: 4},
		{Name: "comm", Type: StringType(16), Offset: 8},
		{Name: "parent", Type: pointerTo(&Type{Kind: Struct, Size: 64, Struct: taskStruct}), Offset: 24},
		{Name: "prio", Type: &Type{Kind: Array, Size: 16, Len: 4, Elem: U32}, Offset: 32},
		{Name: "port", Type: BE16, Offset: 56},
		{Name: "address", Type: BE32, Offset: 60},
		{Name: "se", Type: &Type{Kind: Struct, Size: 8, Struct: &fields{"struct sched_entity", []Field{{Name: "vruntime", Type: U64}}}}, Offset: 48},
	}
}

var switchFields = &fields{"tracepoint sched/sched_switch", []Field{
	{Name: "prev_comm", Type: StringType(16), Offset: 8},
	{Name: "prev_pid", Type: S32, Offset: 24},
	{Name: "next_pid", Type: S32, Offset: 28},
	{Name: "bytes", Type: U64, Offset: 32},
	{Name: "newstate", Type: NamedType(4, true, tcpStates), Offset: 40},
	{Name: "mode", Type: NamedType(8, false, openFlags), Offset: 48},
	{Name: "reason", Type: NamedType(4, false, reasonTable), Offset: 56},
}}

// fakeScope is one kind of probe.
type fakeScope struct {
	vars  []*Func
	other map[string]string
}

func (s *fakeScope) Lookup(name string) *Func     { return find(s.vars, name) }
func (s *fakeScope) Names() []string              { return names(s.vars) }
func (s *fakeScope) Elsewhere(name string) string { return s.other[name] }
func (s *fakeScope) Narrowed(Uses) Scope          { return s }

var (
	userPtr = &Type{Kind: Pointer, Size: 8, Elem: S8, User: true}

	fakeKprobe = &fakeScope{
		vars:  []*Func{variable("arg0", U64), variable("arg1", U64), variable("arg2", U64), variable("func", symbol, "probefunc")},
		other: map[string]string{"retval": "kretprobe and fexit", "data": "tracepoint", "args": "tracepoint"},
	}
	fakeKretprobe = &fakeScope{
		vars:  []*Func{variable("retval", S32), variable("func", symbol)},
		other: map[string]string{"arg0": "kprobe and fentry"},
	}
	fakeSyscall = &fakeScope{
		vars: []*Func{variable("arg0", &Type{Kind: Int, Size: 8, User: true}), variable("arg1", userPtr), variable("func", symbol)},
	}
	fakeTracepoint = &fakeScope{
		vars:  []*Func{variable("data", pointerTo(&Type{Kind: Struct, Struct: switchFields}), "args")},
		other: map[string]string{"arg0": "kprobe"},
	}
	fakeProfile = &fakeScope{}
)

type missing string

func (m missing) Error() string        { return string(m) }
func (m missing) Is(target error) bool { return target == ErrMissing }

func (e *fakeEnv) Scopes(spec *Spec, uses Uses) ([]Scope, error) {
	switch spec.Provider {
	case "kprobe", "k":
		return fakeFunctions(spec)
	case "kretprobe":
		return []Scope{fakeKretprobe}, nil
	case "tracepoint", "t", "trace":
		return []Scope{fakeTracepoint}, nil
	case "BEGIN", "END", "profile", "interval":
		return []Scope{fakeProfile}, nil
	}
	return nil, fmt.Errorf("no probe provider named %q", spec.Provider)
}

func fakeFunctions(spec *Spec) ([]Scope, error) {
	switch spec.Target {
	case "nowhere", "nowher?", "nowher?kprobe:f", "nowher?@(a|b)":
		return nil, missing(`no function "` + spec.Target + `"`)
	case "sys_write":
		return []Scope{fakeSyscall}, nil
	case "vfs_*":
		return []Scope{fakeKprobe, fakeSyscall}, nil
	}
	return []Scope{fakeKprobe}, nil
}
