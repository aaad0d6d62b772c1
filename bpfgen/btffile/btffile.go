// Package btffile makes a kernel to compile against of a file with a kernel's types
// (BTF) alone: of /sys/kernel/btf/vmlinux, or of one of a collection of such files.
//
// What else compiling reads of a kernel is worked out of the types: the functions,
// the features, and the records of tracepoints; see tracepoint.go for what cannot be.
package btffile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
)

// CPUs is how many processors the machine is taken to have: no file of types tells.
const CPUs = 8

// Open returns the kernel of a release, such as "6.12.38+deb13-amd64", that has the
// types in raw.
func Open(raw []byte, release string) (*kernel.Kernel, error) {
	spec, err := load(raw)
	if err != nil {
		return nil, err
	}
	t, err := read(spec)
	if err != nil {
		return nil, err
	}
	arch, err := t.arch()
	if err != nil {
		return nil, err
	}
	files := &files{texts: map[string][]byte{}, types: t}
	k, err := kernel.OpenArch(files, arch)
	if err != nil {
		return nil, err
	}
	t.findCalls(k.Arch().SyscallPrefixes)
	for name, text := range map[string]string{
		"proc/sys/kernel/osrelease":       release + "\n",
		"proc/kallsyms":                   t.symbols(),
		"sys/devices/system/cpu/possible": fmt.Sprintf("0-%d\n", CPUs-1),
		"sys/devices/system/cpu/online":   fmt.Sprintf("0-%d\n", CPUs-1),
	} {
		files.texts[name] = []byte(text)
	}
	files.texts["sys/kernel/btf/vmlinux"] = raw
	files.texts["features"] = []byte(t.features(k))
	return k, nil
}

// magic is what a file of types begins with.
const magic = 0xeb9f

func load(raw []byte) (*btf.Spec, error) {
	switch {
	case bytes.HasPrefix(raw, []byte("\x7fELF")):
		return nil, errors.New("is a program, or a kernel as it was linked: take the types out of it with " +
			"\"objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc FILE TYPES\"")
	case len(raw) >= 2 && binary.BigEndian.Uint16(raw) == magic:
		return nil, errors.New("has the types of a machine with another byte order, which no supported architecture has")
	case len(raw) < 2 || binary.LittleEndian.Uint16(raw) != magic:
		return nil, errors.New("is no BTF file, which has the types of a kernel, such as /sys/kernel/btf/vmlinux")
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("is damaged, or only a part of a BTF file: %w", err)
	}
	return spec, nil
}

// types are those of the file, by what they are looked up for.
type types struct {
	spec    *btf.Spec
	funcs   map[string]*btf.FuncProto
	events  map[string]*btf.FuncProto // tracepoints, without their category
	records map[string]*btf.FuncProto // records that tracepoints share, and what fills them
	calls   map[string]string         // tracepoints of system calls, and the functions behind them
}

const (
	eventType  = "btf_trace_"             // the type of functions that a tracepoint calls
	recordType = "trace_event_raw_"       // the struct of a record
	recordFunc = "trace_event_raw_event_" // the function that fills it
)

func read(spec *btf.Spec) (*types, error) {
	t := &types{spec: spec, funcs: map[string]*btf.FuncProto{}, events: map[string]*btf.FuncProto{},
		records: map[string]*btf.FuncProto{}, calls: map[string]string{}}
	for each, err := range spec.All() {
		if err != nil {
			return nil, fmt.Errorf("is damaged: %w", err)
		}
		if endless(each) {
			return nil, fmt.Errorf("is damaged: type %q is made of itself", each.TypeName())
		}
		switch each := each.(type) {
		case *btf.Func:
			if proto, ok := each.Type.(*btf.FuncProto); ok {
				t.funcs[each.Name] = proto
			}
		case *btf.Typedef:
			if event, ok := strings.CutPrefix(each.Name, eventType); ok {
				t.events[event] = pointedProto(each.Type)
			}
		}
	}
	for name, proto := range t.funcs {
		if record, ok := strings.CutPrefix(name, recordFunc); ok && t.events[record] == nil {
			t.records[record] = proto
		}
	}
	if len(t.funcs) == 0 {
		return nil, errors.New("has no functions: it is no kernel's, or one reduced to what a program needs")
	}
	return t, nil
}

// endless says whether a type that is made of another one by a pointer, an array, a
// qualifier or a name comes back to itself, which no type of C does.
func endless(t btf.Type) bool {
	for range 64 {
		switch next := t.(type) {
		case *btf.Pointer:
			t = next.Target
		case *btf.Array:
			t = next.Type
		case *btf.Typedef:
			t = next.Type
		case *btf.Const:
			t = next.Type
		case *btf.Volatile:
			t = next.Type
		case *btf.Restrict:
			t = next.Type
		case *btf.TypeTag:
			t = next.Type
		default:
			return false
		}
	}
	return true
}

// pointedProto is the function that a pointer points to, nil where it is none.
func pointedProto(t btf.Type) *btf.FuncProto {
	if p, ok := t.(*btf.Pointer); ok {
		proto, _ := p.Target.(*btf.FuncProto)
		return proto
	}
	return nil
}

// archMembers are members that struct pt_regs has on one architecture only.
var archMembers = map[string]string{"r15": "amd64", "orig_x0": "arm64", "epc": "riscv64"}

func (t *types) arch() (string, error) {
	var regs *btf.Struct
	if err := t.spec.TypeByName("pt_regs", &regs); err == nil {
		for _, m := range regs.Members {
			if arch := archMembers[m.Name]; arch != "" {
				return arch, nil
			}
		}
	}
	return "", errors.New("is of an architecture that is not supported: amd64, arm64 and riscv64 are")
}

// findCalls finds the tracepoints of single system calls, which are where the call's
// function is. Of those without arguments mostly another name is described than the one
// that the table of calls has.
func (t *types) findCalls(prefixes []string) {
	if len(prefixes) == 0 {
		return
	}
	for name, proto := range maps.Clone(t.funcs) {
		call, ok := strings.CutPrefix(name, innerCall)
		if wrapper := prefixes[0] + call; ok && takesNothing(proto) && t.funcs[wrapper] == nil {
			t.funcs[wrapper] = proto
		}
	}
	for name := range t.funcs {
		for _, prefix := range prefixes {
			if call, ok := strings.CutPrefix(name, prefix); ok && call != "" {
				t.calls["sys_enter_"+call], t.calls["sys_exit_"+call] = innerCall+call, ""
			}
		}
	}
}

// takesNothing says whether a system call's function has no arguments: it may be handed
// the registers all the same.
func takesNothing(proto *btf.FuncProto) bool {
	return len(proto.Params) == 0 || len(proto.Params) == 1 && strings.HasSuffix(ctype.Text(proto.Params[0].Type), "struct pt_regs *")
}

// innerCall begins the name of a system call's function that has the arguments by name.
const innerCall = "__do_sys_"

// symbols has the functions at addresses of its own.
func (t *types) symbols() string {
	const start uint64 = 0xffffffff81000000
	var text strings.Builder
	fmt.Fprintf(&text, "%016x T _stext\n", start)
	for i, name := range slices.Sorted(maps.Keys(t.funcs)) {
		fmt.Fprintf(&text, "%016x T %s\n", start+16*uint64(i+1), name)
	}
	return text.String()
}

// builtFor are structs that a kernel has where it is built for a feature.
var builtFor = map[kernel.Feature]string{
	kernel.KprobeMulti:   "bpf_kprobe_multi_link",
	kernel.KprobeSession: "bpf_kprobe_multi_link",
	kernel.UprobeMulti:   "bpf_uprobe_multi_link",
	kernel.Kprobe:        "trace_kprobe",
}

// features are those that kernels of this version have, if it is built for them.
func (t *types) features(k *kernel.Kernel) string {
	var text strings.Builder
	for _, row := range kernel.Features {
		name := builtFor[row.Feature]
		if _, err := t.spec.AnyTypesByName(name); (name == "" || err == nil) && row.In(k) {
			fmt.Fprintln(&text, row.Feature)
		}
	}
	return text.String()
}
