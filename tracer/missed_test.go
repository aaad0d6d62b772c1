package tracer

import (
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// printLine writes to the kernel's trace, which fires a tracepoint inside the
// program.
var printLine = asm.Instructions{
	asm.Mov.Imm(asm.R1, 'x'), asm.StoreMem(asm.R10, slotKey, asm.R1, asm.DWord),
	asm.Mov.Reg(asm.R1, asm.R10), asm.Add.Imm(asm.R1, slotKey), asm.Mov.Imm(asm.R2, 2),
	asm.FnTracePrintk.Call(),
}

// A program that another one keeps from running misses events, and the kernel
// says how many.
func TestMissed(t *testing.T) {
	need.Kernel(t, "6.7", "counts of missed events")
	b := newObject("")
	m := b.addMap(cellMap())
	b.program(object.AttachTracepoint, "bpf_trace/bpf_trace_printk", points(tracepoint("bpf_trace/bpf_trace_printk")), cellAdd(m))
	b.program(object.AttachPerfEvent, "200hz", points(everyCPU(200)), printLine)
	tr := start(t, b.build(), testOptions(t))
	eventually(t, "ten events missed", func() bool {
		s := tr.Probes()[0]
		return s.MissedKnown && s.Missed >= 10
	})
	if n := counts(t, tr, m, 0)[0]; n != 0 {
		t.Errorf("%d events counted while another program ran", n)
	}
}

func TestHasMember(t *testing.T) {
	inner := &btf.Struct{Members: []btf.Member{{Name: "count"}, {Name: "missed"}}}
	members := []btf.Member{{Name: "id"}, {Type: &btf.Union{Members: []btf.Member{{Name: "kprobe_multi", Type: inner}}}}}
	for _, row := range []struct {
		path []string
		want bool
	}{
		{[]string{"id"}, true},
		{[]string{"kprobe_multi", "missed"}, true},
		{[]string{"kprobe_multi", "missing"}, false},
		{[]string{"missed"}, false},
		{[]string{"id", "missed"}, false},
	} {
		if got := hasMember(members, row.path...); got != row.want {
			t.Errorf("%v: %t, want %t", row.path, got, row.want)
		}
	}
}
