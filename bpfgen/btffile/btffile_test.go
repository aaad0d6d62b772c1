package btffile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

var (
	intType  = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	longType = &btf.Int{Name: "long int", Size: 8, Encoding: btf.Signed}
	charType = &btf.Int{Name: "char", Size: 1, Encoding: btf.Char}
	task     = &btf.Pointer{Target: &btf.Struct{Name: "task_struct", Size: 8}}
	data     = &btf.Pointer{Target: &btf.Void{}}
	registry = &btf.Pointer{Target: &btf.Const{Type: &btf.Struct{Name: "pt_regs", Size: 8, Members: []btf.Member{{Name: "r15", Type: longType}}}}}
)

func function(name string, params ...btf.Type) *btf.Func {
	proto := &btf.FuncProto{Return: longType}
	for i, p := range params {
		proto.Params = append(proto.Params, btf.FuncParam{Name: string(rune('a' + i)), Type: p})
	}
	return &btf.Func{Name: name, Type: proto, Linkage: btf.StaticFunc}
}

// event are the types of a tracepoint; it has its own record unless there are no fields.
func event(name string, args []btf.Type, fields ...btf.Member) []btf.Type {
	args = append([]btf.Type{data}, args...)
	types := []btf.Type{&btf.Typedef{Name: eventType + name, Type: &btf.Pointer{Target: function("", args...).Type}}}
	if len(fields) > 0 {
		types = append(types, record(name, args, fields...)...)
	}
	return types
}

func record(name string, args []btf.Type, fields ...btf.Member) []btf.Type {
	return []btf.Type{&btf.Struct{Name: recordType + name, Size: 64, Members: fields}, function(recordFunc+name, args...)}
}

func field(name string, at int, t btf.Type) btf.Member {
	return btf.Member{Name: name, Type: t, Offset: btf.Bits(8 * at)}
}

// raw is a file with a kernel's types.
func raw(t *testing.T, order binary.ByteOrder, types ...btf.Type) []byte {
	t.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Marshal(nil, &btf.MarshalOptions{Order: order})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func aKernel(t *testing.T) *kernel.Kernel {
	types := []btf.Type{
		function("vfs_read", data, intType), function("__x64_sys_read", registry), function("__do_sys_getpid", registry),
		function("__x64_sys_brk", registry), function("__do_sys_brk", longType),
	}
	types = append(types, event("sched_switch", []btf.Type{task, task},
		field("ent", 0, longType), field("prev_comm", 8, &btf.Array{Type: charType, Nelems: 16, Index: intType}), field("prev_pid", 24, &btf.Typedef{Name: "pid_t", Type: intType}),
		field("__data_loc_path", 28, intType), field("prev_state", 32, longType), field("bits", 40, intType), field("__data", 44, &btf.Array{Type: charType, Index: intType}))...)
	types = append(types, event("sched_wakeup", []btf.Type{task})...)
	types = append(types, event("sched_exit", []btf.Type{task})...)
	types = append(types, event("other", []btf.Type{intType})...)
	types = append(types, record("sched_wakeup_template", []btf.Type{data, task}, field("pid", 8, intType))...)
	types = append(types, record("sched_wake_class", []btf.Type{data, task}, field("wrong", 8, intType))...)
	types = append(types, record("by_number", []btf.Type{data, longType}, field("wrong", 8, intType))...)
	k, err := Open(raw(t, binary.LittleEndian, types...), "6.12.1-test")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What tracefs would say of the records, as far as types tell.
func TestTracepoints(t *testing.T) {
	k := aKernel(t)
	for event, want := range map[string][]string{
		"sched/sched_switch": {"prev_comm char[16] 8 16 false", "prev_pid pid_t 24 4 true", "path __data_loc char[] 28 4 true", "prev_state long int 32 8 true", "bits int 40 4 true"},
		// of two records with the same arguments, that of the nearer name
		"sched/sched_wakeup":        {"pid int 8 4 true"},
		"syscalls/sys_enter_brk":    {"__syscall_nr int 8 4 true", "a long int 16 8 false"},
		"syscalls/sys_exit_brk":     {"__syscall_nr int 8 4 true", "ret long 16 8 true"},
		"syscalls/sys_enter_getpid": {"__syscall_nr int 8 4 true"},
	} {
		category, name, _ := strings.Cut(event, "/")
		format, err := k.Tracepoint(category, name)
		if err != nil {
			t.Errorf("%s: %v", event, err)
			continue
		}
		var got []string
		for _, f := range format.Fields {
			if !f.Common {
				got = append(got, fmt.Sprint(f.Name, " ", f.CType, " ", f.Offset, " ", f.Size, " ", f.Signed))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has\n%q, want\n%q", event, got, want)
		}
	}
}

// What types do not tell is not taken for absent without a word.
func TestUntold(t *testing.T) {
	k := aKernel(t)
	needs := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, errNoFormats) || !errors.Is(err, plylang.ErrMissing) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := k.Tracepoints("sched", "sched_*")
	needs("a glob of events", err)
	_, err = k.Tracepoints("*", "sched_switch")
	needs("a glob of categories", err)
	_, err = k.Tracepoint("syscalls", "sys_enter_read")
	needs("a call whose arguments have no names", err)
	for _, event := range []string{"sched_exit", "other"} { // two records are as near; none has such arguments
		if found, err := k.Tracepoints("sched", event); len(found) != 1 || err != nil {
			t.Errorf("%s: %v, %v", event, found, err)
		}
		_, err = k.Tracepoint("sched", event)
		needs(event, err)
	}
	if found, err := k.Tracepoints("sched", "sched_swich"); len(found) != 0 || err != nil {
		t.Errorf("an absent one: %v, %v", found, err)
	}
	if found, err := k.Tracepoints("syscalls", "sys_enter_*"); len(found) != 3 || err != nil {
		t.Errorf("calls: %v, %v", found, err)
	}
	if found, err := k.Functions("vfs_*"); len(found) != 1 || err != nil {
		t.Errorf("functions: %v, %v", found, err)
	}
	if cpus, err := k.OnlineCPUs(); len(cpus) != CPUs || err != nil {
		t.Errorf("CPUs: %v, %v", cpus, err)
	}
}

// A feature takes a version, and a kernel that is built for it.
func TestFeatures(t *testing.T) {
	link := &btf.Struct{Name: "bpf_kprobe_multi_link", Size: 8}
	multi := func(release string, types ...btf.Type) bool {
		types = append(types, registry, function("f"))
		k, err := Open(raw(t, binary.LittleEndian, types...), release)
		if err != nil {
			t.Fatal(err)
		}
		return k.Has(kernel.KprobeMulti)
	}
	if !multi("5.18.0", link) || multi("5.17.0", link) || multi("5.18.0") {
		t.Error("a link for many functions")
	}
}

func TestWrongFiles(t *testing.T) {
	good := raw(t, binary.LittleEndian, registry, function("f"))
	loop := &btf.Pointer{}
	loop.Target = &btf.Const{Type: loop}
	for want, text := range map[string][]byte{
		"is no BTF file":                              []byte("root:x:0"),
		"which has the types of a kernel":             nil,
		"is damaged, or only a part":                  good[:len(good)-10],
		"is a program, or a kernel as it was linked":  []byte("\x7fELF\x02"),
		"of a machine with another byte order":        raw(t, binary.BigEndian, registry, function("f")),
		"is of an architecture that is not supported": raw(t, binary.LittleEndian, function("f")),
		"has no functions":                            raw(t, binary.LittleEndian, registry),
		`is damaged: type "" is made of itself`:       raw(t, binary.LittleEndian, registry, function("f", loop)),
	} {
		if _, err := Open(text, "6.1.0"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
