package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The test binary is also the command, so that tests run it as a user does,
// and a workload whose calls are known exactly.
const (
	asCommand  = "PLY_TEST_COMMAND"  // the name the command is called by
	asWorkload = "PLY_TEST_WORKLOAD" // how many calls to make
	asPackets  = "PLY_TEST_PACKETS"  // how many packets to send
	asOpens    = "PLY_TEST_OPENS"    // how often to open a file that is not there
)

// workloadName is what the workload's thread is called while it works.
const workloadName = "ply-workload"

func TestMain(m *testing.M) {
	if name := os.Getenv(asCommand); name != "" {
		os.Exit(Main(append([]string{name}, os.Args[1:]...)))
	}
	if n, err := strconv.Atoi(os.Getenv(asWorkload)); err == nil {
		os.Exit(work(n))
	}
	if n, err := strconv.Atoi(os.Getenv(asOpens)); err == nil {
		os.Exit(openFiles(n))
	}
	if n, err := strconv.Atoi(os.Getenv(asPackets)); err == nil {
		os.Exit(sendPackets(n))
	}
	os.Exit(m.Run())
}

// work calls getpriority(2) n times and reads exactly 4096 bytes n times, on a
// thread that has workloadName meanwhile. Nothing else happens on it.
func work(n int) int {
	runtime.LockOSThread()
	zero, err := os.Open("/dev/zero")
	if err != nil {
		return 1
	}
	page := make([]byte, 4096)
	nameThread(workloadName)
	for range n {
		_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
		got, _, _ := syscall.RawSyscall(unix.SYS_READ, zero.Fd(), uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)))
		if got != 4096 {
			return 1
		}
	}
	nameThread("idle")
	return 0
}

// lockedThread gives the goroutine a thread of its own, and that a name.
func lockedThread(name string) {
	runtime.LockOSThread()
	nameThread(name)
}

func nameThread(name string) {
	b := append([]byte(name), 0)
	_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b[0])), 0)
}

func runWorkload(t *testing.T, n int) {
	t.Helper()
	runWorkloadWith(t, n, nil)
}

// runWorkloadWith is runWorkload in a process with some attributes.
func runWorkloadWith(t *testing.T, n int, attr *syscall.SysProcAttr) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), asWorkload+"="+strconv.Itoa(n)), attr
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("workload: %v\n%s", err, out)
	}
}

// plyCommand is the command with these arguments, not started.
func plyCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=ply-exporter")
	return cmd
}

// A result is how a command ended.
type result struct {
	stdout, stderr string
	status         int
}

// ply runs the command to its end, which must come within a minute.
func ply(t *testing.T, args ...string) result { return plyInput(t, "", args...) }

func plyInput(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := plyCommand(ctx, args...)
	cmd.WaitDelay = time.Second // a command of -c may outlive it, with its output open
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("ply-exporter %q did not end\n%s", args, errs.String())
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// writeFile writes a file into the test's folder and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
