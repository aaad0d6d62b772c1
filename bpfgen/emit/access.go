package emit

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// Load puts a word of memory into a register.
func (e *Emitter) Load(reg asm.Register, m Mem) {
	e.Emit(asm.LoadMem(reg, m.Reg, int16(m.Off), asm.DWord))
}

// Store puts a register into a word of memory.
func (e *Emitter) Store(m Mem, reg asm.Register) {
	e.Emit(asm.StoreMem(m.Reg, int16(m.Off), reg, asm.DWord))
}

// StoreImm puts a constant into a word of memory. R1 is lost.
func (e *Emitter) StoreImm(m Mem, v int64) {
	e.Imm(asm.R1, v)
	e.Store(m, asm.R1)
}

// Zero clears m. R1 is lost.
func (e *Emitter) Zero(m Mem) {
	if m.Size <= 0 {
		return
	}
	e.Emit(asm.Mov.Imm(asm.R1, 0))
	for i := range m.Words() {
		e.Store(m.Word(i), asm.R1)
	}
}

// Copy copies src to dst, and clears what is left of dst. R1 is lost.
func (e *Emitter) Copy(dst, src Mem) {
	n := min(dst.Words(), src.Words())
	for i := range n {
		e.Load(asm.R1, src.Word(i))
		e.Store(dst.Word(i), asm.R1)
	}
	e.Zero(dst.At(8*n, Padded(dst.Size)-8*n))
}

// Address puts the address of m into a register.
func (e *Emitter) Address(reg asm.Register, m Mem) {
	e.Emit(asm.Mov.Reg(reg, m.Reg))
	if m.Off != 0 {
		e.Emit(asm.Add.Imm(reg, int32(m.Off)))
	}
}

// Spill keeps R0 in a new slot.
func (e *Emitter) Spill() Mem {
	m := e.Slot(8)
	e.Store(m, asm.R0)
	return m
}

// LoadTyped loads a scalar of type t from memory at reg+off into R0 and widens
// it.
func (e *Emitter) LoadTyped(t *plylang.Type, reg asm.Register, off int) {
	e.Emit(asm.LoadMem(asm.R0, reg, int16(off), SizeOp(t.Size)))
	if t.Signed || t.Net != 0 {
		e.Extend(t)
	}
}

// Turn makes a number of size bytes in R0 one in host order that is in network byte
// order, and the other way around.
func (e *Emitter) Turn(size int) { e.Emit(asm.HostTo(asm.BE, asm.R0, SizeOp(size))) }

func SizeOp(size int) asm.Size {
	switch size {
	case 1:
		return asm.Byte
	case 2:
		return asm.Half
	case 4:
		return asm.Word
	}
	return asm.DWord
}

// Extend cuts R0 to the size of t and widens it by its sign. A number that is in
// network byte order is one in host order then.
func (e *Emitter) Extend(t *plylang.Type) {
	bits := int32(64 - 8*t.Size)
	switch {
	case int(t.Net) == t.Size:
		e.Turn(t.Size)
	case bits <= 0:
	case t.Signed:
		e.Emit(asm.LSh.Imm(asm.R0, bits), asm.ArSh.Imm(asm.R0, bits))
	case t.Size == 4:
		e.Emit(asm.Mov.Reg32(asm.R0, asm.R0))
	default:
		e.Emit(asm.And.Imm(asm.R0, int32(1)<<(8*t.Size)-1))
	}
}

// ProbeRead reads dst.size bytes at the address in R3 into dst; a fault reads
// as zero.
func (e *Emitter) ProbeRead(dst Mem, user bool) {
	e.readMemory(dst, dst.Size, Pick(user, asm.FnProbeReadUser, asm.FnProbeReadKernel))
}

// probeReadString reads a string of at most size bytes of text at the address
// in R3 into dst. dst is size+1 bytes at least and full of NULs; a fault
// leaves the empty string.
func (e *Emitter) probeReadString(dst Mem, size int, user bool) {
	e.readMemory(dst, size+1, Pick(user, asm.FnProbeReadUserStr, asm.FnProbeReadKernelStr))
}

func (e *Emitter) readMemory(dst Mem, size int, fn asm.BuiltinFunc) {
	e.Address(asm.R1, dst)
	e.Emit(asm.Mov.Imm(asm.R2, int32(size)))
	e.CallReader(fn)
}

// CallReader calls a helper that reads memory, and counts if it cannot read that of a
// process. Of the kernel's memory it cannot be told where it is loaded directly, so it
// is counted nowhere.
func (e *Emitter) CallReader(fn asm.BuiltinFunc) {
	e.Call(fn)
	if fn != asm.FnProbeReadUser && fn != asm.FnProbeReadUserStr {
		return
	}
	read := e.Label()
	e.Jump(asm.JSGE, asm.R0, 0, read)
	e.Fault()
	e.Bind(read)
}

// ReadString reads the string of at most size bytes at the address in R3 into
// dst. The helper ends what it reads with a NUL; where dst has no room for
// that the string is read elsewhere first.
func (e *Emitter) ReadString(dst Mem, size int, user bool) {
	room := dst
	if dst.Size <= size {
		room = e.Slot(size + 1)
	}
	e.Zero(room)
	e.probeReadString(room, size, user)
	if room != dst {
		e.Copy(dst, room.At(0, dst.Size))
		e.Free(room)
	}
}

// Pick returns one of two.
func Pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
