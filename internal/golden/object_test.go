package golden

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
)

// hash identifies all that the kernel, and who reads its maps, sees of an
// object.
func hash(o *object.Object) string {
	h := sha256.New()
	write(h, o)
	return hex.EncodeToString(h.Sum(nil))[:10]
}

// write writes the text that hash is made of. It is the first thing to look at
// when a hash has changed.
func write(w io.Writer, o *object.Object) {
	for _, p := range o.Programs {
		writeProgram(w, p, o.Spec.Programs[p.Name])
	}
	for _, m := range o.Maps {
		fmt.Fprintf(w, "%s is %s: key %d bytes, value %d bytes, %d entries\n", m.Name, m.SpecName, m.KeySize, m.Size, m.MaxEntries)
		for _, part := range m.Key {
			fmt.Fprintf(w, "\tkey part at %d, %d bytes\n", part.Offset, part.Type.Size)
		}
	}
	for _, name := range sortedNames(o.Spec.Maps) {
		m := o.Spec.Maps[name]
		fmt.Fprintf(w, "map %s: type %d, key %d, value %d, entries %d, flags %#x\n",
			m.Name, uint32(m.Type), m.KeySize, m.ValueSize, m.MaxEntries, m.Flags)
		for _, kv := range m.Contents {
			fmt.Fprintf(w, "\t%v: %x\n", kv.Key, kv.Value)
		}
	}
	for i, e := range o.Events {
		fmt.Fprintf(w, "event %d: %d bytes %q\n", i, e.Size, e.Format)
	}
	for i, name := range o.Probes {
		fmt.Fprintf(w, "name %d: %s\n", i, name)
	}
}

func sortedNames(specs map[string]*ebpf.MapSpec) []string {
	var names []string
	for name := range specs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func writeProgram(w io.Writer, p *object.Program, spec *ebpf.ProgramSpec) {
	fmt.Fprintf(w, "program %s: %s, type %d, attach type %d, flags %#x, license %s\n",
		spec.Name, p.Attach, uint32(spec.Type), uint32(spec.AttachType), spec.Flags, spec.License)
	for i, s := range p.Specs {
		fmt.Fprintf(w, "\tserves %s:%s, %d probes\n", s.Provider, s.Target, p.Covers[i])
	}
	for _, site := range p.Points {
		writeSite(w, site)
	}
	writeCode(w, spec.Instructions)
}

// writeSite writes where a program is attached.
func writeSite(w io.Writer, at object.AttachPoint) {
	var f object.Function
	name, event := at.Key(), ""
	switch s := at.Site.(type) {
	case object.Tracepoint, object.RawTracepoint, object.Once:
	case object.Function:
		name, f = s.Symbol, s
	case object.PerfEvent:
		name = s.Name
		event = fmt.Sprintf(" event %d %#x period %d frequency %d cpus %v", s.Type, s.Config, s.Period, s.Freq, s.CPUs)
	default:
		panic(fmt.Sprintf("golden: a site is a %T", s))
	}
	fmt.Fprintf(w, "\tsite %d: %q offset %d address %#x covers %d glob %v%s\n", at.ID, name, f.Offset, f.Addr, at.Covers, at.Glob, event)
}

// writeCode writes instructions; a jump goes to the number of an instruction,
// whatever its label is called.
func writeCode(w io.Writer, code asm.Instructions) {
	at := map[string]int{}
	for i, ins := range code {
		if label := ins.Symbol(); label != "" {
			at[label] = i
		}
	}
	for i, ins := range code {
		to := ins.Reference()
		if n, ok := at[to]; ok {
			to = fmt.Sprint("instruction ", n)
		}
		fmt.Fprintf(w, "\t%d: %#x %d %d %d %d %s\n", i, uint64(ins.OpCode), uint8(ins.Dst), uint8(ins.Src), ins.Offset, ins.Constant, to)
	}
}
