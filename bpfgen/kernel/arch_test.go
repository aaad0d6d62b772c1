package kernel

import "testing"

func TestRegisters(t *testing.T) {
	tests := []struct {
		arch         *Arch
		name         string
		offset, size int
	}{
		{&archAMD64, "r15", 0, 8},
		{&archAMD64, "rcx", 88, 8},
		{&archAMD64, "cx", 88, 8},
		{&archAMD64, "r10", 56, 8},
		{&archAMD64, "orig_rax", 120, 8},
		{&archAMD64, "ip", 128, 8},
		{&archAMD64, "rsp", 152, 8},
		{&archAMD64, "eax", 80, 4},
		{&archARM64, "x0", 0, 8},
		{&archARM64, "w3", 24, 4},
		{&archARM64, "lr", 240, 8},
		{&archARM64, "sp", 248, 8},
		{&archARM64, "pc", 256, 8},
		{&archARM64, "orig_x0", 272, 8},
		{&archRISCV64, "pc", 0, 8},
		{&archRISCV64, "a0", 80, 8},
		{&archRISCV64, "a7", 136, 8},
		{&archRISCV64, "cause", 272, 8},
		{&archRISCV64, "orig_a0", 280, 8},
	}
	for _, tt := range tests {
		if got := tt.arch.Registers[tt.name]; got != (Register{tt.offset, tt.size}) {
			t.Errorf("%s: %s is %+v", tt.arch.Name, tt.name, got)
		}
	}
}

// Every register that a convention names is laid out, and what a kprobe needs
// lies where its program may read.
func TestConventions(t *testing.T) {
	for _, arch := range arches {
		direct := append([]string{arch.Return, arch.IP, arch.SP, arch.FP}, arch.Args...)
		for _, name := range direct {
			if reg, ok := arch.Registers[name]; !ok || reg.Offset+reg.Size > arch.Context {
				t.Errorf("%s: %s is not in the context", arch.Name, name)
			}
		}
		named := append([]string{arch.SyscallNr}, arch.SyscallArgs...)
		if arch.Sigreturn != "" {
			named = append(named, arch.Sigreturn)
		}
		for _, name := range named {
			if _, ok := arch.Registers[name]; !ok {
				t.Errorf("%s: there is no %s", arch.Name, name)
			}
		}
	}
	if f, s := archAMD64.Args[3], archAMD64.SyscallArgs[3]; f != "rcx" || s != "r10" {
		t.Errorf("the fourth argument is in %s, a system call's in %s", f, s)
	}
}
