package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// guestKernels are the other kernels that tests run on: the oldest supported,
// the newest, the oldest Debian kernel with kprobe_multi, and one on another
// architecture. What a kernel has is written here and not asked, so that a test
// cannot be skipped by mistake.
var guestKernels = []struct {
	version, arch string
	kprobeMulti   bool
	tests         []guestTest
	named         bool // runs only when it is named: make guests KERNEL=6.12-arm64
}{
	{"5.10", "amd64", false, guestTests, false},
	{"6.12", "amd64", true, guestTests, false},
	{"7.3", "amd64", true, guestTests, false},
	{"6.12", "arm64", false, archTests, true},
}

// A guestTest is a package whose tests run in a guest: run and skip are go
// test's flags of these names, and run must match a test.
type guestTest struct{ pkg, run, skip string }

// guestTests are all tests that differ between kernels. What needs no kernel is
// skipped, because emulation is slow.
var guestTests = []guestTest{
	{"./internal/need", ".", ""},
	{"./bpfgen/kernel", "Running|Prober", ""},
	{"./bpfgen", ".", "Plans|Provider|^TestParse|RangesOf|BucketRanges"},
	{"./internal/property", "RandomScripts|TracedScripts|Expressions", ""},
	{"./tracer", ".", ""},
	{"./internal/conformance", "Records|Ply24", ""},
	{".", "Program$|TestRun$|RunReads|FullDisk|BinaryNamedPly|Kprobe|SIGTERMEndsCleanly|OneScript|PortInUse|OwnMetrics|Prometheus", ""},
}

// archTests are the tests that differ between architectures: registers,
// arguments, system calls, what the just-in-time compiler makes.
var archTests = []guestTest{
	{"./bpfgen/kernel", "Running|Prober", ""},
	{"./bpfgen", ".", "Plans|Provider|^TestParse|RangesOf|BucketRanges|Exactly|Random"},
	{"./tracer", "Scripts|Kprobe|Cookies|RawTracepoint|PerfEvent|Storages|Detect", ""},
	{"./internal/conformance", "Records/(providers|kprobes|registers|errors)", ""},
	{".", "Run$|Program$|BinaryNamedPly|Kprobe", ""},
}

// qemuCommands is what boots each architecture, and Debian's package of it.
var qemuCommands = map[string]struct{ command, debian string }{
	"amd64":   {"qemu-system-x86_64", "qemu-system-x86"},
	"arm64":   {"qemu-system-aarch64", "qemu-system-arm"},
	"riscv64": {"qemu-system-riscv64", "qemu-system-misc"},
}

// runGuests runs the tests of every guest kernel, or of those that are named:
// "6.12" or "6.12-arm64".
func (s *suite) runGuests(host facts, only string) {
	found := false
	for _, k := range guestKernels {
		if only == "" && k.named || only != "" && only != k.version && only != k.version+"-"+k.arch {
			continue
		}
		found = true
		qemu := qemuCommands[k.arch]
		if _, err := exec.LookPath(qemu.command); err != nil {
			s.missing(host, "guest kernel %s on %s: install %s", k.version, k.arch, qemu.debian)
			continue
		}
		s.runGuest(k.version, k.arch, k.tests, facts{
			release: k.version, root: true, bpf: true, kprobes: true, kprobeMulti: k.kprobeMulti, guest: true,
		})
	}
	if !found {
		s.fault("no guest kernel %s in the table (internal/ci/guests.go)", only)
	}
}

// runGuest boots one guest for each package: a boot takes six seconds, which
// buys go test's own selection, time limits and report.
func (s *suite) runGuest(version, arch string, tests []guestTest, kernel facts) {
	root, err := filepath.Abs("internal/guest")
	if err != nil {
		s.fault("%v", err)
		return
	}
	fetch := exec.Command(root+"/fetch-kernel", version, arch)
	fetch.Stderr = os.Stderr
	if err := fetch.Run(); err != nil {
		s.fault("guest kernel %s on %s: fetch-kernel: %v", version, arch, err)
		return
	}
	runner := fmt.Sprintf("'%s/run' %s %s -q -timeout 9m -load veth -load dummy --", root, version, arch)
	for _, t := range tests {
		s.run(job{
			name:     fmt.Sprintf("guest kernel %s on %s", version, arch),
			kernel:   kernel,
			packages: []string{t.pkg},
			args:     []string{"-run", t.run, "-skip", t.skip, "-exec", runner},
			env:      []string{"GOARCH=" + arch},
		})
	}
}
