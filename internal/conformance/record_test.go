package conformance

import (
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

func TestParse(t *testing.T) {
	records, err := Parse("x.txt", "# comment\n\nNAME one\nFLAGS -f json\nARGS a b\nPROG BEGIN {\n\t# of the script\n\texit(3); }\nEXPECT\na\n\nb  \n\n# comment\n\nNAME two\nPROG BEGIN { }\nSTATUS 3\n")
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, error %v", len(records), err)
	}
	one, two := records[0], records[1]
	if one.Prog != "BEGIN {\n\t# of the script\n\texit(3); }\n" || strings.Join(one.Expect, "|") != "a|b" ||
		strings.Join(one.Args, "|") != "a|b" || one.Line != 3 {
		t.Errorf("%+v", one)
	}
	if two.Status != 3 || two.Name != "two" || two.Expect != nil {
		t.Errorf("%+v", two)
	}
}

// What is wrong with a record is said at its line.
func TestParseErrors(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"PROG BEGIN { }", "x.txt:1: a record begins with NAME"},
		{"NAME a\nPROG BEGIN { }\nNAME a\nPROG BEGIN { }", `x.txt:3: the name "a" is empty or was used before`},
		{"NAME a\nEXPECT\nx", "x.txt:1: a: PROG is missing"},
		{"NAME a\nPROG x\nSTATUS many\n", "x.txt:3: STATUS: strconv.Atoi: parsing \"many\": invalid syntax"},
		{"NAME a\nPROG x\nEXPECT_RE\n(\n", "x.txt:3: EXPECT_RE: error parsing regexp: missing closing ): `(`"},
		{"NAME a\nPROG x\nEXPECT\na\nEXPECT_RE\nb\n", "x.txt:1: a: EXPECT and EXPECT_RE exclude each other"},
	} {
		if _, err := Parse("x.txt", row.text); err == nil || err.Error() != row.want {
			t.Errorf("%q: %v, want %s", row.text, err, row.want)
		}
	}
}

func TestCheck(t *testing.T) {
	r := Record{Patterns: []string{"[0-9]+ ns(\\n  .*)*", "x"}, Status: 2}
	for _, row := range []struct {
		got  Result
		want string
	}{
		{Result{Output: "\n12 ns\nx\n", Status: 2}, ""},
		{Result{Output: "12 ns\n  y\n  z\nx\n", Status: 2}, ""},
		{Result{Output: "12 ns\ny\nx\n", Status: 2}, "output\n    12 ns\n    y\n    x\nwant\n    [0-9]+ ns(\\n  .*)*\n    x\n"},
		{Result{Output: "12 ns\nx\n"}, "status 0, want 2; it says\n    (nothing)\n"},
		{Result{Output: "12 nsec\nx\n", Status: 2}, "output\n    12 nsec\n    x\nwant\n    [0-9]+ ns(\\n  .*)*\n    x\n"},
		{Result{Output: "12 ns\nx\n", Status: 2, Warnings: []string{"w"}}, "warnings\n    w\nwant\n    (nothing)\n"},
	} {
		if got := r.Check(row.got); got != row.want {
			t.Errorf("%+v: %q, want %q", row.got, got, row.want)
		}
	}
}

// What run writes to standard error is taken apart into errors and warnings.
func TestReadDiagnostics(t *testing.T) {
	var r Result
	err := r.read(`warning: script:1:9: this is never reached
    BEGIN { x }
            ^
warning: script:2:1: @m may miss a value on this kernel when one probe interrupts another
script:1:3: no such thing
    BEGIN { script:1:4: no position }
2 probes active
ply-exporter: command: exit status 3
de-activating probes
`)
	if err != nil || strings.Join(r.Warnings, "|") != "script:1:9: this is never reached" || strings.Join(r.Errors, "|") != "script:1:3: no such thing" {
		t.Errorf("%+v, error %v", r, err)
	}
	if err := r.read("1 probe active\nply-exporter: @: cannot be read\n"); err == nil || err.Error() != "ply-exporter: @: cannot be read" {
		t.Errorf("error %v", err)
	}
}

// A process beside the script gets its line when the probes count, and its process ID is
// put where the script names it.
func TestBeside(t *testing.T) {
	need.BPF(t)
	res, err := Run(Script{
		Prog:   `BEGIN { print("script"); } tracepoint:syscalls/sys_enter_umask / pid == BESIDE / { @ = max(1); }`,
		Beside: "echo ready; read line; umask 0123; exit 3",
	})
	if err != nil || res.Status != 0 || strings.Join(lines(res.Output), "|") != "script|@: 1" {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := Run(Script{Prog: `BEGIN { print(1); } END { print(2); }`, Beside: "echo; exit 3"}); err != nil || strings.Join(lines(res.Output), "|") != "1|2" {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := Run(Script{Prog: "BEGIN { }", Beside: "exit 3"}); err == nil || !strings.Contains(err.Error(), "says no line") {
		t.Error(err)
	}
}
