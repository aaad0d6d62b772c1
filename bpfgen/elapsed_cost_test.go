package bpfgen

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// A script with elapsed has no more instructions and operations on maps than one with
// a table of starts, counted over all programs that run at a call of a thread that has
// made one before.
func TestElapsedCostsNoMore(t *testing.T) {
	for _, place := range []string{"vfs_read", "SyS_read", "SyS_*", "vfs_@(read|write)"} {
		table := compileFor(t, `kprobe:PLACE { s[tid] = time; } kretprobe:PLACE / s[tid] / { @ = quantize(time - s[tid]); delete s[tid]; }`, place)
		elapsed := compileFor(t, `kretprobe:PLACE { @ = quantize(elapsed); }`, place)
		for name := range table {
			before, now := costOf(table[name]), costOf(elapsed[name])
			t.Logf("%s on %s: %d instructions and %d operations, with a table %d and %d",
				place, name, now.instructions, now.operations, before.instructions, before.operations)
			if now.instructions > before.instructions || now.operations > before.operations {
				t.Errorf("%s on %s costs more", place, name)
			}
		}
	}
}

// compileFor compiles a script for recorded kernels, of which the last has sessions.
func compileFor(t *testing.T, script, place string) map[string]*object.Object {
	t.Helper()
	objects := map[string]*object.Object{}
	for _, name := range []string{"5.10-amd64", "7.3-amd64", "7.3-amd64 with sessions"} {
		k := recorded(t, strings.TrimSuffix(name, " with sessions"))
		k.SetProber(func(f kernel.Feature) (known, has bool) {
			return f == kernel.KprobeSession, strings.Contains(name, " ")
		})
		objects[name] = compile(t, k, strings.ReplaceAll(script, "PLACE", place), Options{})
	}
	return objects
}

type cost struct{ instructions, operations int }

// costOf counts what all programs have that run at calls.
func costOf(o *object.Object) (c cost) {
	for name, p := range o.Spec.Programs {
		if !atFreedTasks(o, name) {
			c.add(p)
		}
	}
	return c
}

func atFreedTasks(o *object.Object, name string) bool {
	for _, p := range o.Programs {
		if p.Name == name {
			return p.Points[0].Site == object.RawTracepoint{Event: "sched_process_free"}
		}
	}
	return false
}

func (c *cost) add(p *ebpf.ProgramSpec) {
	notesBegin, first := strings.HasPrefix(p.Name, "elapsed_"), ""
	for i, ins := range p.Instructions {
		if ins.Symbol() == first {
			first = ""
		}
		if first != "" {
			continue
		}
		c.instructions++
		if notesBegin && i > 0 && isCall(p.Instructions[i-1], asm.FnMapLookupElem) {
			first = ins.Reference() // behind what a thread's first call does
		}
		switch {
		case !ins.IsBuiltinCall():
		case ins.Constant == int64(asm.FnMapLookupElem), ins.Constant == int64(asm.FnMapUpdateElem), ins.Constant == int64(asm.FnMapDeleteElem):
			c.operations++
		}
	}
}

func isCall(ins asm.Instruction, fn asm.BuiltinFunc) bool {
	return ins.IsBuiltinCall() && ins.Constant == int64(fn)
}
