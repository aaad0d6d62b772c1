package elf

import (
	"debug/elf"
	"os"
	"runtime"
	"strings"
	"testing"
)

// The runtime of this very program knows its functions, too.
func TestGoFunctions(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.IsGo() {
		t.Fatal("a program of Go is none")
	}
	x := &index{}
	if err := f.addGo(x); err != nil {
		t.Fatal(err)
	}
	if len(x.symbols) < 1000 {
		t.Fatalf("only %d functions", len(x.symbols))
	}
	for _, y := range x.symbols {
		want, entry := outermost(y.address)
		got, err := x.fullName(y)
		// The runtime abbreviates type arguments.
		got, _, _ = strings.Cut(strings.TrimSuffix(got, ".abi0"), "[")
		want, _, _ = strings.Cut(want, "[")
		if strings.HasPrefix(got, "go:") { // a mark of the linker
			continue
		}
		if y.name == 0 { // to the runtime, the first function has no name
			want = got
		}
		if err != nil || got != want || entry != y.address {
			t.Errorf("%s at %#x (%v), the runtime says %s at %#x", got, y.address, err, want, entry)
		}
	}
	for _, name := range []string{"ply-exporter/bpfgen/elf.Open", "runtime.mallocgc"} {
		if all, err := f.Lookup(name); err != nil || len(all) != 1 {
			t.Errorf("%s: %v %v", name, all, err)
		}
	}
}

// outermost is the function that the runtime says is at an address; others may be
// inlined into it there.
func outermost(address uint64) (name string, entry uint64) {
	frames := runtime.CallersFrames([]uintptr{uintptr(address) + 1})
	for {
		frame, more := frames.Next()
		if !more {
			return frame.Function, uint64(frame.Entry)
		}
	}
}

// goTableBytes is a table in a layout: functions are f at 0x10, f at 0x20 which is in assembly, g at 0x40.
func goTableBytes(l goLayout) []byte {
	const names, functions = 0x80, 0xc0
	p := make([]byte, 0x300)
	little.PutUint32(p, l.magic)
	p[6], p[7] = 1, 8
	little.PutUint64(p[8:], 3)
	list, description, nameBase := l.list, uint64(0), uint64(0)
	if l.functions != 0 {
		little.PutUint64(p[l.names:], names)
		little.PutUint64(p[l.functions:], functions)
		list, description, nameBase = functions, functions, names
	}
	put := func(at, v uint64) {
		if l.word == 4 {
			little.PutUint32(p[at:], uint32(v))
		} else {
			little.PutUint64(p[at:], v)
		}
	}
	base := uint64(textAt)
	if l.text != 0 {
		base = 0
	}
	copy(p[names:], "f\x00f\x00g\x00")
	for i, start := range []uint64{0x10, 0x20, 0x40} {
		at := 0x200 + 0x40*uint64(i)
		put(list+2*l.word*uint64(i), base+start)
		put(list+2*l.word*uint64(i)+l.word, at-description)
		little.PutUint32(p[at+l.name:], uint32(names-nameBase)+2*uint32(i))
		if l.id != 0 && i == 1 {
			p[at+l.id+1] = goAssembly
		}
	}
	put(list+6*l.word, base+0x48)
	return p
}

func TestGoLayouts(t *testing.T) {
	text := part{name: ".text", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, address: textAt, offset: textOffset, data: make([]byte, textSize)}
	table := func(spoil func(p []byte)) part {
		p := goTableBytes(goLayouts[0])
		spoil(p)
		return part{name: ".gopclntab", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, address: 0x402000, data: p}
	}
	module := func(text uint64) part {
		p := make([]byte, 0x200)
		little.PutUint64(p[goModuleText:], text)
		return part{name: ".go.module", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, address: 0x403000, offset: 0x1800, data: p}
	}
	relocated := func(at, text uint64) part {
		var p []byte
		for _, v := range []uint64{at, uint64(elf.R_X86_64_RELATIVE), text} {
			p = little.AppendUint64(p, v)
		}
		return part{name: ".rela", kind: elf.SHT_RELA, flags: elf.SHF_ALLOC, data: p}
	}
	nothing := func([]byte) {}
	const plain = "f 0x401010+16\nf.abi0 0x401020+32\ng 0x401040+8"
	const shifted = "f 0x401110+16\nf.abi0 0x401120+32\ng 0x401140+8"
	tests := []struct {
		name  string
		parts []part
		want  string
	}{
		{"plain", []part{text, table(nothing)}, plain},
		{"position-independent", []part{text, func() part { p := table(nothing); p.name = ".data.rel.ro.gopclntab"; return p }()}, plain},
		{"linked by a C linker, up to Go 1.25", []part{text, table(func(p []byte) { little.PutUint64(p[24:], textAt+0x100) })}, shifted},
		{"linked by a C linker, relocated", []part{text, table(nothing), relocated(0x402000+24, textAt+0x100)}, shifted},
		{"linked by a C linker, since Go 1.26", []part{text, table(nothing), module(textAt + 0x100)}, shifted},
		{"that and relocated", []part{text, table(nothing), module(0), relocated(0x403000+goModuleText, textAt+0x100)}, shifted},
		{"a beginning outside", []part{text, table(nothing), module(1 << 40)}, plain},
		{"no beginning", []part{table(nothing)}, ""},
		{"an unknown version", []part{text, table(func(p []byte) { p[0] = 0xee })}, "the table of Go's functions is of a version that is not known (ee ff ff ff 00 00 01 08)"},
		{"pointers of 4 bytes", []part{text, table(func(p []byte) { p[7] = 4 })}, "the table of Go's functions is of a version that is not known (f1 ff ff ff 00 00 01 04)"},
		{"more functions than bytes", []part{text, table(func(p []byte) { little.PutUint64(p[8:], 1<<60) })}, "the table of Go's functions is damaged: it has 768 bytes for 1152921504606846976 functions"},
		{"parts outside", []part{text, table(func(p []byte) { little.PutUint64(p[64:], 1<<60) })}, "the table of Go's functions is damaged: its parts begin at 128 and 1152921504606846976, it has 768 bytes"},
		{"a description outside", []part{text, table(func(p []byte) { little.PutUint32(p[0xc4:], 1<<31) })}, "the table of Go's functions is damaged at function 0"},
		{"a header alone", []part{text, {name: ".gopclntab", kind: elf.SHT_PROGBITS, offset: 0x1ff0, data: make([]byte, 8)}}, "the table of Go's functions is of a version that is not known (00 00 00 00 00 00 00 00)"},
	}
	for _, l := range goLayouts {
		want := plain
		if l.id == 0 {
			want = "f 0x401010+16\nf 0x401020+32\ng 0x401040+8"
		}
		tests = append(tests, struct {
			name  string
			parts []part
			want  string
		}{"a layout", []part{text, {name: ".gopclntab", kind: elf.SHT_PROGBITS, data: goTableBytes(l)}}, want})
	}
	segments := []segment{textSegment, {address: 0x402000, offset: 0x2000, size: 0x1000}, {address: 0x403000, offset: 0x1800, size: 0x800}}
	for _, tt := range tests {
		all, err := image{sections: tt.parts, segments: segments}.file(t).Functions(glob("*"))
		got := show(all)
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "/bin/example: ")
		}
		if got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}
