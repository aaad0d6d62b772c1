package kernel

// archAMD64 follows arch/x86/include/asm/ptrace.h and the System V calling
// convention. Functions take their fourth argument in rcx, system calls in r10,
// because the syscall instruction overwrites rcx.
var archAMD64 = Arch{
	Name:    "amd64",
	Machine: "x86_64",
	Context: 21 * 8,
	Registers: alias(registers(
		[]string{"r15"}, []string{"r14"}, []string{"r13"}, []string{"r12"},
		[]string{"rbp", "bp"}, []string{"rbx", "bx"},
		[]string{"r11"}, []string{"r10"}, []string{"r9"}, []string{"r8"},
		[]string{"rax", "ax"}, []string{"rcx", "cx"}, []string{"rdx", "dx"},
		[]string{"rsi", "si"}, []string{"rdi", "di"},
		[]string{"orig_rax", "orig_ax"}, []string{"rip", "ip", "pc"}, []string{"cs"},
		[]string{"eflags", "flags"}, []string{"rsp", "sp"}, []string{"ss"},
	), 4, map[string]string{
		"ebp": "rbp", "ebx": "rbx", "eax": "rax", "ecx": "rcx", "edx": "rdx", "esi": "rsi", "edi": "rdi",
	}),
	Args:            []string{"rdi", "rsi", "rdx", "rcx", "r8", "r9"},
	GoArgs:          []string{"rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11"},
	SyscallArgs:     []string{"rdi", "rsi", "rdx", "r10", "r8", "r9"},
	SyscallNr:       "orig_rax",
	Return:          "rax",
	IP:              "rip",
	SP:              "rsp",
	FP:              "rbp",
	Frame:           "rsp",
	SyscallPrefixes: []string{"__x64_sys_", "sys_", "SyS_"},
	Compat:          CompatBit{Field: "thread_info.status", Mask: 0x2}, // TS_COMPAT
	// syscall puts the return address into rcx, and the flags into r11.
	NativeCall: NativeCall{Equal: [][2]string{{"rcx", "rip"}, {"r11", "eflags"}}, Code: "cs", Segment: 0x33}, // __USER_CS
	syscalls:   syscallsAMD64,
}
