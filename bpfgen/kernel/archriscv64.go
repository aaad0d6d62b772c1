package kernel

// archRISCV64 follows arch/riscv/include/asm/ptrace.h and the RISC-V calling
// convention. Kernels that run 32-bit programs too are rare and do not agree on
// the bit that tells, so all system calls count as native.
var archRISCV64 = Arch{
	Name:    "riscv64",
	Machine: "riscv64",
	Context: 32 * 8,
	Registers: registers(
		[]string{"pc", "epc", "ip"}, []string{"ra"}, []string{"sp"}, []string{"gp"}, []string{"tp"},
		[]string{"t0"}, []string{"t1"}, []string{"t2"}, []string{"s0", "fp"}, []string{"s1"},
		[]string{"a0"}, []string{"a1"}, []string{"a2"}, []string{"a3"},
		[]string{"a4"}, []string{"a5"}, []string{"a6"}, []string{"a7"},
		[]string{"s2"}, []string{"s3"}, []string{"s4"}, []string{"s5"}, []string{"s6"},
		[]string{"s7"}, []string{"s8"}, []string{"s9"}, []string{"s10"}, []string{"s11"},
		[]string{"t3"}, []string{"t4"}, []string{"t5"}, []string{"t6"},
		[]string{"status"}, []string{"badaddr"}, []string{"cause"}, []string{"orig_a0"},
	),
	Args:            []string{"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"},
	GoArgs:          []string{"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"},
	SyscallArgs:     []string{"orig_a0", "a1", "a2", "a3", "a4", "a5"},
	SyscallNr:       "a7",
	Return:          "a0",
	IP:              "pc",
	SP:              "sp",
	FP:              "s0",
	Frame:           "s0", // a kretprobe does not tell sp
	Link:            "ra",
	Sigreturn:       "cause",
	SyscallPrefixes: []string{"__riscv_sys_", "sys_", "SyS_"},
	syscalls:        withCalls(syscallsGeneric, syscallsRISCV64),
	wrappers:        map[string]string{"fadvise64": "fadvise64_64"},
}
