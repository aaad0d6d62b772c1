package plylang

import (
	"strings"
	"testing"
)

// existsRows are bodies, and what is left of them at a probe of functions, which has
// arg0 to arg2, and at tracepoint sched/sched_switch, which has prev_pid and no
// field nope; "" is nothing.
var existsRows = []struct{ text, function, tracepoint string }{
	{"{ if (exists(data->prev_pid)) @ = sum(data->prev_pid); else @ = sum(arg1); }",
		"{ @ = sum(arg1); }", "{ @ = sum(data->prev_pid); }"},
	{"/ exists(data->prev_pid) && data->prev_pid > 3 / { @ = count(); }",
		"", "/ data->prev_pid > 3 / { @ = count(); }"},
	{"/ data->prev_pid > 3 && exists(args->prev_pid) / { @ = count(); }",
		"", "/ data->prev_pid > 3 / { @ = count(); }"},
	{"/ !exists(data->prev_pid) || data->prev_pid / { @ = count(); }",
		"{ @ = count(); }", "/ data->prev_pid / { @ = count(); }"},
	{"/ exists(data->nope) / { @ = count(data->nope, 3); }", "", ""},
	{"/ exists(arg0) / { @ = sum(arg0); }", "/ 1 /", ""},
	{"/ exists(kprobe:f) / { @ = count(); }", "{ @ = count(); }", "{ @ = count(); }"},
	{"/ exists(kprobe:nowhere) / { @ = count(); }", "", ""},
	{"{ @[exists(data->prev_pid) ? data->prev_pid : arg0] = count(); }", "{ @[arg0] = count(); }", "{ @[data->prev_pid] = count(); }"},
	{"{ x = exists(data->prev_pid); @ = x; }", "{ x = 0; @ = x; }", "{ x = 1; @ = x; }"},
	{"{ x = exists(arg0) && pid; @ = x; }", "{ x = !!pid; @ = x; }", "{ x = 0; @ = x; }"},
	{"{ x = pid || exists(arg0); @ = x; }", "{ x = 1; @ = x; }", "{ x = !!pid; @ = x; }"},
	{"{ x = pid || !exists(data->nope) && exists(struct nope); @ = x; }", "{ x = !!pid; @ = x; }", "{ x = !!pid; @ = x; }"},
	{"{ x = exists(arg0) ^^ pid; @ = x; }", "{ x = 1 ^^ pid; @ = x; }", "{ x = 0 ^^ pid; @ = x; }"},
	{"{ x = exists(arg0) + exists(data) * 2; @ = x; }", "{ x = 1 + 0 * 2; @ = x; }", "{ x = 0 + 1 * 2; @ = x; }"},
	{"{ if (exists(arg0)) { if (pid) { @ = count(); } } }", "{ if (pid) { @ = count(); } }", ""},
	{"{ if (exists(arg0)) { @ = count(); return; } @b = sum(data->prev_pid); }", "{ @ = count(); return; }", "{ @b = sum(data->prev_pid); }"},
	{"{ if (exists(data)) exit(1); @b = sum(arg0); if (pid) return; @c = count(); }", "{ @b = sum(arg0); if (pid) { return; } @c = count(); }", "{ exit(1); }"},
	{"{ if (exists(arg0)) @a = count(); @b = count(); }", "{ @a = count(); @b = count(); }", "{ @b = count(); }"},
	{"{ if (pid) { } else if (exists(arg0)) { @ = count(); } else if (uid) { @b = count(); } }",
		"{ if (pid) { } else { @ = count(); } }", "{ if (pid) { } else if (uid) { @b = count(); } }"},
	{"{ unroll (2) { if (exists(arg0)) break; @ = count(); } }", "{ unroll (2) { break; } }", "{ unroll (2) { @ = count(); } }"},
	{"{ @[(exists(arg0) ? arg0 : 7) == 7] = count(); }", "{ @[arg0 == 7] = count(); }", "{ @[7 == 7] = count(); }"},
	{"{ delete @x[exists(arg0) ? 1 : 2]; @x[3] = 1; }", "{ delete @x[1]; @x[3] = 1; }", "{ delete @x[2]; @x[3] = 1; }"},
	{"{ if (exists(arg0) ? pid : exists(data->nope)) { @ = count(); } }", "{ if (pid) { @ = count(); } }", ""},
	{"{ @ = sum(exists(struct task_struct.se.vruntime) + exists(struct task_struct.parent.pid) + exists(struct task_struct)); }",
		"{ @ = sum(1 + 1 + 1); }", "{ @ = sum(1 + 1 + 1); }"},
	{"{ @ = sum(exists(struct task_struct.se.nope) + exists(struct task_struct.pid.x) + exists(union nope.x) + exists(enum nope.X)); }",
		"{ @ = sum(0 + 0 + 0 + 0); }", "{ @ = sum(0 + 0 + 0 + 0); }"},
	{"{ @ = sum(exists(curtask->se.vruntime) + exists(curtask->parent->parent->pid) + exists(curtask->nope) + exists(pid) + exists(pid.x)); }",
		"{ @ = sum(1 + 1 + 0 + 1 + 0); }", "{ @ = sum(1 + 1 + 0 + 1 + 0); }"},
	{"{ @ = sum(exists(enum state.READY) + exists(enum state.WAITING) + exists(enum state)); }", "{ @ = sum(1 + 0 + 1); }", "{ @ = sum(1 + 0 + 1); }"},
	{"{ @ = sum(exists(enum state.READY.x) + exists(data->newstate.TCP_CLOSE) + exists(data->newstate.NOPE)); }", "{ @ = sum(0 + 0 + 0); }", "{ @ = sum(0 + 1 + 0); }"},
	{"{ @ = sum(exists(kprobe:@(f|g)) + exists(t:sched/sched_switch) + exists(kprobe:nowher?)); }", "{ @ = sum(1 + 1 + 0); }", "{ @ = sum(1 + 1 + 0); }"},
}

// TestExists: what exists() excludes is cut out, per probe, and nobody checks it.
func TestExists(t *testing.T) {
	for _, row := range existsRows {
		for spec, want := range map[string]string{"kprobe:f": row.function, "t:sched/sched_switch": row.tracepoint} {
			want = strings.Replace(want, "/ 1 /", "{ @ = sum(arg0); }", 1)
			script := checked(t, spec+" "+row.text)
			got := ""
			for _, c := range script.Clauses {
				got += clauseText(c)
			}
			if got != want {
				t.Errorf("%s %s\nbecomes %s\nnot     %s", spec, row.text, got, want)
			}
			for _, w := range script.Warnings {
				if strings.Contains(w.Msg, "always") && !strings.Contains(row.text, "== 7") {
					t.Errorf("%s %s: %s", spec, row.text, w.Msg)
				}
			}
			if (want == "") != strings.Contains(script.Notes.Error(), "is absent: all that it does") {
				t.Errorf("%s %s: notes %v", spec, row.text, script.Notes)
			}
		}
	}
}

func clauseText(c *Clause) string {
	text := oneLine(c.Body)
	if c.Pred != nil {
		text = "/ " + c.Pred.String() + " / " + text
	}
	return text
}

// TestExistsByScope: of one body each group of sites has its own.
func TestExistsByScope(t *testing.T) {
	script := checked(t, "kprobe:nowhere ? t:sched/sched_switch, trace:sched/sched_switch, kprobe:g { @[exists(arg0) ? arg0 : exists(prev_pid) ? 1 : exists(data->bytes) ? 2 : 3] = count(); }")
	var got []string
	for _, c := range script.Clauses {
		got = append(got, c.Spec.String()+" "+clauseText(c))
	}
	want := `t:sched/sched_switch { @[2] = count(); }
trace:sched/sched_switch { @[1] = count(); }
kprobe:g { @[arg0] = count(); }`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// TestExistsTellsTypes: what is cut out is typed all the same.
func TestExistsTellsTypes(t *testing.T) {
	script := checked(t, `
kprobe:f { if (exists(data->x)) { @start[tid] = time; @gone[data->x] = count(); } @n = count(); }
kprobe:g / @start[tid] / { @wait = quantize(time - @start[tid]); }`)
	var got []string
	for _, m := range script.Maps {
		got = append(got, mapText(m))
	}
	want := "map @start[s64] of timestamp\nmap @n[] count()\nmap @wait[] quantize() of duration"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if len(script.Absent) != 1 || script.Absent[0].Name != "@gone" {
		t.Errorf("maps that are absent: %v", script.Absent)
	}
}

// TestExistsUses: what a probe asks for counts among what it uses, but not as the
// use of a whole record.
func TestExistsUses(t *testing.T) {
	script, err := Parse(&Source{Text: "t:sched/sched_switch / exists(data) && exists(args->prev_pid) && exists(kprobe:f) / { }"})
	if err != nil {
		t.Fatal(err)
	}
	env := &scopeRecorder{fakeEnv: newFakeEnv()}
	if err := Check(script, env); err != nil {
		t.Fatal(err)
	}
	uses := env.uses[0]
	if sorted(uses.Names) != "args data" || sorted(uses.Members) != "prev_pid" || uses.Whole["data"] || uses.Whole["args"] {
		t.Errorf("%+v", uses)
	}
}
