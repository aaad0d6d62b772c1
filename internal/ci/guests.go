package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// A guestKernel is another kernel that tests run on. What it has is written here
// and not asked, so that a test cannot be skipped by mistake.
type guestKernel struct {
	version, arch string
	kprobeMulti   bool
	optional      bool // where the mirror cannot deliver it, the tests are left out
	tests         []guestTest
	flags         string // of internal/guest/run
}

// guestKernels are the oldest supported, the newest, the oldest Debian kernel
// with kprobe_multi, and one on each other architecture. That of riscv64 is on
// mirrors less reliably: Debian's stable releases had none for long.
//
// On riscv64 the end of a signal's handler looks to the tracepoints of system
// calls like another return of the call before (kernel.Arch has more), and Go
// interrupts its threads by signals. Without them these tracepoints count
// exactly.
var guestKernels = []guestKernel{
	{"5.10", "amd64", false, false, guestTests, modules},
	{"6.12", "amd64", true, false, guestTests, modules},
	{"7", "amd64", true, false, guestTests, modules},
	{"6.12", "arm64", false, false, archTests, ""},
	{"7", "riscv64", true, true, archTests, "-env GODEBUG=asyncpreemptoff=1"},
}

// modules are those whose functions tests look for.
const modules = "-load veth -load dummy"

func (k guestKernel) String() string { return fmt.Sprintf("guest kernel %s on %s", k.version, k.arch) }

// A guestTest is a package whose tests run in a guest: run and skip are go
// test's flags of these names, and run must match a test.
type guestTest struct{ pkg, run, skip string }

// guestTests are all tests that differ between kernels. What needs no kernel is
// skipped, because emulation is slow.
var guestTests = []guestTest{
	{"./internal/need", ".", ""},
	{"./bpfgen/kernel", "Running|Prober", ""},
	{"./bpfgen", ".", "Plans|Provider|^TestParse|RangesOf|BucketRanges|LargeScripts"},
	{"./internal/property", "RandomScripts|TracedScripts|Expressions", ""},
	{"./tracer", ".", ""},
	{"./internal/conformance", "Records|Ply24", ""},
	{"./docs", "ExamplesOfTheReference$", ""},
	{"./cli", "Program$|TestRun$|RunReads|FullDisk|BinaryNamedPly|Kprobe|EachCapability|HardwareEvents|CPUGoes|SIGTERMEndsCleanly|OneScript|PortInUse|OwnMetrics|Prometheus|LostEvents|ExitInBEGIN", ""},
	{"./cli", "LockdownLevels", ""}, // a boot of its own: there is no way back
}

// archTests are the tests that differ between architectures: registers,
// arguments, system calls, what the just-in-time compiler makes.
var archTests = []guestTest{
	{"./bpfgen/kernel", "Running|Prober", ""},
	{"./bpfgen", ".", "Plans|Provider|^TestParse|RangesOf|BucketRanges|Exactly|Random|LargeScripts"},
	{"./tracer", "Scripts|Kprobe|Cookies|RawTracepoint|PerfEvent|Storages|Detect", ""},
	{"./internal/conformance", "Records/(providers|kprobes|registers|errors|real)", ""},
	{"./cli", "Run$|Program$|BinaryNamedPly|KprobeAtAddress", ""},
}

// qemuCommands is what boots each architecture, and Debian's package of it.
var qemuCommands = map[string]struct{ command, debian string }{
	"amd64":   {"qemu-system-x86_64", "qemu-system-x86"},
	"arm64":   {"qemu-system-aarch64", "qemu-system-arm"},
	"riscv64": {"qemu-system-riscv64", "qemu-system-misc"},
}

// guestsAtOnce is how many guests run side by side: each keeps one processor
// busy, whatever the number of its own.
var guestsAtOnce = min(2, runtime.NumCPU())

// runGuests runs the tests of every guest kernel, or of those that are named:
// "6.12" or "6.12-arm64".
func (s *suite) runGuests(host facts, only string) {
	found := false
	var jobs []job
	for _, k := range guestKernels {
		if only != "" && only != k.version && only != k.version+"-"+k.arch {
			continue
		}
		found = true
		qemu := qemuCommands[k.arch]
		if _, err := exec.LookPath(qemu.command); err != nil {
			s.missing(host, "%v: install %s", k, qemu.debian)
			continue
		}
		if s.fetch(k) {
			jobs = append(jobs, k.jobs()...)
		}
	}
	if !found {
		s.fault("no guest kernel %s in the table (internal/ci/guests.go)", only)
	}
	s.runAll(jobs, guestsAtOnce)
}

// fetchLimit is how long a download may take; a mirror can stop in the middle of
// one and say nothing.
const fetchLimit = "5m"

// fetch has Debian's kernel in the cache, and a shell for it.
func (s *suite) fetch(k guestKernel) bool {
	commands := [][]string{{"internal/guest/fetch-kernel", k.version, k.arch}}
	if k.arch != runtime.GOARCH {
		commands = append(commands, []string{"internal/guest/fetch-busybox", k.arch})
	}
	for _, argv := range commands {
		cmd := exec.Command("timeout", append([]string{fetchLimit}, argv...)...) // which ends what the script has started, too
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			s.unfetched(k, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err))
			return false
		}
	}
	return true
}

// unfetched notes that the mirror does not deliver a kernel, or a shell for it.
func (s *suite) unfetched(k guestKernel, err error) {
	if !k.optional {
		s.fault("%v: %v", k, err)
		return
	}
	fmt.Fprintf(s.out, "==> %v is LEFT OUT: %v\n", k, err)
	s.leaveOut("ALL TESTS ON %s: no suite of this machine's Debian mirror delivers a kernel (%v)", k.arch, err)
}

// jobs boot one guest for each package: a boot takes six seconds, which buys go
// test's own selection, time limits and report.
func (k guestKernel) jobs() []job {
	here, err := os.Getwd()
	if err != nil {
		panic(err) // the folder of the sources is where this command was started
	}
	runner := fmt.Sprintf("'%s/internal/guest/run' %s %s -q -timeout 9m %s --", here, k.version, k.arch, k.flags)
	has := facts{release: k.version, root: true, bpf: true, kprobes: true, kprobeMulti: k.kprobeMulti, guest: true}
	var jobs []job
	for _, t := range k.tests {
		jobs = append(jobs, job{
			name:     k.String(),
			kernel:   has,
			packages: []string{t.pkg},
			args:     []string{"-run", t.run, "-skip", t.skip, "-exec", runner},
			env:      []string{"GOARCH=" + k.arch},
		})
	}
	return jobs
}
