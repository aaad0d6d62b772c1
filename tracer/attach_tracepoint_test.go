package tracer

import (
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// The event that holds a program is not counted or sampled after it.
func TestTracepointIsNotSampled(t *testing.T) {
	need.BPF(t)
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.TracePoint, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := attachTracepoint(p, tracepoint("raw_syscalls/sys_enter"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	onCPU0(t)
	syscalls(unix.SYS_GETPPID, 1000, 0)
	if n := witness(c.(closers)[0].(fd)).read(t); n != 0 {
		t.Errorf("the kernel counted %d system calls for an event that nobody reads", n)
	}
}

// onCPU0 keeps the test on the CPU that events of tracepoints are opened for.
func onCPU0(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	var first unix.CPUSet
	first.Set(0)
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		t.Fatal(err)
	}
}

func TestTracepointThatIsMissing(t *testing.T) {
	if _, err := tracepointID(object.Tracepoint{Category: "sched", Event: "nothing"}); !lacking(err) {
		t.Errorf("error %v, want one that says that the kernel lacks it", err)
	}
}
