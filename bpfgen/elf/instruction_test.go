package elf

import (
	"debug/elf"
	"encoding/hex"
	"testing"
)

// code is the text of an image at textAt, and sections.
func code(t *testing.T, machine Machine, digits string, more ...part) *File {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	text := part{name: ".text", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, address: textAt, data: b, offset: textOffset}
	return image{machine: machine, sections: append([]part{text}, more...)}.file(t)
}

// unwindTable is .eh_frame_hdr at an address with functions at these ones.
func unwindTable(encoding string, at uint64, functions ...uint64) part {
	p := append([]byte(encoding), 0, 0, 0, 0)
	p = little.AppendUint32(p, uint32(len(functions)))
	for _, f := range functions {
		p = little.AppendUint32(p, uint32(f-at))
		p = little.AppendUint32(p, 0)
	}
	return part{name: ".eh_frame_hdr", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, address: at, data: p}
}

func TestInstructionAt(t *testing.T) {
	// push %rbp; mov %rsp,%rbp; mov $1,%eax; ret; one that is none; nop
	const amd64 = "55" + "4889e5" + "b801000000" + "c3" + "06" + "90"
	// c.addi; addi; c.jr; one of more than four bytes
	const riscv = "0111" + "13050500" + "8280" + "1f00"
	main := func(size uint64) []part { return symtab(sym{"main", textAt, size, fn, 1}) }
	unwind := unwindTable("\x01\x1b\x03\x3b", 0x400000, textAt-0x10, textAt+1, textAt+9)
	cut := unwindTable("\x01\x1b\x03\x3b", 0x400000, textAt)
	cut.data = cut.data[:11]
	more := unwindTable("\x01\x1b\x03\x3b", 0x400000, textAt)
	little.PutUint32(more.data[8:], 1<<30) // functions than there are
	tests := []struct {
		machine Machine
		code    string
		parts   []part
		offset  uint64
		want    string
	}{
		{AMD64, amd64, main(12), 0x1000, ""},
		{AMD64, amd64, main(12), 0x1001, ""},
		{AMD64, amd64, main(12), 0x1002, "no instruction begins at main+2 in /bin/example (offset 0x1002): the nearest begin at main+1 and main+4"},
		{AMD64, amd64, main(12), 0x1003, "no instruction begins at main+3 in /bin/example (offset 0x1003): the nearest begin at main+1 and main+4"},
		{AMD64, amd64, main(12), 0x1004, ""},
		{AMD64, amd64, main(12), 0x1008, "no instruction begins at main+8 in /bin/example (offset 0x1008): the nearest begin at main+4 and main+9"},
		{AMD64, amd64, main(12), 0x1009, ""},
		{AMD64, amd64, main(12), 0x100a, ""}, // what comes next is not looked at
		{AMD64, amd64, main(12), 0x100b, "cannot tell whether an instruction begins at main+11 in /bin/example: what is at main+10 is no known instruction"},
		{AMD64, amd64, main(12), 0x100c, "cannot tell whether an instruction begins at offset 0x100c of /bin/example: no function is known there"},
		{AMD64, amd64, main(0), 0x1004, ""}, // a function without a size
		{AMD64, amd64, main(0), 0x1005, "no instruction begins at main+5 in /bin/example (offset 0x1005): the nearest begin at main+4 and main+9"},
		{AMD64, amd64, nil, 0x1004, "cannot tell whether an instruction begins at offset 0x1004 of /bin/example: no function is known there"},
		{AMD64, amd64, nil, 0x2000, "/bin/example has no instructions at offset 0x2000"},
		{AMD64, amd64, nil, 0x10, "/bin/example has no instructions at offset 0x10"},
		{AMD64, amd64, []part{unwind}, 0x1001, ""},
		{AMD64, amd64, []part{unwind}, 0x1004, ""},
		{AMD64, amd64, []part{unwind}, 0x1005, "no instruction begins at 0x1001+4 in /bin/example (offset 0x1005): the nearest begin at 0x1001+3 and 0x1001+8"},
		{AMD64, amd64, []part{unwind}, 0x1009, ""},
		{AMD64, amd64, []part{unwind}, 0x1000, "cannot tell whether an instruction begins at offset 0x1000 of /bin/example: no function is known there"}, // the first one lies in no segment
		{AMD64, amd64, []part{unwindTable("\x02\x1b\x03\x3b", 0x400000, textAt)}, 0x1001, "cannot tell whether an instruction begins at offset 0x1001 of /bin/example: no function is known there"},
		{AMD64, amd64, []part{cut}, 0x1001, "cannot tell whether an instruction begins at offset 0x1001 of /bin/example: no function is known there"},
		{AMD64, amd64, []part{more}, 0x1001, ""},
		{ARM64, "", main(0x20), 0x1004, ""},
		{ARM64, "", nil, 0x1004, ""},
		{ARM64, "", nil, 0x1006, "no instruction begins at 0x1006 in /bin/example: on arm64 all have 4 bytes; the nearest are 0x1004 and 0x1008"},
		{RISCV64, riscv, main(10), 0x1002, ""},
		{RISCV64, riscv, main(10), 0x1004, "no instruction begins at main+4 in /bin/example (offset 0x1004): the nearest begin at main+2 and main+6"},
		{RISCV64, riscv, main(10), 0x1006, ""},
		{RISCV64, riscv, main(10), 0x1008, ""},
		{RISCV64, riscv, main(10), 0x1009, "cannot tell whether an instruction begins at main+9 in /bin/example: what is at main+8 is no known instruction"},
	}
	for _, tt := range tests {
		err := code(t, tt.machine, tt.code, tt.parts...).InstructionAt(tt.offset)
		if got := errorText(err); got != tt.want {
			t.Errorf("%s %#x:\n%s\nwant\n%s", tt.machine, tt.offset, got, tt.want)
		}
	}
}

func TestFarFromBeginning(t *testing.T) {
	f := image{
		segments: []segment{{address: textAt, offset: textOffset, size: 1 << 40, executable: true}},
		sections: symtab(sym{"huge", textAt, 0, fn, 1}),
	}.file(t)
	want := "offset 0x1001001 is 16 MiB behind the beginning of huge in /bin/example: that much is not read"
	if got := errorText(f.InstructionAt(textOffset + maxFunction + 1)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := errorText(f.InstructionAt(textOffset + maxFunction)); got != "/bin/example: lies outside of the file" {
		t.Error(got)
	}
}
