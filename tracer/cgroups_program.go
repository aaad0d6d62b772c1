package tracer

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// The raw tracepoints of groups. Their arguments are the struct cgroup and its path.
const (
	cgroupMade    = "cgroup_mkdir"
	cgroupRemoved = "cgroup_rmdir"
)

// A record is the key, whether the group was removed, and the path.
const (
	cgroupKindAt = 8
	cgroupPathAt = 16
	maxGroupPath = 1024 // TRACE_CGROUP_PATH_LEN, with the NUL
)

// maxSetPath is more than the longest path that a program looks at, with its NUL.
// Longer ones are compared by user space, a little later.
const maxSetPath = 512

// A cgroupLayout is where this kernel has what the programs read.
type cgroupLayout struct{ kn, id, root, hierarchy int32 }

func cgroupLayoutOf(k *kernel.Kernel) (*cgroupLayout, error) {
	l := &cgroupLayout{}
	for _, m := range []struct {
		at             *int32
		structName, is string
	}{
		{&l.kn, "cgroup", "kn"}, {&l.id, "kernfs_node", "id"},
		{&l.root, "cgroup", "root"}, {&l.hierarchy, "cgroup_root", "hierarchy_id"},
	} {
		offset, err := k.FieldOffset(m.structName, m.is)
		if err != nil {
			return nil, err
		}
		*m.at = int32(offset)
	}
	return l, nil
}

// Places on the stack of the programs.
const (
	stackKey  = -8
	stackTemp = -16
)

// readKey leaves the key of the group in its place on the stack, and the number of
// its hierarchy in R7. R6 is the context.
func (l *cgroupLayout) readKey() asm.Instructions {
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, 0, asm.DWord),
	}
	ins = append(ins, readInto(stackKey, asm.R7, l.kn, 8)...)
	ins = append(ins, asm.LoadMem(asm.R8, asm.R10, stackKey, asm.DWord))
	ins = append(ins, readInto(stackKey, asm.R8, l.id, 8)...)
	ins = append(ins, readInto(stackTemp, asm.R7, l.root, 8)...)
	ins = append(ins, asm.LoadMem(asm.R8, asm.R10, stackTemp, asm.DWord))
	ins = append(ins, readInto(stackTemp, asm.R8, l.hierarchy, 4)...)
	return append(ins,
		asm.LoadMem(asm.R7, asm.R10, stackTemp, asm.Word),
		asm.JLT.Imm(asm.R7, object.MaxHierarchy, "known"),
		asm.Mov.Imm(asm.R7, object.MaxHierarchy),
		asm.Mov.Reg(asm.R1, asm.R7).WithSymbol("known"),
		asm.LSh.Imm(asm.R1, object.HierarchyShift),
		asm.LoadMem(asm.R2, asm.R10, stackKey, asm.DWord),
		asm.Or.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.R10, stackKey, asm.R2, asm.DWord),
	)
}

// readInto reads from an offset behind an address to a place on the stack.
func readInto(stack int16, from asm.Register, offset, size int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R10), asm.Add.Imm(asm.R1, int32(stack)),
		asm.Mov.Imm(asm.R2, size),
		asm.Mov.Reg(asm.R3, from), asm.Add.Imm(asm.R3, offset),
		asm.FnProbeReadKernel.Call(),
	}
}

// readPath reads the path to an offset in R9, and leaves how long it is in R0, with
// its NUL. R6 is the context.
func readPath(offset, size int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R9), asm.Add.Imm(asm.R1, offset),
		asm.Mov.Imm(asm.R2, size),
		asm.LoadMem(asm.R3, asm.R6, 8, asm.DWord),
		asm.FnProbeReadKernelStr.Call(),
	}
}

// watchSpec has the programs that tell of groups.
func watchSpec(l *cgroupLayout) *ebpf.CollectionSpec {
	one := func(name string, size, flags uint32) *ebpf.MapSpec {
		return &ebpf.MapSpec{Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1, Flags: flags}
	}
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			cgroupRing:    {Name: cgroupRing, Type: ebpf.RingBuf, MaxEntries: cgroupRingSize},
			cgroupState:   one(cgroupState, 8*cgroupWords, object.Mmapable),
			cgroupScratch: one(cgroupScratch, cgroupPathAt+maxGroupPath, 0),
		},
		Programs: map[string]*ebpf.ProgramSpec{
			cgroupMade:    watchProgram(l.tell(0)),
			cgroupRemoved: watchProgram(l.tell(1)),
		},
	}
}

func watchProgram(code asm.Instructions) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{Name: "ply_groups", Type: ebpf.RawTracepoint, License: "GPL", Instructions: code}
}

// tell is the program that sends a record.
func (l *cgroupLayout) tell(kind int64) asm.Instructions {
	ins := l.readKey()
	ins = append(ins,
		asm.LoadMapValue(asm.R9, 0, 0).WithReference(cgroupScratch),
		asm.LoadMem(asm.R1, asm.R10, stackKey, asm.DWord),
		asm.StoreMem(asm.R9, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, int32(kind)),
		asm.StoreMem(asm.R9, cgroupKindAt, asm.R1, asm.DWord),
	)
	ins = append(ins, readPath(cgroupPathAt, maxGroupPath)...)
	return append(ins,
		asm.JSLT.Imm(asm.R0, 0, "out"),
		asm.JGT.Imm(asm.R0, maxGroupPath, "out"),
		asm.Mov.Reg(asm.R3, asm.R0),
		asm.Add.Imm(asm.R3, cgroupPathAt),
		asm.LoadMapPtr(asm.R1, 0).WithReference(cgroupRing),
		asm.Mov.Reg(asm.R2, asm.R9),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
		asm.LoadMapValue(asm.R1, 0, 0).WithReference(cgroupState),
		asm.JEq.Imm(asm.R0, 0, "told"),
		asm.Add.Imm(asm.R1, 8*cgroupsLost),
		asm.Mov.Imm(asm.R2, 1).WithSymbol("told"),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	)
}

// Names of what the program of a set refers to.
const (
	setGroups = "groups"
	setTable  = "ply_pattern"
)

// setSpec has the program that puts groups that match into a set when they are made,
// and the table of the pattern's states.
func setSpec(l *cgroupLayout, set *object.CgroupSet, room uint32) *ebpf.CollectionSpec {
	table := patternTable(set.Pattern)
	value := uint32(len(table) + maxSetPath)
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			setTable: {Name: setTable, Type: ebpf.Array, KeySize: 4, ValueSize: value, MaxEntries: 1,
				Contents: []ebpf.MapKV{{Key: uint32(0), Value: append(table, make([]byte, maxSetPath)...)}}},
			setGroups: {Name: set.Map, Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: room},
		},
		Programs: map[string]*ebpf.ProgramSpec{cgroupMade: watchProgram(l.enter(set, int32(len(table))))},
	}
}

// patternTable is the states that follow each, and behind them which accept.
func patternTable(p *object.Pattern) []byte {
	var table []byte
	for _, row := range p.Next {
		for _, next := range row {
			table = binary.LittleEndian.AppendUint16(table, next)
		}
	}
	for _, accepts := range p.Accepts {
		table = append(table, map[bool]byte{true: 1}[accepts])
	}
	return append(table, make([]byte, -len(table)&7)...)
}

// enter is the program of a set. The path is read behind the table.
func (l *cgroupLayout) enter(set *object.CgroupSet, pathAt int32) asm.Instructions {
	ins := l.readKey()
	if !set.AllHierarchies {
		ins = append(ins, asm.JNE.Imm(asm.R7, 0, "out"))
	}
	ins = append(ins, asm.LoadMapValue(asm.R9, 0, 0).WithReference(setTable))
	ins = append(ins, readPath(pathAt, maxSetPath)...)
	ins = append(ins, asm.JSLT.Imm(asm.R0, 0, "out"), asm.JEq.Imm(asm.R0, maxSetPath, "out")) // it may be longer
	ins = append(ins, followPath(int32(len(set.Next)), pathAt)...)
	return append(ins,
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(asm.R10, stackTemp, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, 0).WithReference(setGroups),
		asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, stackKey),
		asm.Mov.Reg(asm.R3, asm.R10), asm.Add.Imm(asm.R3, stackTemp),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(), // a set that is full is user space's to tell
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	)
}

// followPath goes from state to state by the bytes of the path, and leaves in R0
// whether the last accepts. The verifier of Linux 5.10 knows no bounds of what is
// shifted, so it is multiplied. R9 is the table, R2 the place in the path, R3 the state.
func followPath(states, pathAt int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Imm(asm.R3, object.StartState),
		asm.Mov.Reg(asm.R4, asm.R9).WithSymbol("byte"),
		asm.Add.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, pathAt),
		asm.LoadMem(asm.R5, asm.R4, 0, asm.Byte),
		asm.JEq.Imm(asm.R5, 0, "end"),
		asm.Mul.Imm(asm.R3, 256),
		asm.Add.Reg(asm.R3, asm.R5),
		asm.Mul.Imm(asm.R3, 2),
		asm.Mov.Reg(asm.R4, asm.R9),
		asm.Add.Reg(asm.R4, asm.R3),
		asm.LoadMem(asm.R3, asm.R4, 0, asm.Half),
		asm.JEq.Imm(asm.R3, object.DeadState, "out"),
		asm.And.Imm(asm.R3, states-1),
		asm.Add.Imm(asm.R2, 1),
		asm.JLT.Imm(asm.R2, maxSetPath, "byte"),
		asm.Mov.Reg(asm.R4, asm.R9).WithSymbol("end"),
		asm.Add.Reg(asm.R4, asm.R3),
		asm.Add.Imm(asm.R4, states*512),
		asm.LoadMem(asm.R0, asm.R4, 0, asm.Byte),
	}
}
