package elf

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is wrong with a file is said in words.
func TestWrongFiles(t *testing.T) {
	good := image{sections: symtab(sym{"main", textAt, 16, fn, 1})}.bytes()
	set16 := func(at int, v uint16) func([]byte) []byte {
		return func(b []byte) []byte { little.PutUint16(b[at:], v); return b }
	}
	set64 := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { little.PutUint64(b[at:], v); return b }
	}
	tests := []struct {
		name  string
		spoil func([]byte) []byte
		want  string // "" for a file that is right
	}{
		{"good", func(b []byte) []byte { return b }, ""},
		{"empty", func(b []byte) []byte { return nil }, "/x is empty"},
		{"text", func(b []byte) []byte { return []byte("hello, world") }, `/x is not a program or library (ELF): it begins with "hello, w"`},
		{"short text", func(b []byte) []byte { return []byte("\x7fEL") }, `/x is not a program or library (ELF): it begins with "\x7fEL"`},
		{"a script", func(b []byte) []byte { return []byte("#!/usr/bin/python3 -u\nimport os\n") }, "/x is a script: probe the program that runs it, /usr/bin/python3"},
		{"a script by env", func(b []byte) []byte { return []byte("#! /usr/bin/env node\n") }, "/x is a script: probe the program that runs it, node"},
		{"a script by env with options", func(b []byte) []byte { return []byte("#!/usr/bin/env -S node\n") }, "/x is a script: probe the program that runs it, /usr/bin/env"},
		{"a script by nothing", func(b []byte) []byte { return []byte("#!") }, "/x is a script, not a program or library"},
		{"a long script", func(b []byte) []byte { return []byte("#!/bin/" + strings.Repeat("a", 5000)) }, "/x is a script: probe the program that runs it, /bin/aaa"},
		{"half a header", func(b []byte) []byte { return b[:40] }, "/x is truncated: it has 40 bytes, less than its header"},
		{"half a file", func(b []byte) []byte { return b[:len(b)/2] }, "/x is truncated: its section headers are at "},
		{"without the last byte", func(b []byte) []byte { return b[:len(b)-1] }, "/x is truncated: its section headers are at "},
		{"32 bits", func(b []byte) []byte { b[4] = 1; b[18] = 3; return b }, "/x is a 32-bit program or library (EM_386), of which no probes are supported"},
		{"big-endian", func(b []byte) []byte { b[5] = 2; return b }, "/x is for a big-endian machine"},
		{"class 3", func(b []byte) []byte { b[4] = 3; return b }, "/x has a wrong ELF header"},
		{"s390", set16(18, uint16(elf.EM_S390)), "/x is for another machine (EM_S390)"},
		{"unknown machine", set16(18, 60000), "/x is for another machine (60000)"},
		{"object file", set16(16, uint16(elf.ET_REL)), "/x is an object file, which is not run before it is linked"},
		{"core", set16(16, uint16(elf.ET_CORE)), "/x is a core dump, not a program or library"},
		{"type 9", set16(16, 9), "/x is not a program or library: its type is 9"},
		{"no program headers", set16(56, 0), "/x has no program headers: nothing of it is ever mapped"},
		{"65535 program headers", set16(56, 65535), "/x has 65535 program headers, Linux takes no more than 1170"},
		{"program headers of 8 bytes", set16(54, 8), "/x has program headers of 8 bytes instead of 56"},
		{"program headers outside", set64(32, 1<<40), "/x is truncated or damaged: its program headers are at 1099511627776, it has "},
		{"program headers at the very end", set64(32, 1<<64-1), "/x is truncated or damaged: its program headers are at 18446744073709551615, it has "},
		{"section headers outside", set64(40, 1<<62), "/x is truncated: its section headers are at 4611686018427387904, it has "},
		{"section headers of 8 bytes", set16(58, 8), "/x has section headers of 8 bytes instead of 64"},
		{"more sections than there are", set16(60, 60000), "/x is truncated: its section headers are at "},
		{"names in no section", set16(62, 40), "/x is damaged: the names of its sections would be in section 40 of 4"},
		{"no section headers", func(b []byte) []byte { little.PutUint16(b[60:], 0); return set64(40, 0)(b) }, ""},
	}
	for _, tt := range tests {
		b := tt.spoil(bytes.Clone(good))
		_, err := read("/x", bytes.NewReader(b), uint64(len(b)))
		switch {
		case err == nil && tt.want != "":
			t.Errorf("%s: no error, want %q", tt.name, tt.want)
		case err != nil && (tt.want == "" || !strings.HasPrefix(err.Error(), tt.want)):
			t.Errorf("%s: %q, want %q", tt.name, err, tt.want)
		}
	}
}

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	pipe, text, good := filepath.Join(folder, "pipe"), filepath.Join(folder, "text"), filepath.Join(folder, "good")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{text: []byte("x"), good: image{interp: "/lib/ld.so"}.bytes()} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, want string }{
		{good, ""},
		{folder, folder + " is a directory, not a program or library"},
		{pipe, pipe + " is not a regular file (p---------)"},
		{text, text + ` is not a program or library (ELF): it begins with "x"`},
		{good + ".1", "open " + good + ".1: no such file or directory"},
		{"/dev/null", "/dev/null is not a regular file (Dc---------)"},
	}
	for _, tt := range tests {
		f, err := Open(tt.name)
		if err == nil {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := errorText(err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	f, err := Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Name() != good || f.Machine().String() != "amd64" || f.Interpreter() != "/lib/ld.so" {
		t.Errorf("name %q, machine %s, interpreter %q", f.Name(), f.Machine(), f.Interpreter())
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestMachine(t *testing.T) {
	for m, want := range map[Machine]string{AMD64: "amd64", ARM64: "arm64", RISCV64: "riscv64", 22: "EM_S390"} {
		if got := m.String(); got != want {
			t.Errorf("%d: %s, want %s", uint16(m), got, want)
		}
	}
}

// Addresses and offsets of files whose segments lie differently in both.
func TestOffset(t *testing.T) {
	f := image{segments: []segment{
		{address: 0x600000, offset: 0x1800, size: 0x800},
		{address: 0x400000, offset: 0, size: 0x1000},
		{address: 0x501000, offset: 0x1000, size: 0x900, executable: true}, // shares a page of the file
	}}.file(t)
	tests := []struct {
		address, offset uint64
		ok, executable  bool
		back            uint64
	}{
		{0x400000, 0, true, false, 0x400000},
		{0x400fff, 0xfff, true, false, 0x400fff},
		{0x401000, 0, false, false, 0},
		{0x3fffff, 0, false, false, 0},
		{0x501000, 0x1000, true, true, 0x501000},
		{0x5018ff, 0x18ff, true, true, 0x5018ff},
		{0x501900, 0, false, false, 0},
		{0x600000, 0x1800, true, false, 0x501800}, // the executable one is meant
		{0x600100, 0x1900, true, false, 0x600100},
		{1<<64 - 1, 0, false, false, 0},
	}
	for _, tt := range tests {
		offset, ok := f.offset(tt.address)
		if offset != tt.offset || ok != tt.ok || f.executable(tt.address) != tt.executable {
			t.Errorf("%#x: offset %#x %t executable %t", tt.address, offset, ok, f.executable(tt.address))
		}
		if !ok {
			continue
		}
		if back, ok := f.AddressOf(offset); back != tt.back || !ok {
			t.Errorf("%#x: offset %#x, back %#x %t", tt.address, offset, back, ok)
		}
	}
	if a, ok := f.AddressOf(0x3000); ok {
		t.Errorf("an offset in no segment is at %#x", a)
	}
}
