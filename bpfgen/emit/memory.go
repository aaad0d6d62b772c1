package emit

import "github.com/cilium/ebpf/asm"

// Values in memory
//
// A slot is a piece of the stack, or of the program's scratch memory: the only
// value of a per-CPU array whose address is in R8. A program is first
// generated without scratch memory; if its stack overflows, it is generated
// again with it, and what is larger than a few words goes there.
//
// Most programs never interrupt themselves, because the kernel skips them then. One
// that can (see Scratch) has as many values in the array as there are contexts that
// interrupt each other, and a word that says how many of them are in use. A program
// during which another task may run it on its CPU, and end before or after it, has
// values of which it takes one that is free; the first word of each says that it is not.
//
// All slots have a multiple of 8 bytes. A value in memory fills its padded
// size: a string is its text and then NULs up to the end of the slot. Strings
// can so be compared, copied and used as keys word by word.

const (
	StackSize   = 512      // MAX_BPF_STACK
	ScratchSize = 32 << 10 // largest value of a per-CPU map
	smallSlot   = 4 * 8    // stays on the stack even when there is scratch memory
)

// Contexts is how many runs of a program there can be at a time on one CPU: in a
// task, a softirq, an interrupt and an NMI.
const Contexts = 4

// Takers is how many tasks can be in a program on one CPU, each with a value that it
// has taken.
const Takers = 16

// A Scratch names the maps of a program's scratch memory.
type Scratch struct {
	Values string // per-CPU array of the memory; "" the program has none
	InUse  string // per-CPU array of a word; "" the program does not interrupt itself
	Taken  bool   // programs take a value that is free, and have fetching atomics
}

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
	maps           Scratch
	inUse          Mem  // the address of the word that says how much is in use
	overflow       bool // something did not fit
	stack, scratch space
	lasting        []int // words of the stack that are taken for good
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
// has any. It goes to none if there is none, and to leave, where LeaveScratch is
// the next, if all of it is in use. Where values are taken, lost is the code for that,
// which does not come back.
func (e *Emitter) FindScratch(none, leave string, lost func()) {
	maps := e.memory.maps
	if maps.Values == "" {
		return
	}
	if maps.Taken {
		e.takeScratch(none, lost)
		return
	}
	key := e.Slot(8)
	e.Zero(key)
	if maps.InUse != "" {
		e.lookUp(maps.InUse, key, none)
		e.memory.inUse = e.Slot(8)
		e.Store(e.memory.inUse, asm.R0)
		e.Emit(asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord))
		e.Store(key, asm.R1)
		e.Emit(asm.Add.Imm(asm.R1, 1), asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord))
		none = leave
	}
	e.lookUp(maps.Values, key, none)
	e.Emit(asm.Mov.Reg(asm.R8, asm.R0))
	e.Free(key)
}

// takeScratch takes the first value that is free.
func (e *Emitter) takeScratch(none string, lost func()) {
	key, have := e.Slot(8), e.Label()
	e.memory.scratch.take(1, 1) // the word that says so
	for i := range Takers {
		e.StoreImm(key, int64(i))
		e.lookUp(e.memory.maps.Values, key, none)
		e.Emit(asm.Mov.Imm(asm.R1, 1), asm.Mov.Reg(asm.R8, asm.R0))
		e.Atomic(asm.Xchg, asm.R0, 0, asm.R1)
		e.Jump(asm.JEq, asm.R1, 0, have)
	}
	lost()
	e.Bind(have)
	e.Free(key)
}

// lookUp leaves the address of an array's value in R0, and goes to none if there is
// none.
func (e *Emitter) lookUp(array string, key Mem, none string) {
	e.Address(asm.R2, key)
	e.MapPtr(asm.R1, array)
	e.Call(asm.FnMapLookupElem)
	e.Jump(asm.JEq, asm.R0, 0, none)
}

// LeaveScratch gives back what FindScratch has found. What interrupts it does so
// too, so that its addition and subtraction need no atomic instruction.
func (e *Emitter) LeaveScratch() {
	if e.memory.maps.Taken {
		e.Zero(Mem{asm.R8, 0, 8})
		return
	}
	if e.memory.maps.InUse == "" {
		return
	}
	e.Load(asm.R1, e.memory.inUse)
	e.Emit(
		asm.LoadMem(asm.R2, asm.R1, 0, asm.DWord), asm.Sub.Imm(asm.R2, 1),
		asm.StoreMem(asm.R1, 0, asm.R2, asm.DWord),
	)
}

// Slot returns memory for a value of size bytes.
func (e *Emitter) Slot(size int) Mem {
	m := &e.memory
	size = max(Padded(size), 8)
	if m.maps.Values == "" || size <= smallSlot {
		if first, ok := m.stack.take(size/8, StackSize/8); ok {
			return Mem{asm.R10, -8*first - size, size}
		}
	}
	if m.maps.Values != "" {
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

// Scoped calls f and gives back all slots it took and did not free, but for those
// that last.
func (e *Emitter) Scoped(f func()) {
	m := &e.memory
	stack, scratch := append([]bool(nil), m.stack.used...), append([]bool(nil), m.scratch.used...)
	f()
	m.stack.restore(stack)
	m.scratch.restore(scratch)
	for _, word := range m.lasting {
		m.stack.used[word] = true
	}
}

func (s *space) restore(used []bool) {
	for i := range s.used {
		s.used[i] = i < len(used) && used[i]
	}
}
