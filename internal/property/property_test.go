package property

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

var (
	scripts = flag.Int("scripts", 500, "random scripts to run in a guest")
	seed    = flag.Int64("seed", 1, "seed of the first random script")
)

// TestRandomScripts runs scripts in the kernel and compares what they leave in
// their maps with what the reference evaluator says. A failure names the seed,
// and prints the smallest script that fails in the same way.
func TestRandomScripts(t *testing.T) {
	need.Guest(t)
	runScripts(t, *seed, *scripts, observeLoaded)
}

// TestTracedScripts runs a few scripts through the tracer, on any machine.
func TestTracedScripts(t *testing.T) {
	runScripts(t, *seed+1<<32, 15, observeTraced)
}

// maxFailures is how many failures are worth the time to shrink their scripts.
const maxFailures = 5

// runScripts runs the scripts of n seeds. Most must be well typed.
func runScripts(t *testing.T, first int64, n int, observe observer) {
	k := live(t)
	ran, failed := 0, 0
	for s := first; s < first+int64(n) && failed < maxFailures; s++ {
		text := Script(s)
		fault := try(k, text, observe)
		if fault == notCompiled {
			continue
		}
		ran++
		if fault != "" {
			failed++
			small, fault := shrunk(k, text, fault, observe)
			t.Errorf("seed %d\n%s\n%s\n", s, small, fault)
		}
	}
	t.Logf("%d of %d scripts ran", ran, n)
	if failed == 0 && ran < n*9/10 {
		t.Errorf("only %d of %d scripts are well typed", ran, n)
	}
}

// shrunk returns the smallest script with the same class of failure as text.
func shrunk(k *kernel.Kernel, text, fault string, observe observer) (small, smallFault string) {
	class, _, _ := strings.Cut(fault, ":")
	small = Shrink(text, func(smaller string) bool {
		return strings.HasPrefix(try(k, smaller, observe), class+":")
	})
	return small, try(k, small, observe)
}

// notCompiled is the fault of a script that is not well typed, which is none
// of the compiler's.
const notCompiled = "the script does not compile"

// try runs a script; its fault is empty when all is well, and begins with the
// class of the failure otherwise.
func try(k *kernel.Kernel, text string, observe observer) (fault string) {
	defer func() {
		if r := recover(); r != nil {
			fault = fmt.Sprintf("panic: %v", r)
		}
	}()
	obj, err := compile(k, text)
	if err != nil {
		return notCompiled
	}
	got, err := observe(k, obj)
	if err != nil {
		return "kernel: " + plylang.Detail(err)
	}
	if want := Evaluate(obj.Script); !slices.Equal(got, want) {
		return "maps: got\n\t" + strings.Join(got, "\n\t") + "\nwant\n\t" + strings.Join(want, "\n\t")
	}
	return ""
}
