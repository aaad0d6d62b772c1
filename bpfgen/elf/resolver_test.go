package elf

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// An indirect function stands for what its resolver may return.
func TestIndirect(t *testing.T) {
	names := part{name: ".rodata", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, address: 0x402000, data: []byte("LINUX_2.6\x00__vdso_time\x00__kernel_gettimeofday\x00")}
	segments := []segment{textSegment, {address: 0x402000, offset: 0x2000, size: 0x1000}}
	// What a resolver computes, relative to textAt+7, the second instruction.
	lea := func(distances ...int32) []byte {
		var code []byte
		for _, d := range distances {
			code = little.AppendUint32(append(code, 0x48, 0x8d, 0x05), uint32(d)-uint32(len(code))-7)
		}
		return append(code, 0xc3)
	}
	tests := []struct {
		name    string
		machine Machine
		code    []byte
		size    uint64
		want    string
	}{
		{"two of them", AMD64, lea(0x100, 0x200), 15, "f=plain 0x401100+16\nf 0x401200+0"},
		{"one of them twice", AMD64, lea(0x100, 0x100), 15, "f=plain 0x401100+16"},
		{"its own instructions", AMD64, lea(0x100, 0x4), 15, "f=plain 0x401100+16"},
		{"data", AMD64, lea(0x100, 0x1000), 15, "f=plain 0x401100+16"},
		{"nowhere", AMD64, lea(0x100, 0x100000), 15, "f=plain 0x401100+16"},
		{"nothing", AMD64, []byte{0x90, 0xc3}, 2, "f in /bin/example is an indirect function, and its resolver names none of its implementations"},
		{"no instruction", AMD64, []byte{0x06, 0xc3}, 2, "f in /bin/example is an indirect function, and its resolver names none of its implementations"},
		{"of no size", AMD64, lea(0x100), 0, "f in /bin/example is an indirect function whose resolver has no size: its implementations cannot be found"},
		{"the vDSO's", AMD64, lea(0x100, 0x1000+10), 15, "f in /bin/example is an indirect function that runs in the kernel's vDSO, which is in no file: probe the callers instead"},
		{"the vDSO's of arm64", AMD64, lea(0x100, 0x1000+22), 15, "f in /bin/example is an indirect function that runs in the kernel's vDSO, which is in no file: probe the callers instead"},
		// adrp x0, 0x401000; adrp x1, 0x402000; add x0, x0, #0x100; ret
		{"arm64", ARM64, []byte{0, 0, 0, 0x90, 0x01, 0, 0, 0xb0, 0, 0, 0x04, 0x91, 0xc0, 0x03, 0x5f, 0xd6}, 16, "f=plain 0x401100+16"},
		// adr x0, .+0x100; ret
		{"arm64, nearby", ARM64, []byte{0, 0x08, 0, 0x10, 0xc0, 0x03, 0x5f, 0xd6}, 8, "f=plain 0x401100+16"},
		// add x0, x0, #0x100, of a register that is no page
		{"arm64, an add alone", ARM64, []byte{0, 0, 0x04, 0x91}, 4, "f in /bin/example is an indirect function, and its resolver names none of its implementations"},
		// auipc a0, 0; c.nop; addi a0, a0, 0x100; ret
		{"riscv64", RISCV64, []byte{0x17, 0x05, 0, 0, 0x01, 0, 0x13, 0x05, 0x05, 0x10, 0x67, 0x80, 0, 0}, 14, "f=plain 0x401100+16"},
		// auipc a0, 1; addi a0, a0, -0xf00
		{"riscv64, backwards", RISCV64, []byte{0x17, 0x15, 0, 0, 0x13, 0x05, 0x05, 0x10}, 8, "f in /bin/example is an indirect function, and its resolver names none of its implementations"},
	}
	for _, tt := range tests {
		text := part{name: ".text", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, address: textAt, data: append(tt.code, make([]byte, 0x300)...), offset: textOffset}
		f := image{machine: tt.machine, segments: segments, sections: append([]part{names, text},
			symtab(sym{"f", textAt, tt.size, ifunc, 1}, sym{"plain", textAt + 0x100, 16, static, 1})...)}.file(t)
		all, err := f.Lookup("f")
		got := show(all)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// libc is the C library of this machine; "" if it has none of glibc.
func libc(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib/riscv64-linux-gnu/libc.so.6", "/lib64/libc.so.6"} {
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	t.Skip("this machine has no glibc")
	return ""
}

// Where a debug file names the implementations, they are called after the
// function that they implement.
func TestIndirectOfLibc(t *testing.T) {
	f, err := Open(libc(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.functions(); err != nil {
		t.Fatal(err)
	}
	indirect := 0
	for _, y := range indirectNames(t, f) {
		all, err := f.Lookup(y)
		switch {
		case errors.Is(err, ErrNoFunction):
			t.Error(err)
		case err != nil && !strings.Contains(err.Error(), "vDSO"):
			t.Error(err)
		case err == nil && len(all) < 2:
			t.Errorf("%s: only %s", y, show(all))
		}
		for _, fn := range all {
			indirect++
			if f.Debug() != nil && !implements(fn) {
				t.Errorf("%s would run %v", y, fn.Aliases)
			}
		}
	}
	if f.Machine() == AMD64 && indirect < 150 {
		t.Errorf("only %d implementations of indirect functions", indirect)
	}
}

// indirectNames asks the standard library for the indirect functions.
func indirectNames(t *testing.T, f *File) []string {
	t.Helper()
	std, err := elf.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	all, err := std.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		if elf.ST_TYPE(s.Info) == elf.STT_GNU_IFUNC && s.VersionIndex&0x8000 == 0 && s.Section != elf.SHN_UNDEF {
			names = append(names, s.Name)
		}
	}
	return names
}

// implements says whether one of a function's names is that of an
// implementation: strlen's is __strlen_avx2.
func implements(fn Function) bool {
	for _, a := range fn.Aliases {
		base := strings.TrimLeft(fn.Name, "_")
		for _, other := range append([]string{base}, map[string][]string{
			"bcmp": {"memcmp"}, "index": {"strchr"}, "rindex": {"strrchr"},
		}[base]...) {
			if strings.HasPrefix(a, fmt.Sprintf("__%s_", strings.TrimSuffix(other, "_chk"))) {
				return true
			}
		}
	}
	return false
}
