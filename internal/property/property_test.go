package property

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

var (
	scripts = flag.Int("scripts", 0, "random scripts to run in a guest; 0 for the share of its kernel")
	seed    = flag.Int64("seed", 0, "seed of the first random script; 0 for the share of the kernel")
)

// A share is the seeds whose scripts run on one kernel.
type share struct {
	release string // the first two numbers of the kernel's
	seed    int64
	scripts int
}

// shares divides 1,000 scripts among the guest kernels, fewer where the
// verifier takes longer, and fewest where code is as on an older or a newer one. The last is for other kernels. Whoever changes the code
// generator runs more of them by -scripts.
var shares = []share{
	{"5.10", 1, 600},
	{"6.12", 601, 100},
	{"7.3", 901, 300},
	{"", 1201, 300},
}

// ownShare is what this kernel is to run, unless the flags say otherwise.
func ownShare() share {
	i := slices.IndexFunc(shares, func(s share) bool {
		return s.release == "" || strings.HasPrefix(need.Release(), s.release+".")
	})
	own := shares[i]
	if *seed != 0 {
		own.seed = *seed
	}
	if *scripts != 0 {
		own.scripts = *scripts
	}
	return own
}

// TestRandomScripts runs scripts in the kernel and compares what they leave in
// their maps with what the reference evaluator says. A failure names the seed,
// and prints the smallest script that fails in the same way.
func TestRandomScripts(t *testing.T) {
	need.Guest(t)
	frugal()
	own := ownShare()
	runScripts(t, own.seed, own.scripts, func(seed int64) subject { return begins(seed, observeLoaded) })
}

// frugal makes the most of an emulated CPU: garbage is collected only when
// memory is short, and no second thread looks for work.
func frugal() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(200 << 20)
}

// TestTracedScripts runs a few scripts through the tracer, on any machine.
func TestTracedScripts(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	runtime.LockOSThread() // the thread that the scripts ask for
	defer runtime.UnlockOSThread()
	first := ownShare().seed + 1<<32
	runScripts(t, first, 5, func(seed int64) subject { return begins(seed, observeTraced) })
	runScripts(t, first, 15, traces)
}

// A subject is a script, how to run it, and what is to come of it.
type subject struct {
	text    string
	observe observer
	expect  func(*plylang.Script) ([]string, error)
}

// begins is a script of BEGIN clauses.
func begins(seed int64, observe observer) subject {
	return subject{randomScript(seed), observe, func(s *plylang.Script) ([]string, error) { return evaluateBegin(s, here()) }}
}

// traces is a script with probes at system calls.
func traces(seed int64) subject {
	t := tracedScript(seed)
	var calls []call
	observe := func(k *kernel.Kernel, obj *object.Object) ([]string, error) {
		return observeWhile(k, obj, func() { calls = makeCalls() })
	}
	return subject{t.text, observe, func(s *plylang.Script) ([]string, error) { return t.evaluate(s, here(), calls) }}
}

// maxFailures is how many failures are worth the time to shrink their scripts.
const maxFailures = 5

// runScripts runs the scripts of n seeds. Most must be well typed.
func runScripts(t *testing.T, first int64, n int, make func(seed int64) subject) {
	k := live.Kernel(t)
	ran, failed := 0, 0
	for s := first; s < first+int64(n) && failed < maxFailures; s++ {
		script := make(s)
		fault := try(k, script)
		if fault == notCompiled {
			continue
		}
		ran++
		if fault != "" {
			failed++
			small, fault := shrunk(k, script, fault)
			t.Errorf("seed %d\n%s\n%s\n", s, small, fault)
		}
	}
	t.Logf("%d of %d scripts ran, from seed %d on", ran, n, first)
	if failed == 0 && ran < n*9/10 {
		t.Errorf("only %d of %d scripts are well typed", ran, n)
	}
}

// shrunk returns the smallest script with the same class of failure.
func shrunk(k *kernel.Kernel, s subject, fault string) (small, smallFault string) {
	class, _, _ := strings.Cut(fault, ":")
	again := func(smaller string) string {
		s.text = smaller
		return try(k, s)
	}
	small = shrink(s.text, func(smaller string) bool { return strings.HasPrefix(again(smaller), class+":") })
	return small, again(small)
}

// notCompiled is the fault of a script that is not well typed, which is none
// of the compiler's.
const notCompiled = "the script does not compile"

// try runs a script; its fault is empty when all is well, and begins with the
// class of the failure otherwise.
func try(k *kernel.Kernel, s subject) (fault string) {
	defer func() {
		if r := recover(); r != nil {
			fault = fmt.Sprintf("panic: %v", r)
		}
	}()
	obj, err := compile(k, s.text)
	if err != nil {
		return notCompiled
	}
	got, err := s.observe(k, obj)
	if err != nil {
		return "kernel: " + plylang.Detail(err)
	}
	want, err := s.expect(obj.Script)
	if err != nil {
		return "types: " + err.Error()
	}
	if !slices.Equal(got, want) {
		return "maps: got\n\t" + strings.Join(got, "\n\t") + "\nwant\n\t" + strings.Join(want, "\n\t")
	}
	return ""
}
