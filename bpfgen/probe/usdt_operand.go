package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/plylang"
)

// loadOperand leaves in R0 the value of an operand, which has its own size and sign, as
// one of type t.
func loadOperand(c *Context, o elf.Operand, t *plylang.Type) {
	own := &plylang.Type{Kind: plylang.Int, Size: o.Size, Signed: o.Signed}
	switch o.Kind {
	case elf.Constant:
		c.Imm(asm.R0, o.Value)
	case elf.Register:
		loadRegister(c, o.Register)
		if o.Shift > 0 {
			c.Emit(asm.RSh.Imm(asm.R0, int32(o.Shift)))
		}
		c.Extend(own)
	case elf.Memory:
		slot := c.Slot(8)
		operandAddress(c, o)
		c.ProbeRead(slot.At(0, o.Size), true)
		c.LoadTyped(own, slot.Reg, slot.Off)
		c.Free(slot)
	case elf.Address:
		operandAddress(c, o)
		c.Emit(asm.Mov.Reg(asm.R0, asm.R3))
	}
	c.Extend(t)
}

// operandAddress leaves in R3 the address that registers and a constant of an operand
// give.
func operandAddress(c *Context, o elf.Operand) {
	c.Imm(asm.R3, o.Value)
	if o.Register != "" {
		loadRegister(c, o.Register)
		c.Emit(asm.Add.Reg(asm.R3, asm.R0))
	}
	if o.Index != "" {
		loadRegister(c, o.Index)
		if o.IndexSize > 0 {
			c.Extend(&plylang.Type{Kind: plylang.Int, Size: o.IndexSize, Signed: o.IndexSigned})
		}
		c.Emit(asm.Mul.Imm(asm.R0, int32(max(o.Scale, 1))), asm.Add.Reg(asm.R3, asm.R0))
	}
}
