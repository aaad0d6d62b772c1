package kernel

import (
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// A Cast is the kernel's function that makes a typed pointer of an address, and a
// type of which every word is a number, by the numbers that programs know them by.
type Cast struct{ Function, Words btf.TypeID }

// Cast returns how programs make a pointer of any address that they can load
// numbers from; ok is false where this kernel has no way.
func (k *Kernel) Cast() (cast Cast, ok bool) {
	if !k.Has(TypedCast) {
		return Cast{}, false
	}
	return k.CastTypes()
}

// CastTypes finds the numbers, whether or not programs may use them. The registers
// are a struct of words. On riscv64 a load need not survive an address that is no
// multiple of its size.
func (k *Kernel) CastTypes() (cast Cast, ok bool) {
	spec, err := k.BTF()
	if err != nil || k.Arch().Name == "riscv64" {
		return Cast{}, false
	}
	var function *btf.Func
	var registers *btf.Struct
	if spec.TypeByName("bpf_rdonly_cast", &function) != nil || spec.TypeByName("pt_regs", &registers) != nil {
		return Cast{}, false
	}
	if cast.Function, err = spec.TypeID(function); err == nil {
		cast.Words, err = spec.TypeID(registers)
	}
	return cast, err == nil
}

// Call makes R0 the pointer of the address in R1. R1 to R5 are lost.
func (c Cast) Call() asm.Instructions {
	call := asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call)
	return asm.Instructions{
		asm.Mov.Imm(asm.R2, int32(c.Words)),
		{OpCode: call, Src: asm.PseudoKfuncCall, Constant: int64(c.Function)},
	}
}
