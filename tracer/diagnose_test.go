package tracer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// asHelper makes the test binary start a script and print the error, with the
// capabilities that the variable lists and no others.
const asHelper = "PLY_TEST_START_WITH"

func TestMain(m *testing.M) {
	keep, ok := os.LookupEnv(asHelper)
	switch call := os.Getenv(asFiltered); {
	case call != "":
		forbid(call)
	case !ok:
		os.Exit(m.Run())
	case keep != "":
		dropOthers(keep)
	default:
		startAsHelper()
	}
}

func startAsHelper() {
	b := newObject("")
	cell := b.addMap(cellMap())
	b.program(object.AttachTracepoint, "raw_syscalls/sys_enter", points(sysEnter), cellAdd(cell))
	tr, err := Start(b.build(), Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer tr.Close()
	fmt.Println("started")
}

// dropOthers takes all capabilities but some out of the bounding set, and
// executes this program again, which makes that count.
func dropOthers(keep string) {
	runtime.LockOSThread()
	limit := unix.Rlimit{Cur: 64 << 10, Max: 64 << 10} // the default of kernel 5.10
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for c := range unix.CAP_LAST_CAP + 1 {
		if !strings.Contains(keep, fmt.Sprintf(" %d ", c)) {
			unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		}
	}
	os.Setenv(asHelper, "")
	fmt.Println(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	os.Exit(1)
}

// What a process lacks is named.
func TestPrivileges(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	perf := "started"
	if level, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid"); strings.TrimSpace(string(level)) == "3" {
		perf = "kernel.perf_event_paranoid is 3"
	}
	if chargesMemlock() {
		perf = "grant CAP_SYS_RESOURCE"
	}
	for _, row := range []struct {
		name string
		keep []int
		want string
	}{
		{"nothing", nil, "run as root, or grant CAP_BPF and CAP_PERFMON"},
		{"CAP_BPF", []int{unix.CAP_BPF}, "run as root, or grant CAP_PERFMON"},
		{"CAP_PERFMON", []int{unix.CAP_PERFMON}, "run as root, or grant CAP_BPF"},
		{"both", []int{unix.CAP_BPF, unix.CAP_PERFMON}, perf},
		{"CAP_SYS_ADMIN", []int{unix.CAP_SYS_ADMIN, unix.CAP_SYS_RESOURCE}, "started"},
	} {
		t.Run(row.name, func(t *testing.T) {
			list := " "
			for _, c := range row.keep {
				list += fmt.Sprint(c) + " "
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/proc/self/exe")
			cmd.Env = append(os.Environ(), asHelper+"="+list)
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), row.want) {
				t.Errorf("printed %q, want %q", out, row.want)
			}
		})
	}
}

func TestParseCapabilities(t *testing.T) {
	for _, row := range []struct {
		status string
		cap    int
		want   bool
	}{
		{"Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000000ffffffffff\n", unix.CAP_BPF, true},
		{"CapEff:\t0000000000200000\n", unix.CAP_SYS_ADMIN, true},
		{"CapEff:\t0000000000200000\n", unix.CAP_BPF, false},
		{"CapBnd:\t000000ffffffffff\n", unix.CAP_BPF, false},
	} {
		if got := parseCapabilities(row.status).has(row.cap); got != row.want {
			t.Errorf("%q has %d: %t, want %t", row.status, row.cap, got, row.want)
		}
	}
}

// Other errors are left alone.
func TestDiagnoseOthers(t *testing.T) {
	for _, err := range []error{nil, errors.New("something else"), fmt.Errorf("open: %w", unix.ENOENT)} {
		if got := Diagnose(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if got := Diagnose(fmt.Errorf("open: %w", unix.EMFILE)); !strings.Contains(got.Error(), "LimitNOFILE") || !errors.Is(got, unix.EMFILE) {
		t.Errorf("EMFILE became %v", got)
	}
}

// What only the kernel's compiler runs is refused where that is off. This is no
// bug of ours, and a setting helps.
func TestCompilerIsOff(t *testing.T) {
	log := []string{"processed 9 insns", "program requires BPF JIT compiler but it is not available"}
	err := loadError(&object.Object{}, fmt.Errorf("program x: %w", &ebpf.VerifierError{Cause: unix.ENOTSUP, Log: log}))
	if got := err.Error(); !strings.Contains(got, "sysctl -w net.core.bpf_jit_enable=1") || strings.Contains(got, "bug") {
		t.Errorf("got %q", got)
	}
}

// TestTooManyPaths: a program that the verifier gives up on is no bug of ours.
func TestTooManyPaths(t *testing.T) {
	for _, line := range []string{"BPF program is too large. Processed 1000001 insn", "The sequence of 8193 jumps is too complex."} {
		err := loadError(&object.Object{}, fmt.Errorf("program x: %w", &ebpf.VerifierError{Cause: unix.E2BIG, Log: []string{line}}))
		if got := err.Error(); !strings.Contains(got, "more paths than") || strings.Contains(got, "bug") {
			t.Errorf("%s: %s", line, got)
		}
	}
}
