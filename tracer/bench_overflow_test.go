package tracer

import (
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// BenchmarkOverflow compares one event of a script whose maps refuse what they have no
// room for with one of the same script with a value of other keys: while there is room,
// and of a key for which there is none. All are attached to the same events, and the
// kernel measures their run time.
func BenchmarkOverflow(b *testing.B) {
	need.BPF(b)
	Detect(runningKernel(b))
	build := func(key string, opt bpfgen.MapOptions) *ebpf.Program {
		src := &plylang.Source{Text: "tracepoint:raw_syscalls/sys_enter { @[" + key + "] = quantize(data->args[0]); }"}
		obj, err := bpfgen.Build(src, runningKernel(b), bpfgen.Options{Maps: map[string]bpfgen.MapOptions{"@": opt}, PlainAttach: true}, nil)
		if err != nil {
			b.Fatal(plylang.Detail(err))
		}
		coll, err := ebpf.NewCollection(obj.Spec)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(coll.Close)
		return coll.Programs[obj.Programs[0].Name]
	}
	drop, other := build("data->id", bpfgen.MapOptions{}), build("data->id", bpfgen.MapOptions{Other: true})
	last := build("data->id", bpfgen.MapOptions{}) // what runs first has caches to fill
	full := build("time", bpfgen.MapOptions{Other: true, MaxEntries: 10})
	refused := build("time", bpfgen.MapOptions{MaxEntries: 10})
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	for _, p := range []*ebpf.Program{drop, other, last, full, refused} {
		l, err := link.Tracepoint("raw_syscalls", "sys_enter", p, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
	}
	for b.Loop() {
		for i := range uintptr(1000) {
			_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, i, 0, 0)
		}
	}
	b.ReportMetric(perRun(b, last), "ns/event")
	b.ReportMetric(perRun(b, other)/perRun(b, last), "ratio")
	b.ReportMetric(perRun(b, full)/perRun(b, refused), "ratio-full")
	b.ReportMetric(perRun(b, full), "ns/event-full")
}
