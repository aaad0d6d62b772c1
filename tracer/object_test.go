package tracer

import (
	"os"
	"runtime"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// The tests assemble scripts by hand, in the layout that package bpfgen
// documents, so that they depend on the tracer alone.

// An objectBuilder assembles an object.Object.
type objectBuilder struct{ obj *object.Object }

func newObject(source string) *objectBuilder {
	src := &plylang.Source{File: "test.ply", Text: source}
	return &objectBuilder{&object.Object{
		Script: &plylang.Script{Src: src},
		Spec: &ebpf.CollectionSpec{
			Maps:     map[string]*ebpf.MapSpec{},
			Programs: map[string]*ebpf.ProgramSpec{},
		},
	}}
}

// build adds the state map, whose size depends on the maps.
func (b *objectBuilder) build() *object.Object {
	b.obj.Spec.Maps[object.StateMap] = &ebpf.MapSpec{
		Name: object.StateMap, Type: ebpf.Array, KeySize: 4, MaxEntries: 1,
		ValueSize: uint32(8 * (len(b.obj.Maps) + 2)), Flags: unix.BPF_F_MMAPABLE,
	}
	return b.obj
}

// addMap adds a map of the given layout.
func (b *objectBuilder) addMap(m object.Map) *object.Map {
	m.ID = len(b.obj.Maps)
	m.SpecName = "m" + string(rune('0'+m.ID))
	m.Map = &plylang.Map{Name: "@" + m.SpecName}
	if m.KeySize > 0 {
		m.Key = []object.KeyPart{{Type: plylang.U64}}
	}
	spec := &ebpf.MapSpec{Name: m.SpecName, KeySize: uint32(m.KeySize), ValueSize: uint32(m.Size), MaxEntries: uint32(max(m.MaxEntries, 1))}
	switch m.Storage {
	case object.Cell:
		spec.Type, spec.KeySize, spec.ValueSize, spec.Flags = ebpf.Array, 4, uint32(8+m.Size), unix.BPF_F_MMAPABLE
	case object.PerCPUHash:
		spec.Type = ebpf.PerCPUHash
	case object.SharedHash:
		spec.Type = ebpf.Hash
	case object.LRUHash:
		spec.Type = ebpf.LRUHash
	}
	b.obj.Maps = append(b.obj.Maps, &m)
	b.obj.Spec.Maps[m.SpecName] = spec
	return &m
}

// ring adds the ring buffer and its events.
func (b *objectBuilder) ring(size uint32, events ...*object.Event) {
	b.obj.Events = events
	b.obj.Spec.Maps[object.RingMap] = &ebpf.MapSpec{Name: object.RingMap, Type: ebpf.RingBuf, MaxEntries: size}
}

var programTypes = map[object.AttachKind]ebpf.ProgramSpec{
	object.AttachTracepoint:     {Type: ebpf.TracePoint},
	object.AttachRawTracepoint:  {Type: ebpf.RawTracepoint},
	object.AttachKprobe:         {Type: ebpf.Kprobe},
	object.AttachKretprobe:      {Type: ebpf.Kprobe},
	object.AttachKprobeMulti:    {Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeMulti},
	object.AttachKretprobeMulti: {Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeMulti},
	object.AttachPerfEvent:      {Type: ebpf.PerfEvent},
	object.AttachBegin:          {Type: ebpf.RawTracepoint},
	object.AttachEnd:            {Type: ebpf.RawTracepoint},
}

// program adds a program that serves one specification, provider:target.
func (b *objectBuilder) program(kind object.AttachKind, target string, points []object.AttachPoint, code ...asm.Instructions) *plylang.Spec {
	name := "p" + string(rune('0'+len(b.obj.Programs)))
	spec := programTypes[kind]
	spec.Name, spec.License = name, "GPL"
	for _, c := range code {
		spec.Instructions = append(spec.Instructions, c...)
	}
	spec.Instructions = append(spec.Instructions, asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return())
	s := &plylang.Spec{Provider: string(kind), Target: target}
	for i := range points {
		points[i].ID = uint64(len(b.obj.Probes))
		b.obj.Probes = append(b.obj.Probes, string(kind)+":"+points[i].String())
	}
	b.obj.Programs = append(b.obj.Programs, &object.Program{Name: name, Attach: kind, Points: points, Specs: []*plylang.Spec{s}, Covers: []int{len(points)}, Why: "test"})
	b.obj.Spec.Programs[name] = &spec
	return s
}

// Stack slots of the code below.
const (
	slotKey   = -8
	slotValue = -120
	valueRoom = slotKey - slotValue
)

// onlySyscall leaves the program unless this process makes system call nr, at
// the tracepoint raw_syscalls/sys_enter. R8 is the call's first argument then.
func onlySyscall(nr int) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, 8, asm.DWord),
		asm.JNE.Imm(asm.R7, int32(nr), "out"),
		asm.FnGetCurrentPidTgid.Call(),
		asm.RSh.Imm(asm.R0, 32),
		asm.JNE.Imm(asm.R0, int32(os.Getpid()), "out"),
		asm.LoadMem(asm.R8, asm.R6, 16, asm.DWord),
	}
}

// onlySyscallRaw is onlySyscall at the raw tracepoint sys_enter, where the
// arguments are those of the tracepoint: registers, number.
func onlySyscallRaw(nr int) asm.Instructions {
	arg0 := map[string]int32{"amd64": 112, "arm64": 0, "riscv64": 80}[runtime.GOARCH] // in struct pt_regs
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, 8, asm.DWord),
		asm.JNE.Imm(asm.R7, int32(nr), "out"),
		asm.FnGetCurrentPidTgid.Call(),
		asm.RSh.Imm(asm.R0, 32),
		asm.JNE.Imm(asm.R0, int32(os.Getpid()), "out"),
		asm.LoadMem(asm.R3, asm.R6, 0, asm.DWord),
		asm.Add.Imm(asm.R3, arg0),
		asm.Mov.Reg(asm.R1, asm.R10), asm.Add.Imm(asm.R1, slotKey), asm.Mov.Imm(asm.R2, 8),
		asm.FnProbeReadKernel.Call(),
		asm.LoadMem(asm.R8, asm.R10, slotKey, asm.DWord),
	}
}

// keyImm stores a constant key.
func keyImm(key int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, key),
		asm.StoreMem(asm.R10, slotKey, asm.R1, asm.DWord),
	}
}

// keyArg stores the system call's first argument, modulo mask+1, as key.
func keyArg(mask int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, mask),
		asm.StoreMem(asm.R10, slotKey, asm.R1, asm.DWord),
	}
}

// element leaves the address of the key's value in R7, inserting zeros first
// when there is none.
func element(m *object.Map) asm.Instructions {
	found := m.SpecName + "found"
	ins := lookup(m)
	ins = append(ins, asm.JNE.Imm(asm.R0, 0, found), asm.Mov.Imm(asm.R1, 0))
	for off := 0; off < valueRoom; off += 8 {
		ins = append(ins, asm.StoreMem(asm.R10, int16(slotValue+off), asm.R1, asm.DWord))
	}
	ins = append(ins, mapFD(m.SpecName), asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, slotKey),
		asm.Mov.Reg(asm.R3, asm.R10), asm.Add.Imm(asm.R3, slotValue), asm.Mov.Imm(asm.R4, 1), // BPF_NOEXIST
		asm.FnMapUpdateElem.Call())
	ins = append(ins, lookup(m)...)
	ins = append(ins, asm.JNE.Imm(asm.R0, 0, found))
	ins = append(ins, addState(1+m.ID)...)
	return append(ins, asm.Ja.Label("out"), asm.Mov.Reg(asm.R7, asm.R0).WithSymbol(found))
}

func lookup(m *object.Map) asm.Instructions {
	return asm.Instructions{
		mapFD(m.SpecName), asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, slotKey), asm.FnMapLookupElem.Call(),
	}
}

func mapFD(name string) asm.Instruction { return asm.LoadMapPtr(asm.R1, 0).WithReference(name) }

func addState(word int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(asm.R1, 0, uint32(8*word)).WithReference(object.StateMap),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
	}
}

func setState(word int, v int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(asm.R1, 0, uint32(8*word)).WithReference(object.StateMap),
		asm.Mov.Imm(asm.R2, v),
		asm.StoreMem(asm.R1, 0, asm.R2, asm.DWord),
	}
}

// addOne adds 1 to word n of the value in R7.
func addOne(n int) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, int16(8*n))}
}

// observe counts the key into a histogram: sum, then a counter for each value.
func observe() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R10, slotKey, asm.DWord),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, 0),
		asm.And.Imm(asm.R1, 7),
		asm.LSh.Imm(asm.R1, 3),
		asm.Add.Reg(asm.R7, asm.R1),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, 8),
	}
}

// cellAdd adds 1 to a cell and marks it as written.
func cellAdd(m *object.Map) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(asm.R7, 0, 0).WithReference(m.SpecName),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(asm.R7, 0, asm.R1, asm.DWord),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, 8),
	}
}

// emit writes a record of two words to the ring buffer, and counts a refusal.
func emit(event, arg int32) asm.Instructions {
	done := "emitted" + string('0'+event)
	ins := asm.Instructions{
		asm.Mov.Imm(asm.R1, event), asm.StoreMem(asm.R10, -32, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, arg), asm.StoreMem(asm.R10, -24, asm.R1, asm.DWord),
		mapFD(object.RingMap), asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, -32),
		asm.Mov.Imm(asm.R3, 16), asm.Mov.Imm(asm.R4, 0), asm.FnRingbufOutput.Call(),
		asm.JEq.Imm(asm.R0, 0, done),
	}
	ins = append(ins, addState(0)...)
	return append(ins, asm.Mov.Imm(asm.R0, 0).WithSymbol(done))
}

var sysEnter = tracepoint("raw_syscalls/sys_enter")

// tracepoint is the site of category/event.
func tracepoint(name string) object.Tracepoint {
	category, event, _ := strings.Cut(name, "/")
	return object.Tracepoint{Category: category, Event: event}
}

// ofGlob is a site that came from a glob.
func ofGlob(s object.Site) object.AttachPoint { return object.AttachPoint{Site: s, Glob: true} }

// points are sites to attach to.
func points(sites ...object.Site) (list []object.AttachPoint) {
	for _, s := range sites {
		at, ok := s.(object.AttachPoint)
		if !ok {
			at.Site = s
		}
		list = append(list, at)
	}
	return list
}

// Layouts the tests use.
var (
	countValues = object.Values{
		Shape: object.ShapeNumber, Reduce: object.ReduceSum,
		Written: func(_ uint64, value []byte) bool { return object.Word(value, 0) != 0 },
	}
	histogramValues = object.Values{Shape: object.ShapeHistogram, Reduce: object.ReduceSum}
)

func countMap(s object.Storage) object.Map {
	return object.Map{Values: countValues, Storage: s, KeySize: 8, Size: 8, MaxEntries: 4096}
}

func histogramMap() object.Map {
	return object.Map{Values: histogramValues, Buckets: object.LogLinear{1, 2, 3, 4, 5, 6, 7}, Storage: object.SharedHash, KeySize: 8, Size: 8 * 9, MaxEntries: 64}
}

func cellMap() object.Map {
	return object.Map{Values: countValues, Storage: object.Cell, Size: 8}
}
