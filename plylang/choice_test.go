package plylang

import (
	"errors"
	"strings"
	"testing"
)

// TestChoices: of alternatives the first that exists is taken, and the body is
// checked for it alone. kprobe:nowhere does not exist.
func TestChoices(t *testing.T) {
	for _, row := range []struct{ script, clauses, notes string }{
		{"kprobe:a ? kprobe:b { @ = count(); }", "kprobe:a", ""},
		{"kprobe:nowhere ? kprobe:b { @ = count(); }", "kprobe:b", ""},
		{"kprobe:nowhere ? kprobe:nowhere ? kprobe:c ? kprobe:d { }", "kprobe:c", ""},
		{"kprobe:nowhere ? tracepoint:x/y { @ = sum(data->bytes); }", "tracepoint:x/y", ""},
		{"tracepoint:x/y ? kprobe:b / data->bytes / { @ = count(); }", "tracepoint:x/y", ""},
		{"kprobe:nowhere ? trace:x/y { @ = sum(bytes); }", "trace:x/y", ""},
		{"kprobe:nowhere ? kprobe:vfs_* { }", "kprobe:vfs_* kprobe:vfs_*", ""},
		{"kprobe:a ? kprobe:b, kprobe:nowhere ? kprobe:d { }", "kprobe:a kprobe:d", ""},
		{"kprobe:a ? { @ = count(); }", "kprobe:a", ""},
		{"kprobe:a ?, kprobe:nowhere ? { }", "kprobe:a", `1:13: kprobe:nowhere ? is absent: no function "nowhere"`},
		{"kprobe:nowhere ? { } BEGIN { @b = count(); }", "BEGIN", `1:1: kprobe:nowhere ? is absent: no function "nowhere"`},
		{"kprobe:nowhere ? kprobe:nowhere ? / arg0 / { }", "",
			`1:1: kprobe:nowhere ? kprobe:nowhere ? is absent: no function "nowhere"`},
		{"kprobe:nowhere ?", "", `1:1: kprobe:nowhere ? is absent: no function "nowhere"
1:17: @ is absent: nothing that runs on this kernel stores in it`},
	} {
		script := checked(t, row.script)
		var clauses, notes []string
		for _, c := range script.Clauses {
			clauses = append(clauses, c.Spec.String())
		}
		for _, n := range script.Notes {
			notes = append(notes, strings.TrimPrefix(n.Error(), "script:"))
		}
		if got := strings.Join(clauses, " "); got != row.clauses {
			t.Errorf("%s: clauses at %q, not %q", row.script, got, row.clauses)
		}
		if got := strings.Join(notes, "\n"); got != row.notes {
			t.Errorf("%s: notes\n%s\nwant\n%s", row.script, got, row.notes)
		}
	}
}

// TestChoiceErrors: a choice of which nothing exists says so of each, and what is
// wrong on every kernel is wrong whatever is taken.
func TestChoiceErrors(t *testing.T) {
	for _, row := range []struct {
		script, want string
		missing      bool
	}{
		{"kprobe:nowhere ? k:nowher? { @x = arg0; }",
			`1:1: this kernel has nothing of kprobe:nowhere ? k:nowher?: kprobe:nowhere: no function "nowhere"; k:nowher?: no function "nowher?"; with a "?" at the end the probe may be absent`, true},
		{"kprobe:a, kprobe:nowhere ? k:nowher? { }",
			`1:11: this kernel has nothing of kprobe:nowhere ? k:nowher?: kprobe:nowhere: no function "nowhere"; k:nowher?: no function "nowher?"; with a "?" at the end the probe may be absent`, true},
		{"kprobe:nowher? { }", `1:1: no function "nowher?"; the "?" is the glob's, a blank before it makes the probe one that may be absent`, true},
		{"kprobe:nowher?kprobe:f { }", `1:1: no function "nowher?kprobe:f"; the "?" is the glob's, between alternatives it has blanks around it: kprobe:nowher ? kprobe:f`, true},
		{"kprobe:nowher?@(a|b) { }", `1:1: no function "nowher?@(a|b)"`, true},
		{"kprobe:nowhere ?, kprobe:nowhere { }", `1:19: no function "nowhere"`, true},
		{"kprobe:a ? kprob:b { }", "", false}, // a prefix of its name
		{"kprobe:a ? karobe:b { }", `1:12: no probe provider named "karobe"`, false},
		{"kprobe:nowhere ? karobe:b { }", `1:18: no probe provider named "karobe"`, false},
		{"karobe:a ? kprobe:b { }", `1:1: no probe provider named "karobe"`, false},
		{"kprobe:a ? tracepoint:x/y { @ = sum(data->bytes); }", `1:37: data exists in tracepoint, not in kprobe`, false},
		{"kprobe:nowhere ? tracepoint:x/y { @[arg0] = count(); }", `1:37: arg0 exists in kprobe, not in tracepoint: its fields have names, as in data->reason`, false},
	} {
		script, err := Parse(&Source{Text: row.script})
		if err != nil {
			t.Fatal(Detail(err))
		}
		got := ""
		if err = Check(script, newFakeEnv()); err != nil {
			got = strings.TrimPrefix(err.Error(), "script:")
		}
		if got != row.want {
			t.Errorf("%s: got\n%s\nwant\n%s", row.script, got, row.want)
		}
		if errors.Is(err, ErrMissing) != row.missing {
			t.Errorf("%s: that it is this kernel's is %v", row.script, !row.missing)
		}
	}
}

// TestAbsentProbe: nothing is wrong with what is absent. What it stores tells the
// types of maps all the same, and that something is ever stored.
func TestAbsentProbe(t *testing.T) {
	script := checked(t, `
kprobe:nowhere ? { @start[tid] = time; @gone = sum(((struct nothing *)arg0)->size); @calls = count(); foo(bar); }
kprobe:f / @start[tid] / { @wait = quantize(time - @start[tid]); delete @start[tid]; clear(@calls); }`)
	var got []string
	for _, m := range script.Maps {
		got = append(got, mapText(m))
		if want := m.Name == "@wait"; m.Stored != want {
			t.Errorf("%s is stored in: %v", m.Name, m.Stored)
		}
	}
	want := "map @start[s64] of timestamp\nmap @calls[] count()\nmap @wait[] quantize() of duration"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if len(script.Absent) != 1 || mapText(script.Absent[0]) != "map @gone[] sum()" {
		t.Errorf("maps of absent probes alone are %v", script.Absent)
	}
	var notes []string
	for _, n := range script.Notes {
		notes = append(notes, n.Error())
	}
	if got, want := strings.Join(notes, "\n"), `script:2:1: kprobe:nowhere ? is absent: no function "nowhere"
script:2:40: @gone is absent: nothing that runs on this kernel stores in it
script:2:85: @calls is absent: nothing that runs on this kernel stores in it`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(script.Warnings) > 0 {
		t.Error(script.Warnings)
	}
}

// TestGluedQuestion: a "?" without a blank before it is a glob's, and the probe that
// follows another one.
func TestGluedQuestion(t *testing.T) {
	for text, warned := range map[string]bool{
		"kprobe:a? kprobe:b { }":        true,
		"kprobe:a?\nkprobe:b { }":       false,
		"kprobe:a? ? kprobe:b { }":      false,
		"kprobe:a ? kprobe:b { }":       false,
		"kprobe:a? { } kprobe:b { }":    false,
		"kprobe:a?, kprobe:b { }":       false,
		"kprobe:x ? kprobe:a? BEGIN {}": true,
	} {
		script, err := Parse(&Source{Text: text})
		if err != nil {
			t.Fatal(Detail(err))
		}
		if (len(script.Warnings) > 0) != warned {
			t.Errorf("%q: warnings %v", text, script.Warnings)
		}
	}
}
