package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/plylang"
)

// Values in memory
//
// A slot is a piece of the stack, or of the program's scratch memory: the only
// value of a per-CPU array whose address is in R8. A program is first
// generated without scratch memory; if its stack overflows, it is generated
// again with it, and what is larger than a few words goes there. That memory
// cannot be used twice at once, because no program interrupts itself on its
// CPU: the kernel skips it then.
//
// All slots have a multiple of 8 bytes. A value in memory fills its padded
// size: a string is its text and then NULs up to the end of the slot. Strings
// can so be compared, copied and used as keys word by word.

const (
	stackSize   = 512      // MAX_BPF_STACK
	scratchSize = 32 << 10 // largest value of a per-CPU map
	smallSlot   = 4 * 8    // stays on the stack even when there is scratch memory
)

// A mem is a piece of memory: size bytes at reg+off.
type mem struct {
	reg       asm.Register
	off, size int
}

// at returns the piece of size bytes at off of m.
func (m mem) at(off, size int) mem { return mem{m.reg, m.off + off, size} }

// word returns word i of m.
func (m mem) word(i int) mem { return m.at(8*i, 8) }

// words is the number of words of m.
func (m mem) words() int { return padded(m.size) / 8 }

// padded rounds a size up to a multiple of 8.
func padded(size int) int { return (size + 7) &^ 7 }

// A memory hands out slots.
type memory struct {
	scratchName    string // map of the scratch memory; "" when there is none
	overflow       bool   // something did not fit
	stack, scratch space
}

// A space knows which of its words are taken, and how many ever were.
type space struct {
	used []bool
	most int
}

// take returns the first n free words before limit, and false when there are
// none.
func (s *space) take(n, limit int) (first int, ok bool) {
	free := 0
	for i := 0; i < limit; i++ {
		if i >= len(s.used) {
			s.used = append(s.used, false)
		}
		if free++; s.used[i] {
			free = 0
		}
		if free == n {
			first = i + 1 - n
			for j := first; j <= i; j++ {
				s.used[j] = true
			}
			s.most = max(s.most, i+1)
			return first, true
		}
	}
	return 0, false
}

func (s *space) release(first, n int) {
	for i := first; i < first+n; i++ {
		s.used[i] = false
	}
}

// slot returns memory for a value of size bytes.
func (g *gen) slot(size int) mem {
	m := &g.memory
	size = max(padded(size), 8)
	if m.scratchName == "" || size <= smallSlot {
		if first, ok := m.stack.take(size/8, stackSize/8); ok {
			return mem{asm.R10, -8*first - size, size}
		}
	}
	if m.scratchName != "" {
		if first, ok := m.scratch.take(size/8, scratchSize/8); ok {
			return mem{asm.R8, 8 * first, size}
		}
	}
	m.overflow = true
	return mem{asm.R10, -stackSize, size}
}

// free gives a slot back.
func (g *gen) free(m mem) {
	switch {
	case g.memory.overflow:
	case m.reg == asm.R10:
		g.memory.stack.release((-m.off-m.size)/8, m.size/8)
	case m.reg == asm.R8:
		g.memory.scratch.release(m.off/8, m.size/8)
	}
}

// scoped calls f and gives back all slots it took and did not free.
func (g *gen) scoped(f func()) {
	m := &g.memory
	stack, scratch := append([]bool(nil), m.stack.used...), append([]bool(nil), m.scratch.used...)
	f()
	m.stack.restore(stack)
	m.scratch.restore(scratch)
}

func (s *space) restore(used []bool) {
	for i := range s.used {
		s.used[i] = i < len(used) && used[i]
	}
}

// load puts a word of memory into a register.
func (g *gen) load(reg asm.Register, m mem) {
	g.emit(asm.LoadMem(reg, m.reg, int16(m.off), asm.DWord))
}

// store puts a register into a word of memory.
func (g *gen) store(m mem, reg asm.Register) {
	g.emit(asm.StoreMem(m.reg, int16(m.off), reg, asm.DWord))
}

// storeImm puts a constant into a word of memory. R1 is lost.
func (g *gen) storeImm(m mem, v int64) {
	g.imm(asm.R1, v)
	g.store(m, asm.R1)
}

// zero clears m. R1 is lost.
func (g *gen) zero(m mem) {
	if m.size <= 0 {
		return
	}
	g.emit(asm.Mov.Imm(asm.R1, 0))
	for i := range m.words() {
		g.store(m.word(i), asm.R1)
	}
}

// copy copies src to dst, and clears what is left of dst. R1 is lost.
func (g *gen) copy(dst, src mem) {
	n := min(dst.words(), src.words())
	for i := range n {
		g.load(asm.R1, src.word(i))
		g.store(dst.word(i), asm.R1)
	}
	g.zero(dst.at(8*n, padded(dst.size)-8*n))
}

// address puts the address of m into a register.
func (g *gen) address(reg asm.Register, m mem) {
	g.emit(asm.Mov.Reg(reg, m.reg))
	if m.off != 0 {
		g.emit(asm.Add.Imm(reg, int32(m.off)))
	}
}

// spill keeps R0 in a new slot.
func (g *gen) spill() mem {
	m := g.slot(8)
	g.store(m, asm.R0)
	return m
}

// loadTyped loads a scalar of type t from memory at reg+off into R0 and widens
// it.
func (g *gen) loadTyped(t *plylang.Type, reg asm.Register, off int) {
	g.emit(asm.LoadMem(asm.R0, reg, int16(off), sizeOp(t.Size)))
	if t.Signed {
		g.extend(t)
	}
}

func sizeOp(size int) asm.Size {
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

// extend cuts R0 to the size of t and widens it by its sign.
func (g *gen) extend(t *plylang.Type) {
	bits := int32(64 - 8*t.Size)
	switch {
	case bits <= 0:
	case t.Signed:
		g.emit(asm.LSh.Imm(asm.R0, bits), asm.ArSh.Imm(asm.R0, bits))
	case t.Size == 4:
		g.emit(asm.Mov.Reg32(asm.R0, asm.R0))
	default:
		g.emit(asm.And.Imm(asm.R0, int32(1)<<(8*t.Size)-1))
	}
}

// probeRead reads dst.size bytes at the address in R3 into dst; a fault reads
// as zero.
func (g *gen) probeRead(dst mem, user bool) {
	g.readMemory(dst, dst.size, pick(user, asm.FnProbeReadUser, asm.FnProbeReadKernel))
}

// probeReadString reads a string of at most size bytes of text at the address
// in R3 into dst. dst is size+1 bytes at least and full of NULs; a fault
// leaves the empty string.
func (g *gen) probeReadString(dst mem, size int, user bool) {
	g.readMemory(dst, size+1, pick(user, asm.FnProbeReadUserStr, asm.FnProbeReadKernelStr))
}

func (g *gen) readMemory(dst mem, size int, fn asm.BuiltinFunc) {
	g.address(asm.R1, dst)
	g.emit(asm.Mov.Imm(asm.R2, int32(size)))
	g.call(fn)
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
