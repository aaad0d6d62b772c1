package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// asLimited makes the test binary give up privileges before it becomes the
// command: "-SYS_ADMIN -SYSLOG" is root without these capabilities, "nobody
// +BPF" is another user with only that one.
const asLimited = "PLY_TEST_LIMITED"

func init() {
	if limits := strings.Fields(os.Getenv(asLimited)); len(limits) > 0 {
		fmt.Fprintln(os.Stderr, "limited:", becomeLimited(limits))
		os.Exit(99)
	}
}

// becomeLimited changes this thread and executes the program again, which
// makes that count for all of it. It returns only when that fails.
func becomeLimited(limits []string) error {
	runtime.LockOSThread()
	var ambient []uintptr
	for _, l := range limits {
		if name, ok := strings.CutPrefix(l, "-"); ok {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, capabilityNumbers[name], 0, 0, 0); err != nil {
				return err
			}
		}
		if name, ok := strings.CutPrefix(l, "+"); ok {
			ambient = append(ambient, capabilityNumbers[name])
		}
	}
	if limits[0] == "nobody" {
		if err := becomeNobody(ambient); err != nil {
			return err
		}
	}
	if err := os.Unsetenv(asLimited); err != nil {
		return err
	}
	return unix.Exec(os.Args[0], os.Args, os.Environ())
}

var capabilityNumbers = map[string]uintptr{
	"BPF": unix.CAP_BPF, "PERFMON": unix.CAP_PERFMON, "SYS_ADMIN": unix.CAP_SYS_ADMIN, "SYSLOG": unix.CAP_SYSLOG,
	"DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH, "DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "SYS_RESOURCE": unix.CAP_SYS_RESOURCE,
}

// becomeNobody is setuid with capabilities that execution keeps, for this
// thread.
func becomeNobody(ambient []uintptr) error {
	const nobody = 65534
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, _, errno := syscall.RawSyscall(call, nobody, nobody, nobody); errno != 0 {
			return errno
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range ambient {
		d := &data[c/32]
		d.Permitted |= 1 << (c % 32)
		d.Effective, d.Inheritable = d.Permitted, d.Permitted
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		return errno
	}
	for _, c := range ambient {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// limited runs the command with few privileges.
func limited(t *testing.T, program, limits string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), asCommand+"=ply-exporter", asLimited+"="+limits)
	cmd.Dir = "/"
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// setSysctl sets a file below /proc/sys/kernel until the test ends.
func setSysctl(t *testing.T, name, value string) {
	t.Helper()
	path := "/proc/sys/kernel/" + name
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(path, before, 0) })
}

const (
	timer     = "profile:99hz { @ = count(); }"
	function  = "kprobe:vfs_read { @[func] = count(); }"
	functions = "kprobe:vfs_@(read|write) { @[func] = count(); }"
	works     = ""
)

// What is missing, as messages say it.
const (
	grantBPF          = "no permission to use BPF: run as root, or grant "
	paranoid3         = "the sysctl kernel.perf_event_paranoid is 3 and refuses perf events: set it to 2, or grant CAP_SYS_ADMIN\n"
	hiddenSymbols     = "the kernel hides the addresses of its symbols"
	unreadableTracefs = "/sys/kernel/tracing may not be read: run as root or with CAP_DAC_READ_SEARCH\n"
)

// lockedMemory is what is missing without CAP_SYS_RESOURCE.
func lockedMemory() string {
	if need.Older(need.Release(), "5.11") {
		return "this kernel counts maps as locked memory, of which 64 KiB are allowed: grant CAP_SYS_RESOURCE, or raise the limit (ulimit -l unlimited, LimitMEMLOCK=infinity)\n"
	}
	return works
}

// A limitedRun is a run with few privileges.
type limitedRun struct {
	limits         string
	paranoid, kptr string // sysctls
	script, want   string // hiddenSymbols is a warning only, and only where a kernel does not tell programs names
}

var limitedRuns = []limitedRun{
	{"-SYS_ADMIN", "3", "0", timer, paranoid3},
	{"-SYS_ADMIN", "3", "0", function, paranoid3},
	{"-SYS_ADMIN", "2", "0", timer, works},
	{"-SYS_ADMIN", "2", "0", function, works},
	{"-SYS_ADMIN -BPF", "2", "0", timer, grantBPF + "CAP_BPF\n"},
	{"-SYS_ADMIN -PERFMON", "2", "0", timer, grantBPF + "CAP_PERFMON\n"},
	{"-SYS_ADMIN -BPF -PERFMON", "2", "0", function, grantBPF + "CAP_BPF and CAP_PERFMON\n"},
	{"-BPF -PERFMON", "3", "0", timer, works},
	{"-DAC_READ_SEARCH -DAC_OVERRIDE", "3", "0", counting, works},
	{"-SYSLOG", "3", "1", timer, works},
	{"-SYSLOG", "3", "1", function, hiddenSymbols},
	{"-SYSLOG", "3", "1", functions, hiddenSymbols},
	{"+BPF", "3", "2", function, hiddenSymbols},
	{"-SYS_RESOURCE", "2", "0", timer, lockedMemory()},
	{"nobody +SYS_RESOURCE +BPF +PERFMON", "2", "0", counting, unreadableTracefs},
	{"nobody +SYS_RESOURCE +BPF +PERFMON +DAC_READ_SEARCH +SYSLOG", "2", "1", counting, works},
	{"nobody +SYS_RESOURCE +BPF +PERFMON +DAC_READ_SEARCH +SYSLOG", "2", "1", functions, works},
}

// Whatever privilege is missing, the message names it and says what to do.
func TestEachCapability(t *testing.T) {
	need.OldAndNew(t)
	need.Guest(t)
	program := programForAll(t)
	limit := unix.Rlimit{Cur: 64 << 10, Max: 64 << 10} // the default of kernel 5.10
	if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &limit, nil); err != nil {
		t.Fatal(err)
	}
	for _, row := range limitedRuns {
		t.Run(row.limits+" "+row.script, func(t *testing.T) { row.test(t, program) })
	}
}

func (row limitedRun) test(t *testing.T, program string) {
	setSysctl(t, "perf_event_paranoid", row.paranoid)
	setSysctl(t, "kptr_restrict", row.kptr)
	r := limited(t, program, row.limits, "run", "-t", "0.1", row.script)
	if row.want == hiddenSymbols {
		hidden := need.Older(need.Release(), "5.14")
		if r.status != 0 || strings.Contains(r.stderr, "@ shows addresses instead of functions: "+row.want) != hidden || strings.Contains(r.stdout, "vfs_read") == hidden {
			t.Errorf("kptr_restrict %s: %+v", row.kptr, r)
		}
		return
	}
	if row.want == works && r.status != 0 || row.want != works && (r.status != 1 || !strings.Contains(r.stderr, row.want)) {
		t.Errorf("paranoid %s, kptr_restrict %s: status %d, standard error\n%s\nwant %s", row.paranoid, row.kptr, r.status, r.stderr, row.want)
	}
}

// A guest has no hardware counters.
func TestHardwareEventsWithoutCounters(t *testing.T) {
	need.OldAndNew(t)
	need.Guest(t)
	const script = "hardware:cpu-cycles:1000000 { @ = count(); }"
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("scripts: [{name: cycles, script: '"+script+"'}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "-t", "0.1", script}, {"check", "--config", config}} {
		r := ply(t, args...)
		if want := "this machine has no hardware counters, as most virtual machines"; r.status != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %+v\nwant %s", args[0], r, want)
		}
	}
}

// A kernel that is locked down for integrity traces. For confidentiality it
// refuses what reads its memory, which is most. There is no way back, so the guest is used up.
func TestLockdownLevels(t *testing.T) {
	need.LastInGuest(t)
	const (
		file   = "/sys/kernel/security/lockdown"
		locked = "the kernel is locked down for confidentiality, which forbids to read its memory: boot with lockdown=integrity or without\n"
	)
	if err := unix.Mount("securityfs", "/sys/kernel/security", "securityfs", 0, ""); err != nil && err != unix.EBUSY {
		t.Fatal(err)
	}
	for _, row := range []struct{ level, script, want string }{
		{"integrity", counting, works},
		{"integrity", timer, works},
		{"integrity", function, works},
		{"integrity", functions, works},
		{"confidentiality", counting, works},
		{"confidentiality", timer, works},
		{"confidentiality", nothing, works},
		{"confidentiality", function, locked},
		{"confidentiality", "kprobe:SyS_read { @[mem(curtask, 16)] = count(); }", locked},
	} {
		if level, _ := os.ReadFile(file); !strings.Contains(string(level), "["+row.level+"]") {
			if err := os.WriteFile(file, []byte(row.level), 0); err != nil {
				t.Fatal(err)
			}
		}
		r := ply(t, "run", "-t", "0.1", row.script)
		if row.want == works && r.status != 0 || row.want != works && (r.status != 1 || !strings.Contains(r.stderr, row.want)) {
			t.Errorf("%s: %s: status %d, standard error\n%s\nwant %s", row.level, row.script, r.status, r.stderr, row.want)
		}
	}
}
