package bpfgen

import (
	"fmt"
	"strings"
	"testing"

	"ply-exporter/plylang"
)

// fitting is an argument that each class takes, and wrong are some that it does
// not.
var (
	fitting = map[plylang.Want]string{
		plylang.WantInt: "5", plylang.WantPlain: "4", plylang.WantAddress: "curtask", plylang.WantString: `"a"`,
		plylang.WantMap: "@m", plylang.WantValue: "4", plylang.WantFormat: `"x"`, plylang.WantPrint: "1",
	}
	wrong = map[plylang.Want][]string{
		plylang.WantInt: {"comm", `"a"`, "kstack"}, plylang.WantPlain: {"comm", "5ms", "kstack"}, plylang.WantAddress: {"comm", "5ms"},
		plylang.WantString: {"5", "kstack", "time"}, plylang.WantMap: {"5", "comm", "@m[1]"},
		plylang.WantFormat: {"comm", "5"}, plylang.WantPrint: {"*curtask"},
	}

	// wrongValues is that for what takes anything at first sight.
	wrongValues = map[string][]string{"str": {"*curtask", "kstack"}, "ntop": {"*curtask", "kstack", "curtask", "comm", `"abc"`}, "mem": {"comm"}}
)

// TestSignatures calls every built-in of the table, and of each kind of probe,
// with too few and too many arguments and with ones of the wrong type. What is
// said has a position, names the built-in, and never stops the process.
func TestSignatures(t *testing.T) {
	k := recorded(t, "7.3-amd64")
	for _, f := range Builtins() {
		checkSignature(t, f, "BEGIN")
	}
	for _, probe := range []string{
		"kprobe:vfs_read", "kretprobe:vfs_read", "kprobe:sys_read", "kretprobe:sys_read", "tracepoint:sched/sched_switch",
		"rawtracepoint:sched_switch", "profile:99hz", "interval:1s", "software:page-faults:1",
	} {
		script, err := plylang.Parse(&plylang.Source{Text: probe})
		if err != nil {
			t.Fatal(err)
		}
		scopes, err := NewEnv(k, Options{}, nil).Scopes(script.Probes[0].Choices[0].Specs[0], plylang.Uses{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range scopes[0].Names() {
			checkSignature(t, scopes[0].Lookup(name), probe)
		}
	}
}

func checkSignature(t *testing.T, f *plylang.Func, probe string) {
	t.Helper()
	var right []string
	need := 0
	for i, p := range f.Params {
		text := fitting[p.Want]
		if p.Const {
			text = constants[f.Name][i]
		}
		right = append(right, text)
		if !p.Optional && !p.Variadic {
			need = i + 1
		}
	}
	if f.Called != nil {
		right, need = []string{`"a"`}, 0 // one argument makes it another built-in
	}
	variadic := len(f.Params) > 0 && f.Params[len(f.Params)-1].Variadic
	refuse(t, f, probe, right, need, variadic)
	for i, p := range f.Params {
		bad := wrong[p.Want]
		if p.Want == plylang.WantValue {
			bad = wrongValues[f.Name]
		}
		if p.Const {
			bad = append(bad, "pid")
		}
		for _, x := range bad {
			args := append([]string{}, right...)
			args[i] = x
			refused(t, f, probe, args[:max(need, i+1)])
		}
	}
}

// refuse tries wrong numbers of arguments.
func refuse(t *testing.T, f *plylang.Func, probe string, right []string, need int, variadic bool) {
	t.Helper()
	isVariable := Lookup(f.Name) != nil && Lookup(f.Name).Called != nil // then it has a value without arguments too
	for n := range need {
		if n == 0 && isVariable {
			continue
		}
		refused(t, f, probe, right[:n])
	}
	if !variadic {
		refused(t, f, probe, append(append([]string{}, right...), "5"))
		refused(t, f, probe, append(append([]string{}, right...), "comm", "5"))
	}
}

// constants are arguments that must be known beforehand and have a certain
// value.
var constants = map[string]map[int]string{
	"quantize":   {1: "2"},
	"lquantize":  {1: "0", 2: "100", 3: "10"},
	"llquantize": {1: "10", 2: "0", 3: "3", 4: "10"},
	"str":        {1: "8"}, "mem": {1: "8"}, "strncmp": {2: "3"}, "dyn": {1: "8"}, "reg": {0: `"ax"`}, "kaddr": {0: `"vfs_read"`},
}

func refused(t *testing.T, f *plylang.Func, probe string, args []string) {
	t.Helper()
	call := fmt.Sprintf("%s(%s)", f.Name, strings.Join(args, ", "))
	text := probe + " { @m = 1; @n[1] = 1; @x = " + call + "; }"
	if f.Role == plylang.Action {
		text = probe + " { @m[1] = 1; " + call + "; }"
	}
	_, err := build(recorded(t, "7.3-amd64"), text, Options{Run: true})
	list, ok := err.(plylang.ErrorList)
	if !ok || len(list) == 0 {
		t.Errorf("%s is not refused: %v", text, err)
		return
	}
	for _, e := range list {
		at := strings.Index(text, call)
		inside := int(e.Pos) >= at && int(e.Pos) < at+len(call)
		if !inside || !strings.Contains(e.Msg, f.Name) || !strings.HasSuffix(e.Detail(), "^") {
			t.Errorf("%s\ngives\n%s\nwhich does not name %s, or does not point at it", text, e.Detail(), f.Name)
		}
	}
}

// TestForeignTable: a word that has a meaning here is none of another language.
func TestForeignTable(t *testing.T) {
	for _, b := range universal {
		for _, name := range append([]string{b.Name}, b.Aliases...) {
			if hint := plylang.Foreign(name); hint != "" {
				t.Errorf("there is %s, and yet the table says: %s", name, hint)
			}
		}
	}
}
