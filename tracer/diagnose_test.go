package tracer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// asHelper makes the test binary start a script and print the error, so that
// it can be run with fewer privileges.
const asHelper = "PLY_TEST_START"

func TestMain(m *testing.M) {
	if os.Getenv(asHelper) == "" {
		os.Exit(m.Run())
	}
	b := newObject("")
	cell := b.addMap(cellMap())
	b.program(bpfgen.AttachTracepoint, "raw_syscalls/sys_enter", places(sysEnter...), cellAdd(cell))
	tr, err := Start(b.build(), Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer tr.Close()
	fmt.Println("started")
}

// What a process lacks is named.
func TestPrivileges(t *testing.T) {
	need.BPF(t)
	setpriv := need.Command(t, "setpriv")
	paranoid, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	refusesPerf := strings.TrimSpace(string(paranoid)) > "2" && !strings.HasPrefix(string(paranoid), "-")
	for _, row := range []struct {
		caps string
		want string
	}{
		{"-all", "run as root, or grant CAP_BPF and CAP_PERFMON"},
		{"-all,+bpf", "run as root, or grant CAP_PERFMON"},
		{"-all,+perfmon", "run as root, or grant CAP_BPF"},
		{"-all,+bpf,+perfmon", map[bool]string{true: "kernel.perf_event_paranoid", false: "started"}[refusesPerf]},
		{"-all,+sys_admin", "started"},
	} {
		t.Run(row.caps, func(t *testing.T) {
			cmd := exec.Command(setpriv, "--bounding-set", row.caps, os.Args[0])
			cmd.Env = append(os.Environ(), asHelper+"=1")
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
