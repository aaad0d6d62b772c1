package bpfgen

import (
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// IDs of processes
//
// pid, tid and ppid are what getpid, gettid and getppid would return, so that
// they can be compared with $target: IDs of our own PID namespace. In the
// initial one these are the kernel's own. In another, a task that is not in it
// has the ID 0.

// taskID leaves the ID of the current thread, or that of its process.
func taskID(process bool) func(*gen) {
	initial := idPart(asm.FnGetCurrentPidTgid, process)
	return func(g *gen) {
		ns, ok := g.kernel.PIDNamespace()
		if !ok {
			initial(g)
			return
		}
		g.namespaceID(ns, emit.Pick(process, 4, 0))
	}
}

// namespaceID leaves one of the IDs that the helper writes as struct
// bpf_pidns_info: first the thread's, which the kernel calls pid, then the
// process's. Both are 0 when the current task is not in the namespace.
func (g *gen) namespaceID(ns kernel.PIDNamespace, off int) {
	ids := g.Slot(8)
	g.Zero(ids)
	g.Imm(asm.R1, int64(ns.Device))
	g.Imm(asm.R2, int64(ns.Inode))
	g.Address(asm.R3, ids)
	g.Imm(asm.R4, int64(ids.Size))
	g.Call(asm.FnGetNsCurrentPidTgid)
	g.LoadTyped(plylang.U32, ids.Reg, ids.Off+off)
	g.Free(ids)
}

// parentID leaves current->real_parent->tgid, as the namespace has it.
func parentID(g *gen) {
	if ns, ok := g.kernel.PIDNamespace(); ok {
		g.Scoped(func() { g.parentInNamespace(ns) })
		return
	}
	slot := g.Slot(8)
	g.Call(asm.FnGetCurrentTask)
	g.follow(slot, "task_struct", "real_parent")
	g.read(slot.At(0, 4), "task_struct", "tgid")
	g.LoadTyped(plylang.S32, slot.Reg, slot.Off)
	g.Free(slot)
}

// parentInNamespace does what task_tgid_nr_ns does. The number of a process in
// a namespace is in its struct pid, at the namespace's level. That of ours is
// the current task's own level, if the current task is in our namespace.
func (g *gen) parentInNamespace(ns kernel.PIDNamespace) {
	none, end := g.Label(), g.Label()
	g.namespaceID(ns, 0)
	g.Jump(asm.JEq, asm.R0, 0, none)
	own, parent, level := g.Slot(8), g.Slot(8), g.Slot(8)
	g.Call(asm.FnGetCurrentTask)
	g.follow(own, "task_struct", "thread_pid")
	g.readLevel(level)
	g.Store(level, asm.R0)
	g.Call(asm.FnGetCurrentTask)
	g.follow(parent, "task_struct", "real_parent", "group_leader", "thread_pid")
	g.readLevel(g.Slot(8))
	g.Load(asm.R1, level)
	g.JumpReg(asm.JLT, asm.R0, asm.R1, none)
	g.atLevel(own, level)
	g.read(own, "upid", "ns")
	g.atLevel(parent, level)
	parentNs := g.Slot(8)
	g.read(parentNs, "upid", "ns")
	g.Load(asm.R0, own)
	g.Load(asm.R1, parentNs)
	g.JumpReg(asm.JNE, asm.R0, asm.R1, none)
	g.Load(asm.R0, parent)
	g.read(parentNs.At(0, 4), "upid", "nr")
	g.LoadTyped(plylang.S32, parentNs.Reg, parentNs.Off)
	g.Goto(end)
	g.Bind(none)
	g.Imm(asm.R0, 0)
	g.Bind(end)
}

// readLevel leaves the level of the struct pid at R0.
func (g *gen) readLevel(slot emit.Mem) {
	g.read(slot.At(0, 4), "pid", "level")
	g.LoadTyped(plylang.U32, slot.Reg, slot.Off)
}

// atLevel replaces the address of a struct pid by that of its number at a
// level, and leaves it in R0.
func (g *gen) atLevel(pid, level emit.Mem) {
	g.Load(asm.R0, level)
	g.Emit(asm.Mul.Imm(asm.R0, int32(g.sizeOf("upid"))))
	g.Load(asm.R1, pid)
	g.Emit(asm.Add.Reg(asm.R0, asm.R1), asm.Add.Imm(asm.R0, int32(g.offsetOf("ppid", "pid", "numbers"))))
	g.Store(pid, asm.R0)
}

// follow reads pointers, from the struct at the address in R0 on: those of a
// path of structs of one type. The last is left in slot and in R0.
func (g *gen) follow(slot emit.Mem, structName string, path ...string) {
	for _, member := range path {
		g.read(slot, structName, member)
		g.Load(asm.R0, slot)
	}
}

// read reads a member of the struct at the address in R0.
func (g *gen) read(dst emit.Mem, structName, member string) {
	g.Emit(asm.Mov.Reg(asm.R3, asm.R0), asm.Add.Imm(asm.R3, int32(g.offsetOf("ppid", structName, member))))
	g.ProbeRead(dst, false)
}

// offsetOf is where a member is that a built-in needs.
func (g *gen) offsetOf(builtin, structName, member string) int {
	offset, err := g.kernel.FieldOffset(structName, member)
	if err != nil {
		g.errs.Add(g.script.Src, g.pos, "%s: %v", builtin, err)
	}
	return offset
}

func (g *gen) sizeOf(structName string) int {
	t, err := g.kernel.Struct(structName)
	if err == nil {
		var size int
		if size, err = btf.Sizeof(t); err == nil {
			return size
		}
	}
	g.errs.Add(g.script.Src, g.pos, "ppid: %v", err)
	return 0
}
