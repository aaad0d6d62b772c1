package probe

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
)

// Strings of the kernel
//
// The helper that reads them takes 70 ns for "ext4", as long as all else that such an
// event does. Words can be loaded directly, and what is in one after the NUL is
// cleared: a few nanoseconds. A word may reach beyond the end of the string, but not
// into another page, which may not be there.

const (
	longestLoaded = 64   // bytes of a string that is loaded in words
	smallestPage  = 4096 // bytes
)

// ReadString reads the string of at most size bytes at the address in R3 into dst; a
// fault leaves the empty string.
func (c *Context) ReadString(dst emit.Mem, size int, user bool) {
	words := emit.Padded(size) / 8
	cast, ok := c.Kernel.Cast()
	if user || !ok || c.hasTypes() || size > longestLoaded || words > dst.Words() {
		c.Emitter.ReadString(dst, size, user)
		return
	}
	c.KeepToKernel()
	slow, end := c.Label(), c.Label()
	c.Emit(asm.Mov.Reg(asm.R1, asm.R3), asm.And.Imm(asm.R1, smallestPage-1))
	c.Jump(asm.JGT, asm.R1, int32(smallestPage-8*words), slow)
	c.Emit(asm.Mov.Reg(asm.R1, asm.R3))
	c.Emit(cast.Call()...)
	c.loadString(dst, size, words)
	c.Goto(end)
	c.Bind(slow)
	c.Emitter.ReadString(dst, size, false)
	c.Bind(end)
}

// hasTypes says whether the verifier may know the address as a pointer, of which it lets
// nobody ask where in a page it is.
func (c *Context) hasTypes() bool {
	return c.Typed || attachKinds[c.Attach].program.Type == ebpf.Tracing
}

// loadString loads the words of the string at the pointer in R0, none of which is in
// another page. It does not branch, so that the verifier has one path to follow.
func (c *Context) loadString(dst emit.Mem, size, words int) {
	c.Imm(asm.R5, 0x0101010101010101)
	for i := range words {
		c.Emit(asm.LoadMem(asm.R1, asm.R0, int16(8*i), asm.DWord))
		if i > 0 {
			c.Emit(asm.And.Reg(asm.R1, asm.R4))
		}
		c.zeroBytes()
		c.Emit( // R3: the bytes before the first NUL, all of them if there is none
			asm.Mov.Reg(asm.R3, asm.R2), asm.Neg.Imm(asm.R3, 0), asm.And.Reg(asm.R3, asm.R2), asm.RSh.Imm(asm.R3, 7), asm.Sub.Imm(asm.R3, 1),
			asm.And.Reg(asm.R1, asm.R3),
		)
		if rest := size - 8*i; rest < 8 {
			c.Imm(asm.R3, int64(1)<<(8*rest)-1)
			c.Emit(asm.And.Reg(asm.R1, asm.R3))
		}
		c.Store(dst.Word(i), asm.R1)
		if i < words-1 { // R4: 0 after a NUL, else all ones
			c.Emit(
				asm.Mov.Reg(asm.R4, asm.R2), asm.Neg.Imm(asm.R4, 0), asm.Or.Reg(asm.R4, asm.R2),
				asm.ArSh.Imm(asm.R4, 63), asm.Xor.Imm(asm.R4, -1),
			)
		}
	}
	c.Zero(dst.At(8*words, emit.Padded(dst.Size)-8*words))
}

// zeroBytes sets bits of R2 where bytes of R1 are 0; the lowest one is that of the
// first such byte. R5 has a 1 in each byte, and R3 is lost.
func (c *Context) zeroBytes() {
	c.Emit(
		asm.Mov.Reg(asm.R2, asm.R1), asm.Sub.Reg(asm.R2, asm.R5),
		asm.Mov.Reg(asm.R3, asm.R1), asm.Xor.Imm(asm.R3, -1), asm.And.Reg(asm.R2, asm.R3),
		asm.Mov.Reg(asm.R3, asm.R5), asm.LSh.Imm(asm.R3, 7), asm.And.Reg(asm.R2, asm.R3),
	)
}
