package tracer

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/guest"
	"ply-exporter/internal/need"
)

// A probe in a module that is removed is said to be gone, and the module to be back when it
// is loaded again.
func TestModulesThatGo(t *testing.T) {
	need.OneGuest(t)
	need.Guest(t)
	need.Kprobes(t)
	found, _ := filepath.Glob(guest.ModulesDir + "/*dummy.ko")
	if len(found) != 1 {
		t.Fatalf("modules %q", found)
	}
	insert := "insmod " + found[0]
	_ = exec.Command("sh", "-c", insert).Run() // it may be there
	tr := start(t, compile(t, `kprobe:dummy:dummy_setup { @ = count(); }`), testOptions(t))
	is := func(when string, attached, returned bool) {
		t.Helper()
		s := tr.Probes()[0]
		if s.Attached != attached || tr.MustStartAgain() != returned {
			t.Errorf("%s: attached %t, returned %t", when, s.Attached, tr.MustStartAgain())
		}
		if !attached && (s.Err == nil || !strings.HasPrefix(s.Err.Error(), "module dummy was removed")) {
			t.Errorf("%s: %v", when, s.Err)
		}
	}
	run := func(command string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	is("at the start", true, false)
	run("rmmod dummy")
	is("without the module", false, false)
	run(insert)
	is("when it is back", false, true)
}
