package kernel

import (
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// A Session is the kernel's functions by which a program of a kprobe session
// learns at which end of a call it runs, and has the word that the kernel keeps for
// the call, by the numbers that programs know them by.
type Session struct{ isReturn, word btf.TypeID }

// Session returns them; ok is false where this kernel has no sessions, or does not
// describe them.
func (k *Kernel) Session() (s Session, ok bool) {
	spec, err := k.BTF()
	if err != nil {
		return Session{}, false
	}
	for name, id := range map[string]*btf.TypeID{"bpf_session_is_return": &s.isReturn, "bpf_session_cookie": &s.word} {
		var function *btf.Func
		if spec.TypeByName(name, &function) != nil {
			return Session{}, false
		}
		if *id, err = spec.TypeID(function); err != nil {
			return Session{}, false
		}
	}
	return s, true
}

// IsReturn makes R0 other than 0 where the call returns. The program's context is
// in R1, which kernels before 7.0 do not ask for. R1 to R5 are lost.
func (s Session) IsReturn() asm.Instruction { return callKernel(s.isReturn) }

// Word makes R0 the address of the call's word, as IsReturn is called.
func (s Session) Word() asm.Instruction { return callKernel(s.word) }

// callKernel calls a function of the kernel.
func callKernel(function btf.TypeID) asm.Instruction {
	return asm.Instruction{
		OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall, Constant: int64(function),
	}
}
