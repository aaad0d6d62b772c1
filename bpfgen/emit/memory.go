package emit

import "github.com/cilium/ebpf/asm"

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
	StackSize   = 512      // MAX_BPF_STACK
	ScratchSize = 32 << 10 // largest value of a per-CPU map
	smallSlot   = 4 * 8    // stays on the stack even when there is scratch memory
)

// A Mem is a piece of memory: size bytes at reg+off.
type Mem struct {
	Reg       asm.Register
	Off, Size int
}

// At returns the piece of size bytes at off of m.
func (m Mem) At(off, size int) Mem { return Mem{m.Reg, m.Off + off, size} }

// Word returns word i of m.
func (m Mem) Word(i int) Mem { return m.At(8*i, 8) }

// Words is the number of words of m.
func (m Mem) Words() int { return Padded(m.Size) / 8 }

// Padded rounds a size up to a multiple of 8.
func Padded(size int) int { return (size + 7) &^ 7 }

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

// Overflowed says whether a value did not fit: the program must be generated
// again with scratch memory, or cannot be.
func (e *Emitter) Overflowed() bool { return e.memory.overflow }

// ScratchBytes is how many bytes of scratch memory the program needs.
func (e *Emitter) ScratchBytes() int { return 8 * max(e.memory.scratch.most, 1) }

// FindScratch leaves the address of the scratch memory in R8, where the program
// has any, and goes to none if there is none.
func (e *Emitter) FindScratch(none string) {
	if e.memory.scratchName == "" {
		return
	}
	key := e.Slot(8)
	e.Zero(key)
	e.Address(asm.R2, key)
	e.MapPtr(asm.R1, e.memory.scratchName)
	e.Call(asm.FnMapLookupElem)
	e.Jump(asm.JEq, asm.R0, 0, none)
	e.Emit(asm.Mov.Reg(asm.R8, asm.R0))
	e.Free(key)
}

// Slot returns memory for a value of size bytes.
func (e *Emitter) Slot(size int) Mem {
	m := &e.memory
	size = max(Padded(size), 8)
	if m.scratchName == "" || size <= smallSlot {
		if first, ok := m.stack.take(size/8, StackSize/8); ok {
			return Mem{asm.R10, -8*first - size, size}
		}
	}
	if m.scratchName != "" {
		if first, ok := m.scratch.take(size/8, ScratchSize/8); ok {
			return Mem{asm.R8, 8 * first, size}
		}
	}
	m.overflow = true
	return Mem{asm.R10, -StackSize, size}
}

// Free gives a slot back.
func (e *Emitter) Free(m Mem) {
	switch {
	case e.memory.overflow:
	case m.Reg == asm.R10:
		e.memory.stack.release((-m.Off-m.Size)/8, m.Size/8)
	case m.Reg == asm.R8:
		e.memory.scratch.release(m.Off/8, m.Size/8)
	}
}

// Scoped calls f and gives back all slots it took and did not free.
func (e *Emitter) Scoped(f func()) {
	m := &e.memory
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
