package tracer

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// returnSeven is a function that returns 7.
var returnSeven = map[string]string{
	"amd64":   "\xb8\x07\x00\x00\x00\xc3",
	"arm64":   "\xe0\x00\x80\x52\xc0\x03\x5f\xd6",
	"riscv64": "\x13\x05\x70\x00\x67\x80\x00\x00",
}

// In a program that is written in place the kernel would go on to execute the instructions
// that were there before. All probes in it end, those of other scripts too, and the script
// can start again; probes elsewhere go on.
func TestProgramsThatAreWrittenInPlace(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	program, other := filepath.Join(t.TempDir(), "app"), filepath.Join(t.TempDir(), "other")
	copyProgram(t, bash, program)
	copyProgram(t, bash, other)
	build := func(script string) *object.Object {
		return compile(t, strings.NewReplacer("APP", program, "OTHER", other).Replace(script))
	}
	objects := []*object.Object{
		build("uprobe:APP:colon_builtin { @ = count(); } uprobe:OTHER:colon_builtin { @o = count(); }"),
		build("uretprobe:APP:colon_builtin { @ = count(); }"),
	}
	var tracers []*Tracer
	for _, obj := range objects {
		tracers = append(tracers, start(t, obj, testOptions(t)))
	}
	colon := func(program string, want int) {
		t.Helper()
		cmd := exec.Command(program, "-c", "for i in 1 2 3; do :; done; exit $?")
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != want {
			t.Errorf("%v, want status %d", err, want)
		}
	}
	colon(program, 0)
	for i, tr := range tracers {
		expectCount(t, tr, 0, "3")
		if tr.MustStartAgain() {
			t.Errorf("script %d has to start again", i)
		}
	}

	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	at := objects[0].Programs[0].Points[0].Site.(object.UserFunction).Offset
	copy(text[at:], returnSeven[runtime.GOARCH])
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, tr := range tracers {
		eventually(t, "it is noticed", tr.MustStartAgain)
		if s := tr.Probes()[0]; s.Attached || s.Err == nil || !strings.Contains(s.Err.Error(), program+" was written to") {
			t.Errorf("script %d: attached %t, %v", i, s.Attached, s.Err)
		}
	}
	colon(program, 7)
	colon(other, 0)
	expectCount(t, tracers[0], 0, "3")
	expectCount(t, tracers[0], 1, "3")
	again := start(t, build("uprobe:APP:colon_builtin { @ = count(); }"), testOptions(t))
	colon(program, 7)
	expectCount(t, again, 0, "3")
}

// expectCount expects a count without a key in the i-th map.
func expectCount(t *testing.T, tr *Tracer, i int, want string) {
	t.Helper()
	m := tr.obj.Maps[i]
	rows, err := tr.Rows(m)
	if err != nil || len(rows) != 1 || m.Read(rows[0].Value).Number.String() != want {
		t.Errorf("%s: %v, %v, want %s", m.Name, rows, err, want)
	}
}
