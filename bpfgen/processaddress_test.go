package bpfgen_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// What a script takes for an address of the kernel may be one of a process, or none at
// all. Nothing is there for the script.
func TestAddressesOfProcesses(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text := []byte("text of a process, which is not read\x00")
	at := uint64(uintptr(unsafe.Pointer(&text[0])))
	register := map[string]string{"amd64": "si", "arm64": "regs[1]", "riscv64": "a1"}[runtime.GOARCH]
	scripts := map[string]string{fmt.Sprintf("rawtracepoint:sys_enter / pid == PID && arg1 == %d /", unix.SYS_LSEEK): "((struct pt_regs *)arg0)->" + register}
	if need.HasKprobes() {
		scripts["kprobe:null_lseek / pid == PID /"] = "arg1"
		scripts["fentry:null_lseek / pid == PID /"] = "arg1"
	}
	addresses := []uint64{0, 1, at, 0xdead000000000100}
	for event, where := range scripts {
		script := fmt.Sprintf("%s { @[str(%s, 16), str(%s, 70), ((struct list_head *)%s)->next] = count(); }", event, where, where, where)
		got := trace(t, k, script, bpfgen.Options{}, func() {
			for _, address := range addresses {
				_, _, _ = unix.RawSyscall(unix.SYS_LSEEK, file.Fd(), uintptr(address), 0)
			}
		})
		if want := fmt.Sprintf("@[, , 0x0] %d", len(addresses)); got != want {
			t.Errorf("%s\n%s, want %s", script, got, want)
		}
	}
	runtime.KeepAlive(text)
}

// On arm64 every load from what may be an address of a process is behind a test of the
// bit that tells.
func TestKernelBit(t *testing.T) {
	k, err := kernel.Open(recorded.Files("6.12-arm64"))
	if err != nil {
		t.Fatal(err)
	}
	cast, ok := k.Cast()
	if !ok || k.Arch().KernelBit != 1<<55 {
		t.Fatalf("no direct loads, or another bit: %#x", k.Arch().KernelBit)
	}
	for script, want := range map[string]int{
		"kprobe:vfs_read { @[((struct list_head *)arg1)->next] = count(); }": 1,
		"kprobe:vfs_read { @[str(arg1, 16)] = count(); }":                    1,
		"kprobe:vfs_read { @[cgroup((struct cgroup *)arg1)] = count(); }":    4,
		"kprobe:vfs_read { @[arg1] = count(); }":                             0,
	} {
		obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true}, nil)
		if err != nil {
			t.Errorf("%s: %s", script, plylang.Detail(err))
			continue
		}
		tested, loads := 0, 0
		for _, ins := range obj.Spec.Programs[obj.Programs[0].Name].Instructions {
			switch {
			case ins.OpCode.Class() == asm.LdClass && uint64(ins.Constant) == k.Arch().KernelBit:
				tested++
			case ins.OpCode.JumpOp() == asm.Call && ins.Src == asm.PseudoKfuncCall && ins.Constant == int64(cast.Function):
				if loads++; loads > tested {
					t.Errorf("%s: load %d is not behind a test", script, loads)
				}
			}
		}
		if tested != want || loads != want {
			t.Errorf("%s: %d loads, %d tests, want %d", script, loads, tested, want)
		}
	}
}
