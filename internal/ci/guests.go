package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"ply-exporter/internal/need"
)

// A guestKernel is another kernel that tests run on. What it has is written here
// and not asked, so that a test cannot be skipped by mistake.
type guestKernel struct {
	version, arch string
	kprobeMulti   bool
	optional      bool     // where the mirror cannot deliver it, the tests are left out
	scopes        []scope  // the tests that it runs, but for those that are last
	flags         []string // of internal/guest/run
}

// guestKernels are the newest, the oldest Debian kernel with kprobe_multi, the
// oldest supported, and one on each other architecture. Those that take longest
// come first, so that none is left alone at the end. That of riscv64 is on
// mirrors less reliably: Debian's stable releases had none for long. What
// differs between architectures runs on 6.12 on arm64, and not on amd64, too.
//
// On riscv64 the end of a signal's handler looks to the tracepoints of system
// calls like another return of the call before (kernel.Arch has more), and Go
// interrupts its threads by signals. Without them these tracepoints count
// exactly.
var guestKernels = []guestKernel{
	{"7", "amd64", true, false, append([]scope{ends}, pcScopes...), modules},
	{need.Oldest, "amd64", false, false, append([]scope{ends}, pcScopes...), modules},
	{"6.12", "amd64", true, false, []scope{one, kernels}, append(manyCPUs, modules...)},
	{"7", "riscv64", true, true, []scope{arches}, []string{"-env", "GODEBUG=asyncpreemptoff=1"}},
	{"6.12", "arm64", false, false, []scope{arches}, nil},
}

var pcScopes = []scope{kernels, arches}

// manyCPUs makes per-CPU memory that of a larger machine: of 16 CPUs the kernel
// uses two.
var manyCPUs = []string{"-cpus", "16", "-append", "maxcpus=2"}

// modules are those whose functions tests look for, and disks.
var modules = []string{"-load", "veth", "-load", "dummy", "-load", "loop", "-load", "configfs", "-load", "null_blk"}

func (k guestKernel) String() string { return fmt.Sprintf("guest kernel %s on %s", k.version, k.arch) }

// qemuCommands is what boots each architecture, and Debian's package of it.
var qemuCommands = map[string]struct{ command, debian string }{
	"amd64":   {"qemu-system-x86_64", "qemu-system-x86"},
	"arm64":   {"qemu-system-aarch64", "qemu-system-arm"},
	"riscv64": {"qemu-system-riscv64", "qemu-system-misc"},
}

// guestJobs are the jobs of every guest kernel, or of those that are named:
// "6.12" or "6.12-arm64". One that is named runs what one or two of them are enough for, too.
func (s *suite) guestJobs(host facts, tests *tests, only string) (jobs []job) {
	found := false
	for _, k := range guestKernels {
		if only != "" && only != k.version && only != k.version+"-"+k.arch {
			continue
		}
		found = true
		if only != "" && slices.Contains(k.scopes, kernels) {
			k.scopes = append([]scope{one, ends}, pcScopes...)
		}
		qemu := qemuCommands[k.arch]
		if _, err := exec.LookPath(qemu.command); err != nil {
			s.missing(host, "%v: install %s", k, qemu.debian)
			continue
		}
		if s.fetch(k) {
			jobs = append(jobs, k.job(tests))
		}
	}
	if !found {
		s.fault("no guest kernel %s in the table (internal/ci/guests.go)", only)
	}
	return jobs
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

// job runs tests of a kernel in one boot.
func (k guestKernel) job(tests *tests) job {
	has := facts{release: k.version, root: true, bpf: true, kprobes: true, kprobeMulti: k.kprobeMulti, guest: true}
	return job{
		name:     k.String(),
		kernel:   has,
		programs: func() ([]program, error) { return k.programs(tests) },
		runTests: func(s *suite, j job, programs []program) []*results {
			args := append([]string{k.version, k.arch, "-m", "1024", "-timeout", "30m"}, k.flags...)
			return s.runGuest(j, exec.Command("internal/guest/run", append(append(args, "--"), argsOf(programs)...)...), programs)
		},
	}
}

// programs are the test binaries for the guest, at the end those after
// which the kernel is of no use.
func (k guestKernel) programs(tests *tests) ([]program, error) {
	all, err := tests.programs(k.arch, k.scopes...)
	if err != nil || !slices.Contains(k.scopes, ends) {
		return all, err
	}
	ends, err := tests.programs(k.arch, last)
	return append(all, ends...), err
}
