package kernel

import "slices"

// An Arch is what a processor architecture fixes: registers, calling
// conventions and system call numbers.
type Arch struct {
	Name    string // Go's name of it
	Machine string // the kernel's name of it

	Registers map[string]Register // pt_regs by register name
	Context   int                 // bytes of pt_regs that a kprobe program may read as its context

	Args        []string // registers of a function's arguments, in order
	GoArgs      []string // registers of a Go function's arguments, in order (Go's abi-internal.md)
	SyscallArgs []string // registers of a system call's arguments, in order
	SyscallNr   string   // register of a system call's number
	Return      string   // register of a function's result
	IP, SP, FP  string   // instruction, stack and frame pointer
	Frame       string   // register that is the same when a function begins and when it has returned, but for a return address on the stack
	Link        string   // register of the return address at a function's entry; "" when that is on the stack

	// Sigreturn is a register that is -1 when rt_sigreturn returns; the number is
	// then that of the last call before the signal, which seems to return again.
	// It is "" where rt_sigreturn leaves no number behind.
	Sigreturn string

	// KernelBit is a bit of all addresses of the kernel and of none of a process, which
	// programs have to test before they load from one; 0 where the kernel's own test is enough.
	KernelBit uint64

	SyscallPrefixes []string // what the names of system call functions begin with, newest first
	Compat          CompatBit
	NativeCall      NativeCall

	syscalls []string          // names by number, "" where there is none
	wrappers map[string]string // names of the functions that differ from the call's, beside the common ones
}

// A Register is where pt_regs keeps a processor register.
type Register struct {
	Offset, Size int // bytes
}

// A CompatBit tells a 32-bit system call from a native one: it is one where
// the field of task_struct has a bit of the mask. A zero mask means that there
// are only native ones.
type CompatBit struct {
	Field string // path in task_struct
	Mask  uint64
}

// NativeCall is how the native instruction for system calls leaves the registers: of
// each pair both are equal, and the code segment is that of native code. Nothing
// else leaves them so by accident. Zero: that is not known.
type NativeCall struct {
	Equal   [][2]string
	Code    string // register of the code segment
	Segment int32
}

// arches are the supported architectures by Go's name.
var arches = map[string]*Arch{
	"amd64":   &archAMD64,
	"arm64":   &archARM64,
	"riscv64": &archRISCV64,
}

// registers lays out pt_regs of 8-byte registers. A row may hold several names
// of one register, a name is skipped when it is empty.
func registers(rows ...[]string) map[string]Register {
	regs := map[string]Register{}
	for i, names := range rows {
		for _, name := range names {
			regs[name] = Register{Offset: 8 * i, Size: 8}
		}
	}
	return regs
}

// alias adds narrower or other names of registers that are laid out.
func alias(regs map[string]Register, size int, names map[string]string) map[string]Register {
	for name, of := range names {
		regs[name] = Register{Offset: regs[of].Offset, Size: size}
	}
	return regs
}

// withCalls adds an architecture's own system calls to the generic table.
func withCalls(generic []string, own map[int]string) []string {
	calls := slices.Clone(generic)
	for number, name := range own {
		calls = append(calls, make([]string, max(0, number+1-len(calls)))...)
		calls[number] = name
	}
	return calls
}
