package tracer

import (
	"bufio"
	"errors"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
)

// Detect makes k find out what the running kernel can do by trying it. Each
// feature is tried when k is first asked about it.
func Detect(k *kernel.Kernel) {
	k.SetProber(func(f kernel.Feature) (known, has bool) {
		try, ok := trials[f]
		if !ok {
			return false, false
		}
		return answer(try(k))
	})
}

// answer turns the outcome of a trial into a prober's answer. A refusal for
// want of privileges or of files says nothing about the kernel.
func answer(err error) (known, has bool) {
	if err == nil {
		return true, true
	}
	return !lacksPermission(err) && !lacksFiles(err), false
}

// A trial returns nil when the kernel has the feature.
type trial func(*kernel.Kernel) error

// trials has a row for each feature that can be tried.
var trials = map[kernel.Feature]trial{
	kernel.Kprobe:              exists("/sys/bus/event_source/devices/kprobe"),
	kernel.KprobeMulti:         asked(features.HaveBPFLinkKprobeMulti),
	kernel.UprobeMulti:         asked(features.HaveBPFLinkUprobeMulti),
	kernel.Cookie:              helper(ebpf.Kprobe, asm.FnGetAttachCookie),
	kernel.FuncIP:              helper(ebpf.Kprobe, asm.FnGetFuncIp),
	kernel.FetchingAtomics:     loads(fetchingAtomic...),
	kernel.RawTracepointsExact: rawTracepointsExact,
	kernel.MissedCounts:        tryMissedCounts,
	kernel.KprobeSession:       trySession,
	kernel.HardwareCounters:    tryCounters,
	kernel.TypedCast:           tryTypedCast,
	kernel.Fentry:              tryFentry,
	kernel.TypedTask:           loadsAs(ebpf.RawTracepoint, typedTask...),
}

func exists(path string) trial {
	return func(*kernel.Kernel) error {
		_, err := os.Stat(path)
		return err
	}
}

func asked(ask func() error) trial { return func(*kernel.Kernel) error { return ask() } }

func helper(t ebpf.ProgramType, fn asm.BuiltinFunc) trial {
	return func(*kernel.Kernel) error { return features.HaveProgramHelper(t, fn) }
}

// loads tries whether the verifier takes some code.
func loads(code ...asm.Instruction) trial { return loadsAs(ebpf.SocketFilter, code...) }

func loadsAs(t ebpf.ProgramType, code ...asm.Instruction) trial {
	return func(*kernel.Kernel) error {
		p, err := ebpf.NewProgramWithOptions(&ebpf.ProgramSpec{Name: "ply_try", Type: t, Instructions: code, License: "GPL"},
			ebpf.ProgramOptions{LogDisabled: true})
		if err != nil {
			return unprivileged(err)
		}
		return p.Close()
	}
}

// unprivileged keeps the verifier's EACCES, which is about the code, apart
// from a refusal to load anything.
func unprivileged(err error) error {
	if caps := effectiveCapabilities(); lacksPermission(err) && (caps.has(unix.CAP_BPF) || caps.has(unix.CAP_SYS_ADMIN)) {
		return ebpf.ErrNotSupported
	}
	return err
}

// fetchingAtomic is a compare-and-exchange on the stack. The library encodes
// the operation as a plain addition unless it is told.
var fetchingAtomic = func() asm.Instructions {
	cas := asm.CmpXchg.Mem(asm.R10, asm.R1, asm.DWord, -8)
	cas.Constant = int64(asm.CmpXchg >> 8)
	return asm.Instructions{
		asm.Mov.Imm(asm.R0, 0), asm.Mov.Imm(asm.R1, 1), asm.StoreMem(asm.R10, -8, asm.R0, asm.DWord),
		cas, asm.Mov.Imm(asm.R0, 0), asm.Return(),
	}
}()

// typedTask loads from the current task, and from its registers.
var typedTask = asm.Instructions{
	asm.FnGetCurrentTaskBtf.Call(), asm.LoadMem(asm.R2, asm.R0, 0, asm.Word),
	asm.Mov.Reg(asm.R1, asm.R0), asm.FnTaskPtRegs.Call(), asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord),
	asm.Mov.Imm(asm.R0, 0), asm.Return(),
}

// tryTypedCast loads from any address.
func tryTypedCast(k *kernel.Kernel) error {
	cast, ok := k.CastTypes()
	if !ok {
		return ebpf.ErrNotSupported
	}
	code := append(cast.Call(), asm.LoadMem(asm.R0, asm.R0, 0, asm.Half), asm.Mov.Imm(asm.R0, 0), asm.Return())
	return loadsAs(ebpf.RawTracepoint, append(asm.Instructions{asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord)}, code...)...)(k)
}

// trySession tries whether a kprobe session attaches, and whether programs can
// learn of its calls.
func trySession(k *kernel.Kernel) error {
	if _, ok := k.Session(); !ok {
		return ebpf.ErrNotSupported
	}
	return features.HaveBPFLinkKprobeSession()
}

// tryFentry attaches to a function that kernels have for such tests: arm64 before 6.4
// takes the program and refuses to attach it.
func tryFentry(k *kernel.Kernel) error {
	coll, err := ebpf.NewCollectionWithOptions(&ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"ply_try": {
		Name: "ply_try", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: "bpf_fentry_test1",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}, License: "GPL",
	}}}, ebpf.CollectionOptions{Cache: k.TypeCache(), Programs: ebpf.ProgramOptions{LogDisabled: true}})
	if err != nil {
		return unprivileged(err)
	}
	defer coll.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs["ply_try"]})
	if err != nil {
		return unprivileged(err)
	}
	return l.Close()
}

// tryCounters opens the counter that every processor has that counts.
func tryCounters(k *kernel.Kernel) error {
	cpus, err := k.OnlineCPUs()
	if err != nil {
		return err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_HARDWARE, Config: unix.PERF_COUNT_HW_CPU_CYCLES, Sample: 1e6}
	event, err := openPerfEvent(&attr, cpus[0])
	if err != nil {
		return err
	}
	return event.Close()
}

// rawTracepointsExact looks for kernels in which a task can be preempted
// inside a tracepoint, and then keeps the program from running for all others
// on its CPU. Their mark is the SRCU domain of tracepoints, which kernels
// before 6.13 had too, for another purpose.
func rawTracepointsExact(k *kernel.Kernel) error {
	if !k.AtLeast(6, 13) {
		return nil
	}
	if spec, err := k.BTF(); err == nil {
		switch {
		case hasDomain(spec, "tracepoint_srcu"):
			return errPreemptible
		case hasDomain(spec, "console_srcu"): // so the types tell of domains
			return nil
		}
	}
	return lacksSymbol("tracepoint_srcu")
}

// hasDomain says whether the kernel's types have the data of an SRCU domain.
func hasDomain(spec *btf.Spec, name string) bool {
	var data *btf.Var
	return spec.TypeByName(name+"_srcu_data", &data) == nil
}

// lacksSymbol returns nil when the kernel has no symbol of that name. It takes
// long: 200,000 lines are read.
func lacksSymbol(name string) error {
	symbols, err := os.Open("/proc/kallsyms")
	if err != nil {
		return err
	}
	defer symbols.Close()
	for lines := bufio.NewScanner(symbols); lines.Scan(); {
		if strings.HasSuffix(lines.Text(), " "+name) {
			return errPreemptible
		}
	}
	return nil
}

var errPreemptible = errors.New("tracepoints are preemptible")

func tryMissedCounts(k *kernel.Kernel) error {
	spec, err := k.BTF()
	if err != nil {
		return err
	}
	if !missedIn(spec) {
		return ebpf.ErrNotSupported
	}
	return nil
}
