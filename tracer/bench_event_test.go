package tracer

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// BenchmarkEvent compares one event of a compiled script with one of a program
// assembled by hand that does the same. Both are attached at the same time to
// the same events; the kernel measures their run time.
func BenchmarkEvent(b *testing.B) {
	need.BPF(b)
	k, err := kernel.Running()
	if err != nil {
		b.Fatal(err)
	}
	Detect(k)
	obj, err := bpfgen.Build(&plylang.Source{Text: "tracepoint:raw_syscalls/sys_enter { @[data->id] = count(); }"},
		k, bpfgen.Options{Run: true, PlainAttach: true}, func(string) (string, bool) { return "", false })
	if err != nil {
		b.Fatal(err)
	}
	ours, err := ebpf.NewCollection(obj.Spec)
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	compiled := ours.Programs[obj.Programs[0].Name]
	byHand := handAssembled(b, ebpf.TracePoint, 8) // the record's id
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	for _, p := range []*ebpf.Program{byHand, compiled} {
		l, err := link.Tracepoint("raw_syscalls", "sys_enter", p, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
	}
	for b.Loop() {
		for range 1000 {
			_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
		}
	}
	hand, own := perRun(b, byHand), perRun(b, compiled)
	b.ReportMetric(own, "ns/event")
	b.ReportMetric(hand, "ns/event-by-hand")
	b.ReportMetric(own/hand, "ratio")
}

func perRun(b *testing.B, p *ebpf.Program) float64 {
	b.Helper()
	info, err := p.Stats()
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Runtime.Nanoseconds()) / float64(info.RunCount)
}

// BenchmarkUserEvent compares one event of a compiled script at a function of a program
// with one of a program assembled by hand at the same place.
func BenchmarkUserEvent(b *testing.B) {
	need.BPF(b)
	if runtime.GOARCH != "amd64" {
		b.Skip("the program is written for the registers of amd64")
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	k, err := kernel.Running()
	if err != nil {
		b.Fatal(err)
	}
	Detect(k)
	const script = "uprobe:%s:ply-exporter/tracer.probed { @[arg0] = count(); }"
	obj, err := bpfgen.Build(&plylang.Source{Text: fmt.Sprintf(script, self)}, k, bpfgen.Options{Run: true, PlainAttach: true}, nil)
	if err != nil {
		b.Fatal(plylang.Detail(err))
	}
	ours, err := ebpf.NewCollection(obj.Spec)
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	const rax = 80 // in the registers; Go's first argument
	compiled, byHand := ours.Programs[obj.Programs[0].Name], handAssembled(b, ebpf.Kprobe, rax)
	file, err := link.OpenExecutable(self)
	if err != nil {
		b.Fatal(err)
	}
	at := obj.Programs[0].Points[0].Site.(object.UserFunction)
	for _, p := range []*ebpf.Program{byHand, compiled, compiled, byHand} { // which is first matters: nothing is cached
		l, err := file.Uprobe("", p, &link.UprobeOptions{Address: at.Offset})
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
	}
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	for b.Loop() {
		for range 1000 {
			probed(7)
		}
	}
	hand, own := perRun(b, byHand), perRun(b, compiled)
	b.ReportMetric(own, "ns/event")
	b.ReportMetric(hand, "ns/event-by-hand")
	b.ReportMetric(own/hand, "ratio")
}

//go:noinline
func probed(n int) { runtime.KeepAlive(n) }

// handAssembled is what a careful person writes in assembly for counting events by a
// number in their context in a per-CPU hash.
func handAssembled(b *testing.B, kind ebpf.ProgramType, offset int16) *ebpf.Program {
	b.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUHash, KeySize: 8, ValueSize: 8, MaxEntries: 10240})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: kind, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, offset, asm.DWord),
		asm.StoreMem(asm.R10, -8, asm.R2, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "add"),
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.R10, -16, asm.R2, asm.DWord),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -16),
		asm.Mov.Imm(asm.R4, int32(ebpf.UpdateNoExist)),
		asm.FnMapUpdateElem.Call(),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -8),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Imm(asm.R1, 1).WithSymbol("add"),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}
