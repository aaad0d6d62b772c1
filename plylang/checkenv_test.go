package plylang

import (
	"errors"
	"sort"
	"strings"
	"testing"
)

// TestCheckKeepsProbes: Check types copies, and the probes stay as written.
func TestCheckKeepsProbes(t *testing.T) {
	const text = "trace:sched/sched_switch / $1 / { $m[execname, prev_pid].count(); @t = nsecs(); }"
	script := checked(t, text)
	again, err := Parse(script.Src)
	if err != nil {
		t.Fatal(err)
	}
	if !equal(script.Probes[0], again.Probes[0]) {
		t.Errorf("the probe has become %s", script.Probes[0])
	}
	want := "/ 42 / { $m[comm, data->prev_pid] = count(); @t = nsecs; }"
	c := script.Clauses[0]
	if got := "/ " + c.Pred.String() + " / " + oneLine(c.Body); got != want {
		t.Errorf("the clause is %s, want %s", got, want)
	}
}

func oneLine(n Node) string { return strings.Join(strings.Fields(n.String()), " ") }

// TestCheckClauses: there is a clause for each scope of each specification,
// each with types of its own.
func TestCheckClauses(t *testing.T) {
	script := checked(t, "kprobe:vfs_*, kprobe:f, t:sched/sched_switch { p = $1; @[p] = count(); }\nEND { @x = 1; }")
	var got []string
	for _, c := range script.Clauses {
		got = append(got, c.Spec.String())
		if len(c.Locals) > 1 || len(c.Locals) == 1 && c.Locals[0].Type == nil {
			t.Errorf("%s has locals %v", c.Spec, c.Locals)
		}
	}
	want := "kprobe:vfs_* kprobe:vfs_* kprobe:f tracepoint:sched/sched_switch END"
	if text := strings.Join(got, " "); text != want && text != strings.Replace(want, "tracepoint", "t", 1) {
		t.Errorf("got %s, want %s", text, want)
	}
	if n := len(script.Maps[0].Uses); n != 4 {
		t.Errorf("@ has %d uses, want one for each clause", n)
	}
}

// scopeRecorder remembers what it was asked.
type scopeRecorder struct {
	*fakeEnv
	uses []Uses
}

func (e *scopeRecorder) Scopes(spec *Spec, uses Uses) ([]Scope, error) {
	e.uses = append(e.uses, uses)
	return e.fakeEnv.Scopes(spec, uses)
}

// TestCheckUses: the environment learns which names a probe uses, as written
// and canonical, and which members.
func TestCheckUses(t *testing.T) {
	tests := []struct{ text, names, members string }{
		{"kprobe:f / arg0 / { @[execname] = sum(kpid()); }", "arg0 comm execname kpid sum tid", ""},
		{"t:sched/sched_switch { @[data->prev_pid, args->bytes] = count(); }", "args count data", "bytes prev_pid"},
		{"trace:sched/sched_switch { @[prev_pid] = count(); }", "count prev_pid", "prev_pid"},
		{"kprobe:f { x[1] = 2; @y = arg1[3]; }", "arg1", ""},
		{"kprobe:f", "count probe", ""},
	}
	for _, test := range tests {
		script, err := Parse(&Source{Text: test.text})
		if err != nil {
			t.Fatal(err)
		}
		env := &scopeRecorder{fakeEnv: newFakeEnv()}
		_ = Check(script, env) // what is wrong with the script does not matter here
		if got := sorted(env.uses[0].Names); got != test.names {
			t.Errorf("%s uses names %s, want %s", test.text, got, test.names)
		}
		if got := sorted(env.uses[0].Members); got != test.members {
			t.Errorf("%s uses members %s, want %s", test.text, got, test.members)
		}
	}
}

func sorted(set map[string]bool) string {
	var list []string
	for name := range set {
		list = append(list, name)
	}
	sort.Strings(list)
	return strings.Join(list, " ")
}

// failingEnv cannot resolve anything.
type failingEnv struct {
	*fakeEnv
	err error
}

func (e *failingEnv) Scopes(*Spec, Uses) ([]Scope, error) { return nil, e.err }

// TestScopeErrors: whatever Scopes returns for an error is reported with a
// position, and once.
func TestScopeErrors(t *testing.T) {
	src := &Source{Text: "kprobe:a, kprobe:b { @ = count(); }"}
	tests := []struct {
		name    string
		err     error
		want    string
		missing bool
	}{
		{"nothing", nil, "script:1:1: kprobe:a matches nothing\nscript:1:11: kprobe:b matches nothing", true},
		{"plain", errors.New("no"), "script:1:1: no\nscript:1:11: no", false},
		{"missing", missing("gone"), "script:1:1: gone\nscript:1:11: gone", true},
		{"positioned", &Error{Src: src, Pos: 17, Msg: "here"}, "script:1:18: here", false},
		{"list", ErrorList{{Src: src, Pos: 3, Msg: "a"}, {Src: src, Pos: 4, Msg: "b"}}, "script:1:4: a\nscript:1:5: b", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			script, err := Parse(src)
			if err != nil {
				t.Fatal(err)
			}
			err = Check(script, &failingEnv{newFakeEnv(), test.err})
			if err == nil || err.Error() != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if errors.Is(err, ErrMissing) != test.missing {
				t.Errorf("missing is %v", !test.missing)
			}
			if len(script.Clauses) != 0 {
				t.Error("there is a clause without a scope")
			}
		})
	}
}

// TestManyErrors: the first hundred are shown.
func TestManyErrors(t *testing.T) {
	for _, text := range []string{
		"BEGIN {" + strings.Repeat(" @x = nope;", 300) + "}",
		"BEGIN {" + strings.Repeat(" @x = 1 << 64;", 300) + "}",
	} {
		script, err := Parse(&Source{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		list, _ := Check(script, newFakeEnv()).(ErrorList)
		if len(list) != 101 || list[100].Msg != "more than 100 errors: the others are not shown" {
			t.Errorf("got %d errors, the last of them %v", len(list), list[len(list)-1])
		}
	}
}

// TestCheckAgain: checking twice gives the same as checking once.
func TestCheckAgain(t *testing.T) {
	script := checked(t, "kprobe:f { @x[pid] = quantize(arg0); time = 1; @y = time; }")
	maps, warnings := len(script.Maps), len(script.Warnings)
	if err := Check(script, newFakeEnv()); err != nil {
		t.Fatal(err)
	}
	if len(script.Maps) != maps || len(script.Warnings) != warnings || len(script.Maps[0].Uses) != 1 {
		t.Errorf("got %d maps and %d warnings", len(script.Maps), len(script.Warnings))
	}
}
