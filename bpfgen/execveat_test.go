package bpfgen_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// execAgain in the environment makes this program replace itself by execveat(2).
const execAgain = "PLY_TEST_EXECVEAT"

func init() {
	if os.Getenv(execAgain) == "" {
		return
	}
	path := []byte("/proc/self/exe\x00")
	none := append([]byte("exe\x00"), "-test.run=^$\x00"...)
	argv := []*byte{&none[0], &none[4], nil}
	envp := []*byte{nil}
	atFdcwd := unix.AT_FDCWD
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(atFdcwd), uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envp[0])), 0, 0)
	os.Exit(int(errno))
}

// execTwice runs this program by execve, which runs itself by execveat.
func execTwice(t testing.TB) {
	t.Helper()
	call(3, unix.SYS_EXECVEAT, ^uintptr(0))
	p, err := os.StartProcess(fmt.Sprintf("/proc/%d/exe", os.Getpid()), []string{"exe"}, &os.ProcAttr{
		Env: []string{execAgain + "=1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := p.Wait(); err != nil || !state.Success() {
		t.Fatalf("%v, %v", state, err)
	}
}

const execReturns = `kretprobe:sys_execve, kretprobe:sys_execveat / retval == 0 && ppid == PID || pid == PID / {
	@[func, retval ? "failed" : "done"] = count();
}`

// A process that execveat has replaced returns from execve on x86-64, which sets
// the number to that of its own execve. One that fails returns from execveat.
func TestExecveatReturns(t *testing.T) {
	k := running(t)
	want := "@[sys_execve, done] 1\n@[sys_execveat, done] 1\n@[sys_execveat, failed] 3"
	if runtime.GOARCH == "amd64" {
		want = "@[sys_execve, done] 2\n@[sys_execveat, failed] 3"
	}
	if got := trace(t, k, execReturns, bpfgen.Options{}, func() { execTwice(t) }); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// The time of a call that returns as another one is known: it is that of the thread.
func TestElapsedOfExecveat(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	got := trace(t, running(t), `kretprobe:sys_execve / retval == 0 && ppid == PID && elapsed > 0 / { @ = count(); }
kretprobe:sys_execve / retval == 0 && ppid == PID / { @all = count(); }`, bpfgen.Options{}, func() { execTwice(t) })
	want := "@ 1\n@all 1"
	if runtime.GOARCH == "amd64" {
		want = "@ 2\n@all 2"
	}
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// The function of the call is execveat's.
func TestExecveatReturnsPlainly(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	k := running(t)
	const want = "@[sys_execve, done] 1\n@[sys_execveat, done] 1\n@[sys_execveat, failed] 3"
	if got := trace(t, k, execReturns, bpfgen.Options{PlainAttach: true}, func() { execTwice(t) }); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
