package cli

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// here reads the register that says what runs.
var here = map[string]string{"amd64": `reg("ip")`, "arm64": `reg("pc")`, "riscv64": `reg("pc")`}[runtime.GOARCH]

// Processes that have ended have names, and those of one function are one row. perl calls
// a function of the C library that it is linked with.
func TestUserSymbols(t *testing.T) {
	need.BPF(t)
	need.Command(t, "perl")
	const calls = `for i in 1 2 3; do perl -e 'rmdir "/nonexistent/x" for 1..100'; done`
	r := ply(t, "run", "-c", calls, `uprobe:libc.so.6:rmdir / str(arg0) == "/nonexistent/x" / { @at[usym(`+here+`)] = count(); @next[usym(`+here+` + 3)] = count(); }
		END { @none = usym(0); }`)
	for _, want := range []string{"@at:\nrmdir                300\n", "@next:\nrmdir+0x3            300\n", "@none: 0x0\n"} {
		if r.status != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("want %q: %+v", want, r)
		}
	}
}

// They are one series, too, whose label is named after the function.
func TestUserSymbolsAsLabels(t *testing.T) {
	need.BPF(t)
	perl := need.Command(t, "perl")
	s := startServer(t, "scripts:\n  - name: a\n    script: |\n"+
		"      uprobe:libc.so.6:rmdir / str(arg0) == \"/nonexistent/y\" / { @calls[usym("+here+")] = count(); }\n")
	for range 3 {
		if err := exec.Command(perl, "-e", `rmdir "/nonexistent/y" for 1..100`).Run(); err != nil {
			t.Fatal(err)
		}
	}
	const want = `ply_a_calls_total{usym="rmdir"} 300`
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, body := s.get(t, "/metrics")
		if strings.Contains(body, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s in\n%s", want, body)
		}
	}
}
