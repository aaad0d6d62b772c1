package elf

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// miniSymbols is what Fedora's programs have in .gnu_debugdata: a file with symbols. The
// files in testdata/*.xz are made of it by xz, each with the options in its name.
func miniSymbols() []byte {
	symbols := []sym{{"inner", textAt + 4, 4, static, 1}}
	for i := range uint64(200) {
		symbols = append(symbols, sym{strings.Repeat("long", int(i%7)) + string(rune('a'+i%26)) + strings.Repeat("x", int(i)), textAt + 8 + i%50, 1, fn, 1})
	}
	return image{sections: symtab(symbols...)}.bytes()
}

func packedSymbols(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.xz")
	if err != nil || len(names) != 4 {
		t.Fatal(names, err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestUnxz(t *testing.T) {
	want := miniSymbols()
	for name, packed := range packedSymbols(t) {
		got, err := unxz(packed)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(want), err)
		}
		for n := range len(packed) - 80 { // behind it there are an index and its end
			if _, err := unxz(packed[:n]); err == nil {
				t.Fatalf("%s: the first %d bytes are enough", name, n)
			}
		}
	}
	if _, err := unxz([]byte("no file of xz at all")); !errors.Is(err, errNotXZ) {
		t.Error(err)
	}
}

// Symbols inside a program are found, and types are not expected of them.
func TestSymbolsInside(t *testing.T) {
	for name, packed := range packedSymbols(t) {
		program := image{sections: []part{buildID("no debug file has this"), {name: ".gnu_debugdata", kind: elf.SHT_PROGBITS, data: packed}}}.bytes()
		f, err := read("/bin/example", bytes.NewReader(program), uint64(len(program)))
		if err != nil {
			t.Fatal(err)
		}
		if all, err := f.Lookup("inner"); err != nil || len(all) != 1 || all[0].Address != textAt+4 {
			t.Errorf("%s: %v %v", name, all, err)
		}
		if _, err := f.ParametersAt(textAt + 4); !errors.Is(err, ErrNoTypes) || !strings.Contains(err.Error(), "no package with its debug symbols") {
			t.Errorf("%s: %v", name, err)
		}
	}
	damaged := image{sections: []part{buildID("no"), {name: ".gnu_debugdata", kind: elf.SHT_PROGBITS, data: []byte("text")}}}.bytes()
	f, err := read("/bin/example", bytes.NewReader(damaged), uint64(len(damaged)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lookup("inner"); err == nil || !strings.Contains(err.Error(), ".gnu_debugdata is not compressed by xz") {
		t.Error(err)
	}
}

// FuzzUnxz uncompresses what is damaged: no panic, and an end.
func FuzzUnxz(f *testing.F) {
	for _, packed := range packedSymbols(f) {
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		if got, _ := unxz(packed); len(got) > maxUnpacked {
			t.Fatal(len(got))
		}
	})
}
