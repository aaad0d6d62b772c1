package elf

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFile reads everything of files that are damaged in any way: no panic, and
// an end.
func FuzzFile(f *testing.F) {
	for _, m := range []image{
		{},
		{sections: append(symtab(sym{"main", textAt, 8, fn, 1}, sym{"_ZN3foo3barEv", textAt + 8, 8, static, 1}, sym{"f", textAt + 16, 64, ifunc, 1}), buildID("id"))},
		{machine: ARM64, sections: symtab(sym{"f", textAt + 16, 64, ifunc, 1})},
		{machine: RISCV64, sections: symtab(sym{"f", textAt + 16, 64, ifunc, 1})},
		{sections: versioned([]uint16{0x8002, 3}, sym{"copy", textAt + 0x10, 4, fn, 1}, sym{"copy", textAt + 0x20, 4, fn, 1})},
		{sections: []part{probeNotes(probeNote(textAt, 0, 0x401010, "p", "n", "8@%rax -4@counter(%rip) 8@x@GOTPCREL(%rip)"))}},
		{sections: []part{{name: ".gopclntab", kind: 1, data: goTableBytes(goLayouts[0])}}},
		{sections: []part{unwindTable("\x01\x1b\x03\x3b", 0x401000, textAt+1), debugLink("x", nil)}, interp: "/lib/ld.so"},
	} {
		f.Add(m.bytes())
	}
	names, err := filepath.Glob("testdata/*.so")
	if err != nil || len(names) != 9 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := read("/bin/example", bytes.NewReader(content), uint64(len(content)))
		if err != nil {
			return
		}
		file.opened = true // no debug file of this machine
		readAll(t, file)
	})
}

// readDeclared reads a type, and what it refers to, so deep.
func readDeclared(d *Declared, depth int) {
	if d == nil || depth == 0 {
		return
	}
	_, _, _, _ = d.String(), d.Enumerators(), d.IsOpaque(), d.Len()
	readDeclared(d.Elem(), depth-1)
	for _, m := range d.Members() {
		readDeclared(m.Type, depth-1)
	}
}

// readAll reads all that there is, and compares what is said twice.
func readAll(t *testing.T, f *File) {
	_, _, _ = f.BuildID(), f.IsGo(), f.Interpreter()
	all, err := f.Functions(func(string) bool { return true })
	if err != nil {
		return
	}
	last := uint64(0)
	for i, fn := range all {
		if i > 0 && fn.Address <= last {
			t.Fatalf("%#x comes after %#x", fn.Address, last)
		}
		last = fn.Address
		if address, ok := f.AddressOf(fn.Offset); !ok || !f.executable(address) {
			t.Fatalf("%s at offset %#x, which is not executable", fn.Name, fn.Offset)
		}
		if i > 50 {
			continue
		}
		if _, err := f.Lookup(fn.Name); err != nil {
			t.Fatal(err)
		}
		_ = f.InstructionAt(fn.Offset + 3)
		_, _, _ = f.At(fn.Offset)
		params, _ := f.ParametersAt(fn.Address)
		result, _ := f.ResultAt(fn.Address)
		for _, p := range append(params, Param{Type: result}) {
			readDeclared(p.Type, 3)
		}
	}
	probes, err := f.Probes()
	if err != nil {
		return
	}
	for _, p := range probes {
		if len(p.Places) == 0 {
			t.Fatalf("%s:%s is nowhere", p.Provider, p.Name)
		}
		p.Arguments()
	}
}

// FuzzParts reads files whose debug information is in another file in part, both damaged in
// any way.
func FuzzParts(f *testing.F) {
	for _, names := range [][2]string{
		{"dwz/four", "dwz/four.debug"}, {"dwz/five", "dwz/five.debug"}, {"dwz/four", "dwz/four"}, // a circle, if it were followed
		{"split/four.so", "split/four.dwo"}, {"split/five.so", "split/five.dwo"}, {"split/types.so", "split/types.so.dwp"}, {"split/five.so", "split/five.so"},
	} {
		f.Add(testdata(f, names[0]), testdata(f, names[1]))
	}
	f.Add(testdata(f, "split/five.so"), packed5(f))
	f.Fuzz(func(t *testing.T, content, other []byte) {
		file, err := read("/bin/example", bytes.NewReader(content), uint64(len(content)))
		if err != nil {
			return
		}
		file.opened = true
		if d, err := file.types(); err == nil {
			d.open = func(string) (*elf.File, io.Closer, error) {
				e, err := elf.NewFile(bytes.NewReader(other))
				return e, io.NopCloser(nil), err
			}
			if d.link != nil {
				if e, _, err := d.open(""); err == nil {
					d.link.id = sharedID(e) // whatever it is
				}
			}
		}
		readAll(t, file)
	})
}

// testdata is the content of a file of the folder of this name.
func testdata(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// FuzzOperand reads operands of all machines: what is read has a size.
func FuzzOperand(f *testing.F) {
	for _, s := range []string{"8@%rax", "-4@-20(%rbp,%rax,8)", "8@[x0, w1, sxtw 2]", "-4@-20(s0)", "8@a+1@GOTPCREL(%rip)", "4f@.LC0(%rip)", "8@$-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range []Machine{AMD64, ARM64, RISCV64} {
			for _, s := range splitOperands(text) {
				o := parseOperand(m, s)
				if o.Err == nil && (o.Size != 1 && o.Size != 2 && o.Size != 4 && o.Size != 8) {
					t.Errorf("%s: %+v", s, o)
				}
				if o.Err == nil && o.Kind == Register && o.Register == "" {
					t.Errorf("%s: %+v", s, o)
				}
			}
		}
	})
}

// FuzzCache reads caches of the dynamic loader.
func FuzzCache(f *testing.F) {
	f.Add(ldCacheBytes(cachedEntry{0x0303, "liba.so.1", "/lib/liba.so.1"}))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, l := range parseCache(content, "amd64") {
			if l.name == "" || l.path == "" {
				t.Errorf("%+v", l)
			}
		}
	})
}

// FuzzX86 reads instructions: none is longer than what there is, and what comes
// behind it does not matter.
func FuzzX86(f *testing.F) {
	f.Add([]byte{0x48, 0x8d, 0x05, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, code []byte) {
		n := decodeX86(code).length
		if n > len(code) || n > maxX86 {
			t.Fatalf("length %d of % x", n, code)
		}
		if n > 0 && decodeX86(code[:n]).length != n {
			t.Fatalf("length %d of % x, but not without what comes behind", n, code)
		}
	})
}
