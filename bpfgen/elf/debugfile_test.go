package elf

import (
	"debug/elf"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// debugLink is the section that names a debug file with this content.
func debugLink(name string, content []byte) part {
	p := append([]byte(name), make([]byte, align4(uint64(len(name))+1)-uint64(len(name)))...)
	return part{name: ".gnu_debuglink", kind: elf.SHT_PROGBITS, data: little.AppendUint32(p, crc32.ChecksumIEEE(content))}
}

func TestDebugLink(t *testing.T) {
	inner := symtab(sym{"inner", textAt + 4, 4, static, 1})
	plain := image{sections: inner}.bytes()
	one := image{sections: append([]part{buildID("one")}, inner...)}.bytes()
	two := image{sections: append([]part{buildID("two")}, inner...)}.bytes()
	cut := debugLink("x.debug", plain)
	cut.data = cut.data[:8]
	tests := []struct {
		name    string
		at      string // where the debug file is
		content []byte
		parts   []part
		want    string
	}{
		{"beside it", "x.debug", plain, []part{debugLink("x.debug", plain)}, "inner"},
		{"in .debug", ".debug/x.debug", plain, []part{debugLink("x.debug", plain)}, "inner"},
		{"of another checksum", "x.debug", plain, []part{debugLink("x.debug", one)}, ""},
		{"of the same build", "x.debug", one, []part{buildID("one"), debugLink("x.debug", plain)}, "inner"},
		{"of another build", "x.debug", two, []part{buildID("one"), debugLink("x.debug", two)}, ""},
		{"without a build ID", "x.debug", plain, []part{buildID("one"), debugLink("x.debug", plain)}, "inner"},
		{"missing", "y.debug", plain, []part{debugLink("x.debug", plain)}, ""},
		{"no program", "x.debug", []byte("text"), []part{debugLink("x.debug", []byte("text"))}, ""},
		{"elsewhere", "x.debug", plain, []part{debugLink("../x.debug", plain)}, ""},
		{"no name", "x.debug", plain, []part{debugLink("", plain)}, ""},
		{"no checksum", "x.debug", plain, []part{cut}, ""},
	}
	for _, tt := range tests {
		folder := t.TempDir()
		write := func(name string, content []byte) string {
			name = filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}
		write(tt.at, tt.content)
		f, err := Open(write("program", image{sections: tt.parts}.bytes()))
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.Functions(glob("*"))
		if got := strings.Fields(show(all) + " none")[0]; err != nil || got != tt.want && (tt.want != "" || got != "none") {
			t.Errorf("%s: %q %v, want %q", tt.name, got, err, tt.want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRoots(t *testing.T) {
	for name, want := range map[string]string{
		"/usr/bin/x":                "",
		"/proc/12/root/usr/bin/x":   "/proc/12/root,",
		"/proc/self/root/usr/bin/x": "/proc/self/root,",
		"/proc/12/exe":              "",
		"x":                         "",
	} {
		if got := strings.Join((&File{name: name}).roots(), ","); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
