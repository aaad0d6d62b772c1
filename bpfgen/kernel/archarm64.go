package kernel

import "fmt"

// archARM64 follows arch/arm64/include/asm/ptrace.h and the AAPCS64. At a
// system call's exit x0 holds the result; its first argument is then kept in
// orig_x0, and its number in syscallno.
var archARM64 = Arch{
	Name:            "arm64",
	Machine:         "aarch64",
	Context:         34 * 8,
	Registers:       registersARM64(),
	Args:            []string{"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"},
	GoArgs:          []string{"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15"},
	SyscallArgs:     []string{"orig_x0", "x1", "x2", "x3", "x4", "x5"},
	SyscallNr:       "syscallno",
	Return:          "x0",
	IP:              "pc",
	SP:              "sp",
	FP:              "x29",
	Frame:           "sp",
	Link:            "x30",
	KernelBit:       1 << 55,
	SyscallPrefixes: []string{"__arm64_sys_", "sys_", "SyS_"},
	Compat:          CompatBit{Field: "thread_info.flags", Mask: 1 << 22}, // TIF_32BIT
	syscalls:        withCalls(syscallsGeneric, syscallsARM64),
	wrappers: map[string]string{
		"personality": "arm64_personality",
		"fadvise64":   "fadvise64_64",
	},
}

func registersARM64() map[string]Register {
	rows := make([][]string, 0, 36)
	for i := range 31 {
		rows = append(rows, []string{fmt.Sprintf("x%d", i), fmt.Sprintf("r%d", i)})
	}
	rows[29] = append(rows[29], "fp")
	rows[30] = append(rows[30], "lr")
	rows = append(rows, []string{"sp"}, []string{"pc", "ip"}, []string{"pstate"}, []string{"orig_x0"}, []string{"syscallno"})
	regs := registers(rows...)
	regs["syscallno"] = Register{Offset: regs["syscallno"].Offset, Size: 4}
	for i := range 31 {
		regs[fmt.Sprintf("w%d", i)] = Register{Offset: 8 * i, Size: 4}
	}
	return regs
}
