package decode

import (
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// frames are a stack's functions, innermost first.
func (d *Decoder) frames(v object.Value) []string {
	id := v.Int()
	if id == object.LostStack {
		return []string{"[lost stack]"}
	}
	if d.stacks == nil || id <= 0 {
		return []string{"[no stack]"}
	}
	frames := d.kernelFrames
	if v.Type.Display.Equal(plylang.DisplayUserStack) {
		frames = d.userFrames
	}
	if found := frames(id); len(found) > 0 {
		return found
	}
	return []string{"[lost stack]"}
}

func (d *Decoder) kernelFrames(id int64) (out []string) {
	for i, a := range d.stacks.Stack(id) {
		out = append(out, d.machine.frame(a, i > 0))
	}
	for len(out) > 1 && (strings.HasPrefix(out[0], "bpf_prog_") || isTracing(out[0]) || isProgram(out[0]) && isTracing(out[1])) {
		out = out[1:]
	}
	return out
}

// frame shows an address of a stack. An address to return to may already be in
// the function behind the caller's, when the call was the caller's last
// instruction.
func (m *Machine) frame(addr uint64, isReturn bool) string {
	if !isReturn {
		return m.address(addr)
	}
	if name, offset, ok := m.lookup(addr - 1); ok {
		return fmt.Sprintf("%s+0x%x", name, offset+1)
	}
	return m.address(addr)
}

// tracing is what the kernel calls on the way from a tracepoint to a program:
// other functions for each way of attaching, none of which the script asked for.
var tracing = []string{"__traceiter_", "__bpf_trace_", "bpf_trace_run", "perf_trace_", "perf_syscall_"}

func isTracing(frame string) bool {
	return slices.ContainsFunc(tracing, func(prefix string) bool { return strings.HasPrefix(frame, prefix) })
}

// isProgram says whether a frame may be that of a program, which on arm64 is the
// innermost one. It has a name only if it was there when symbols were read.
func isProgram(frame string) bool {
	return strings.HasPrefix(frame, "bpf_prog_") || strings.HasPrefix(frame, "0x")
}

// Functions are the names of the functions of a stack, innermost first.
func (d *Decoder) Functions(v object.Value) []string {
	frames := d.frames(v)
	for i, f := range frames {
		frames[i], _, _ = strings.Cut(f, "+0x")
	}
	return frames
}

// foldedStack is the stack on one line, outermost first, as flame graph tools
// read it.
func (d *Decoder) foldedStack(v object.Value) string {
	functions := d.Functions(v)
	slices.Reverse(functions)
	return strings.Join(functions, ";")
}

func (d *Decoder) stackList(v object.Value) any { return d.frames(v) }
