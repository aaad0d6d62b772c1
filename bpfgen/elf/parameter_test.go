package elf

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// showParams prints parameters: name type place, ….
func showParams(all []Param) string {
	var s []string
	for _, p := range all {
		s = append(s, fmt.Sprintf("%s %v %s", p.Name, p.Type, showLocation(p.Location)))
	}
	return strings.Join(s, "; ")
}

func showLocation(l Location) string {
	if l.Err != nil {
		return "error: " + l.Err.Error()
	}
	var s []string
	for _, p := range l.Pieces {
		v := p.Register
		if p.Value != 0 || v == "" {
			v += fmt.Sprintf("%+d", p.Value)
		}
		switch p.Kind {
		case Memory:
			v = "[" + v + "]"
		case Address:
			v = "address " + v
		}
		if p.Size != 0 {
			v += fmt.Sprintf(":%d", p.Size)
		}
		s = append(s, v)
	}
	return strings.Join(s, " ")
}

// The functions of testdata/parameters.c, as C passes their arguments.
func TestParameters(t *testing.T) {
	const vector = "error: is in a register for vectors and floating-point numbers, which the kernel does not show"
	const unset = "error: is stored to memory only after the first instructions"
	optimized := map[string]string{
		"simple": "a int rdi; s const char * rsi; n u32 rdx; c enum color rcx; b _Bool r8; l long int r9; seventh short int [rsp+8]; eighth char [rsp+16]",
		"floats": "d double " + vector + "; i int rdi; f float " + vector,
		// The second struct is in memory, since it has more than two registers.
		"structs":          "p struct pair rdi:8 rsi:8; g struct big [rsp+8]; after int rdx",
		"none":             "",
		"caller":           "a int rdi",
		"part.constprop.0": "used int rdi; x long int rsi; unused int +7",
		"split":            "x long int rdi; y long int rsi", // a part of it is elsewhere
	}
	plain := map[string]string{
		"simple":  "a int rdi:4; s const char * rsi:8; n u32 rdx:4; c enum color rcx:4; b _Bool r8:1; l long int r9:8; seventh short int " + unset + "; eighth char " + unset,
		"floats":  "d double " + vector + "; i int rdi:4; f float " + vector,
		"structs": "p struct pair " + unset + "; g struct big [rsp+8]; after int " + unset,
		"none":    "",
		"caller":  "a int rdi:4",
		"part":    "used int rdi:4; unused int rsi:4; x long int rdx:8",
		"split":   "x long int rdi:8; y long int rsi:8",
	}
	for file, functions := range map[string]map[string]string{
		"parameters-O2-dwarf4.so": optimized, "parameters-O2-dwarf5.so": optimized,
		"parameters-O2-types4.so": optimized, "parameters-O2-types5.so": optimized, // also compressed as .zdebug_
		"dwz/four": optimized, "dwz/five": optimized, // types and names in another file
		"split/four.so": optimized, "split/five.so": optimized, "split/types.so": optimized, // all in another file
		"parameters-O0-dwarf4.so": plain, "parameters-O0-dwarf5.so": plain,
	} {
		f, err := Open("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range functions {
			all, err := f.Parameters(name)
			if got := showParams(all); err != nil || got != want {
				t.Errorf("%s %s: %v\n%s\nwant\n%s", file, name, err, got, want)
			}
		}
		if _, err := f.Parameters("nobody"); !errors.Is(err, ErrNoFunction) {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := f.ParametersAt(1); !errors.Is(err, ErrNoTypes) {
			t.Errorf("%s: %v", file, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// described is described by the debug information of this test.
//
//go:noinline
func described(n int, s string, b []byte, err error, list [3]int, f float64) (int, error) {
	return n + len(s) + len(b) + list[n] + int(f), err
}

//go:noinline
func generic[T any](all []T, n int) T { return all[n] }

// Parameters of Go, of this very program.
func TestParametersOfGo(t *testing.T) {
	if n, err := described(0, "", nil, nil, [3]int{}, 0); n+generic([]int{0}, 0) != 0 || err != nil {
		t.Fatal(n, err)
	}
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const pkg = "ply-exporter/bpfgen/elf."
	all, err := f.Parameters(pkg + "described")
	if f.section(".debug_info") == nil {
		if !errors.Is(err, ErrNoTypes) {
			t.Errorf("without debug information: %v", err)
		}
		return
	}
	if f.Machine() != AMD64 {
		return // the registers below are amd64's
	}
	want := "n int rax; s string rbx:8 rcx:8; b []uint8 rdi:8 rsi:8 r8:8; err error r9:8 r10:8; list [3]int [rsp+8]; " +
		"f float64 error: is in a register for vectors and floating-point numbers, which the kernel does not show"
	if got := showParams(all); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	// The first register is the dictionary of the type, which is no parameter.
	all, err = f.Parameters(pkg + "generic[go.shape.int]")
	if got := showParams(all); err != nil || !strings.HasPrefix(got, "all ") || !strings.Contains(got, " rbx:8 rcx:8 rdi:8; n int rsi") {
		t.Errorf("generic: %v %s", err, got)
	}
}

// Debug information is read once for all who open a file, also where location lists are
// read from one that was closed by then.
func TestTypesOf(t *testing.T) {
	const name = "testdata/parameters-O2-dwarf5.so"
	first, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Parameters("walk"); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	second, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	second.TypesOf(first)
	if second.dwarf == nil || second.dwarf != first.dwarf {
		t.Error("the debug information is read again")
	}
	all, err := second.Parameters("caller")
	if got := showParams(all); err != nil || got != "a int rdi" {
		t.Errorf("%v %s", err, got)
	}
}

// Members, elements and names of values are as the source has them.
func TestDeclared(t *testing.T) {
	for _, file := range []string{"parameters-O2-dwarf4.so", "parameters-O0-dwarf5.so", "parameters-O2-types4.so", "parameters-O2-types5.so", "dwz/four", "dwz/five", "split/four.so", "split/five.so", "split/types.so"} {
		f, err := Open("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.Parameters("walk")
		if err != nil {
			t.Fatal(err)
		}
		node := all[0].Type.Elem()
		var got []string
		for _, m := range node.Members() {
			got = append(got, fmt.Sprintf("%s %s@%d:%d", m.Name, m.Type, m.Offset, m.Bits))
		}
		want := "p struct pair@0:0; next struct node *@128:0;  union {…}@192:0; name char[12]@256:0; low unsigned int@352:3; " +
			"high unsigned int@355:5; f float@384:0; o struct opaque *@448:0; list int[2][2]@512:0"
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s\n%s\nwant\n%s", file, s, want)
		}
		o, list := node.Members()[7].Type.Elem(), node.Members()[8].Type
		if !o.IsOpaque() || node.IsOpaque() || list.Len() != 2 || list.Elem().Len() != 2 || list.Elem().Elem().String() != "int" {
			t.Errorf("%s: %v, %v, %d", file, o.IsOpaque(), node.IsOpaque(), list.Len())
		}
		results := ""
		for _, name := range []string{"walk", "yes", "hue", "text", "none", "floats"} {
			fn, err := f.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			result, err := f.ResultAt(fn[0].Address)
			if err != nil {
				t.Fatal(err)
			}
			if result == nil {
				results += "nothing, "
				continue
			}
			results += fmt.Sprintf("%s %v, ", result, result.Enumerators())
		}
		if want := "int [], _Bool [], enum color [{RED 0} {GREEN 1}], const char * [], nothing, double [], "; results != want {
			t.Errorf("%s\n%s\nwant\n%s", file, results, want)
		}
		_ = f.Close()
	}
}

func TestNoTypes(t *testing.T) {
	tests := []struct {
		name  string
		parts []part
		want  string
	}{
		{"none", nil, "no debug information: /bin/example is stripped and has no build ID by which its debug symbols could be found"},
		{"no abbreviations", []part{{name: ".debug_info", kind: elf.SHT_PROGBITS, data: []byte{12, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8, 1, 1, 1, 1, 1}}}, "/bin/example: decoding dwarf section info at offset 0xc: "},
		{"a bomb", []part{{name: ".debug_info", kind: elf.SHT_PROGBITS, flags: elf.SHF_COMPRESSED, data: bomb()}}, "debug information of /bin/example: it has more than 256 MiB, which is not read"},
		{"damaged compression", []part{{name: ".debug_info", kind: elf.SHT_PROGBITS, flags: elf.SHF_COMPRESSED, data: append(bomb()[:8], make([]byte, 24)...)}}, "debug information of /bin/example: "},
	}
	for _, tt := range tests {
		f := image{sections: append(tt.parts, symtab(sym{"main", textAt, 4, fn, 1})...)}.file(t)
		for range 2 { // the second time, too
			if _, err := f.ParametersAt(textAt); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
			}
		}
	}
}

// bomb is a section that says that it is large when it is uncompressed.
func bomb() []byte {
	p := make([]byte, 40)
	little.PutUint32(p, uint32(elf.COMPRESS_ZLIB))
	little.PutUint64(p[8:], 1<<40)
	return p
}

// Expressions, as they hold at a first instruction.
func TestEvaluate(t *testing.T) {
	cfa := Location{Pieces: []Piece{{Kind: Memory, Register: "rsp", Value: 8}}}
	tests := []struct {
		machine Machine
		code    []byte
		want    string
	}{
		{AMD64, nil, "error: is nowhere when the function begins"},
		{AMD64, []byte{opReg0 + 5}, "rdi"},
		{AMD64, []byte{opReg0 + 15}, "r15"},
		{AMD64, []byte{opReg0 + 17}, "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, []byte{opReg0 + 16}, "error: is in register 16, which the kernel does not show"},
		{AMD64, []byte{opRegx, 4}, "rsi"},
		{AMD64, []byte{opRegx, 0x80, 0x01}, "error: is in register 128, which the kernel does not show"},
		{ARM64, []byte{opReg0 + 3}, "x3"},
		{ARM64, []byte{opReg0 + 31}, "sp"},
		{ARM64, []byte{opRegx, 64}, "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{RISCV64, []byte{opReg0 + 10}, "a0"},
		{RISCV64, []byte{opReg0}, "error: is in register 0, which the kernel does not show"},
		{RISCV64, []byte{opRegx, 42}, "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, []byte{opBreg0 + 7, 0x10}, "[rsp+16]"},
		{AMD64, []byte{opBreg0 + 6, 0x70}, "[rbp-16]"},
		{AMD64, []byte{opBregx, 7, 0x80, 0x01}, "[rsp+128]"},
		{AMD64, []byte{opFbreg, 0}, "[rsp+8]"},
		{AMD64, []byte{opFbreg, 0x78}, "[rsp]"},
		{AMD64, []byte{opCallFrameCFA}, "[rsp+8]"},
		{ARM64, []byte{opCallFrameCFA}, "[sp]"},
		{AMD64, []byte{opCallFrameCFA, opConsts, 0x18, opPlus}, "[rsp+32]"},
		{AMD64, []byte{opConst1u, 0xff, opCallFrameCFA, opPlus}, "[rsp+263]"},
		{AMD64, []byte{opConst1u + 1, 0xff, opCallFrameCFA, opPlus}, "[rsp+7]"},
		{AMD64, []byte{opConst1u + 2, 1, 1, opCallFrameCFA, opPlus}, "[rsp+265]"},
		{AMD64, []byte{opCallFrameCFA, opPlusUconst, 8}, "[rsp+16]"},
		{AMD64, []byte{opCallFrameCFA, opCallFrameCFA, opPlus}, "error: is at the sum of two registers, which is not supported"},
		{AMD64, []byte{opReg0 + 3, opPiece, 8, opReg0 + 2, opPiece, 8}, "rbx:8 rcx:8"},
		{AMD64, []byte{opFbreg, 0, opPiece, 4, opReg0, opPiece, 4}, "[rsp+8]:4 rax:4"},
		{AMD64, []byte{opReg0, opPiece, 8, opPiece, 8}, "error: was optimized away in part"},
		{AMD64, []byte{opReg0, opPiece, 8, opReg0 + 1}, "error: has a location that is damaged"},
		{AMD64, []byte{opLit0 + 7, opStackValue}, "+7"},
		{AMD64, []byte{opConstu, 0x80, 0x01, opStackValue}, "+128"},
		{AMD64, []byte{opBreg0 + 5, 0, opStackValue}, "rdi"},
		{AMD64, []byte{opBreg0 + 5, 8, opStackValue}, "address rdi+8"},
		{AMD64, []byte{opEntryValue, 1, opReg0 + 5, opStackValue}, "rdi"},
		{AMD64, []byte{opGNUEntry, 1, opReg0 + 4, opStackValue}, "rsi"},
		{AMD64, []byte{opGNUEntry, 9, opReg0 + 4}, "error: has a location that is damaged"},
		{AMD64, []byte{opGNUEntry, 2, opFbreg, 0}, "error: has a location that is damaged"},
		{AMD64, []byte{opGNUEntry, 0}, "error: is nowhere when the function begins"},
		{AMD64, []byte{opNop, opReg0}, "rax"},
		{AMD64, []byte{opConst8s, 1, 2}, "error: has a location that is damaged"},
		{AMD64, []byte{opLit0}, "error: is at a fixed address, which is not supported"},
		{AMD64, []byte{opAddr, 1, 2, 3, 4, 5, 6, 7, 8}, "error: is computed by an expression (0x3) that is not supported"},
		{AMD64, []byte{0xfa, 1, 2, 3, 4}, "error: is computed by an expression (0xfa) that is not supported"}, // DW_OP_GNU_parameter_ref
		{AMD64, []byte{opStackValue}, "error: has a location that is damaged"},
		{AMD64, []byte{opPlus}, "error: has a location that is damaged"},
		{AMD64, []byte{opPlusUconst, 1}, "error: has a location that is damaged"},
		{AMD64, bytes.Repeat([]byte{opLit0}, 17), "error: has a location that is damaged"},
		{AMD64, bytes.Repeat([]byte{opReg0, opPiece, 1}, 65), "error: has a location that is damaged"},
		{AMD64, []byte{opRegx}, "rax"}, // a number that is cut is 0
	}
	for _, tt := range tests {
		p := &parameters{machine: tt.machine, frame: cfa}
		if got := showLocation(p.evaluate(tt.code)); got != tt.want {
			t.Errorf("%s % x: %s, want %s", tt.machine, tt.code, got, tt.want)
		}
	}
	p := &parameters{machine: AMD64, frame: Location{Err: errNowhere}}
	if got := showLocation(p.evaluate([]byte{opFbreg, 0})); got != "error: is nowhere when the function begins" {
		t.Error(got)
	}
}

// Lists of locations: that of the first instruction is taken.
func TestLocationLists(t *testing.T) {
	const at = 0x1000
	word := func(v uint64) []byte { return little.AppendUint64(nil, v) }
	old := func(from, to uint64, code ...byte) []byte {
		p := append(word(from), word(to)...)
		return append(append(p, byte(len(code)), 0), code...)
	}
	join := func(all ...[]byte) []byte { return bytes.Join(all, nil) }
	end := append(word(0), word(0)...)
	base := func(v uint64) []byte { return append(word(1<<64-1), word(v)...) }
	tests := []struct {
		name      string
		loc, list []byte
		want      string
	}{
		{"the first", join(old(0x1000, 0x1004, 1), old(0x1004, 0x1008, 2), end), nil, "01"},
		{"the second", join(old(0xf00, 0x1000, 1), old(0x1000, 0x1008, 2), end), nil, "02"},
		{"none", join(old(0x1004, 0x1008, 2), end), nil, "is nowhere when the function begins"},
		{"another base", join(base(0xf00), old(0x100, 0x104, 3), end), nil, "03"},
		{"no end", old(0x1004, 0x1008, 2), nil, "has a location that is damaged"},
		{"a length beyond", join(word(0x1000), word(0x1004), []byte{9, 0, 1}), nil, "has a location that is damaged"},
		{"no length", join(word(0x1000), word(0x1004)), nil, "has a location that is damaged"},

		{"offsets", nil, []byte{lleBase, 0, 0x10, 0, 0, 0, 0, 0, 0, lleOffsets, 0, 4, 1, 1, lleEnd}, "01"},
		{"offsets, not the first", nil, []byte{lleBase, 0, 0x10, 0, 0, 0, 0, 0, 0, lleOffsets, 4, 8, 1, 1, lleOffsets, 0, 4, 1, 2, lleEnd}, "02"},
		{"a base by number", nil, []byte{lleBaseIndex, 1, lleOffsets, 0, 4, 1, 3, lleEnd}, "03"},
		{"a base by a number beyond", nil, []byte{lleBaseIndex, 9, lleOffsets, 0, 4, 1, 3, lleEnd}, "has a location that is damaged"},
		{"from and to by number", nil, []byte{lleStartEndIndex, 1, 2, 1, 4, lleEnd}, "04"},
		{"from by number", nil, []byte{lleStartLengthIndex, 1, 4, 1, 5, lleEnd}, "05"},
		{"from and to", nil, join([]byte{lleStartEnd}, word(0x1000), word(0x1004), []byte{1, 6, lleEnd}), "06"},
		{"from and length", nil, join([]byte{lleStartLength}, word(0x1000), []byte{4, 1, 7, lleEnd}), "07"},
		{"for all", nil, []byte{lleDefault, 1, 8, lleEnd}, "08"},
		{"a view before", nil, join([]byte{lleView, 1, 2, lleStartLength}, word(0x1000), []byte{4, 1, 9, lleEnd}), "09"},
		{"only later", nil, join([]byte{lleStartLength}, word(0x1001), []byte{4, 1, 9, lleEnd}), "is nowhere when the function begins"},
		{"no end in 5", nil, join([]byte{lleStartLength}, word(0x1001), []byte{4, 1, 9}), "has a location that is damaged"},
		{"a length beyond in 5", nil, join([]byte{lleStartLength}, word(0x1000), []byte{4, 100, 9}), "has a location that is damaged"},
		{"half an address", nil, []byte{lleBase, 0, 0x10}, "has a location that is damaged"},
		{"an unknown kind", nil, []byte{77}, "has a location of a kind that is not known"},
	}
	for _, tt := range tests {
		d := &types{lists: lists{contentsOf(tt.loc), contentsOf(tt.list)}, addr: join(word(0), word(0x1000), word(0x1004))}
		code, err := d.locationAt(unit{}, 0, 0, at)
		got := fmt.Sprintf("%x", code)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		for _, beyond := range []int64{-1, 1 << 40} {
			if _, err := d.locationAt(unit{}, 0, beyond, at); !errors.Is(err, errDamaged) {
				t.Errorf("%s at %d: %v", tt.name, beyond, err)
			}
		}
	}
}
