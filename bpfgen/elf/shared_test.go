package elf

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The file that programs share is found by its name, from the file that has it or from where
// a link to that leads, and only if it belongs to the same build. What is missing is named.
func TestSharedTypes(t *testing.T) {
	const found = "n u32 rdx; c enum color rcx"
	const missing = "in NAME.debug, a file that programs of a package share (dwz) and which "
	for _, name := range []string{"four", "five"} {
		shared := testdata(t, "dwz/"+name+".debug")
		other := bytes.Clone(shared)
		if name == "four" {
			other[bytes.Index(other, []byte("GNU\x00"))+4]++
		} else {
			other[bytes.Index(other, []byte{5, 0, 1, 0, 20})+5]++
		}
		for _, tt := range []struct {
			title, at string
			content   []byte
			want      string
		}{
			{"beside it", "bin/NAME.debug", shared, found},
			{"beside what is linked to", "real/NAME.debug", shared, found},
			{"nowhere", "NAME.debug", shared, missing + "is not there: install all of the package with debug symbols"},
			{"of another build", "bin/NAME.debug", other, missing + "is of another build: install the debug symbols of the same version"},
			{"damaged", "bin/NAME.debug", shared[:300], missing + "cannot be read: "},
			{"a bomb", "bin/NAME.debug", bombWith(name, shared), missing + "cannot be read: "},
			{"the program itself", "bin/NAME.debug", testdata(t, "dwz/"+name), missing + "is of another build: install the debug symbols of the same version"},
		} {
			folder := t.TempDir()
			write := func(at string, content []byte) {
				path := filepath.Join(folder, strings.ReplaceAll(at, "NAME", name))
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("real/program", testdata(t, "dwz/"+name))
			write(tt.at, tt.content)
			if err := os.MkdirAll(folder+"/bin", 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../real/program", folder+"/bin/program"); err != nil {
				t.Fatal(err)
			}
			f, err := Open(folder + "/bin/program")
			if err != nil {
				t.Fatal(err)
			}
			all, err := f.Parameters("simple")
			if err != nil || len(all) != 8 {
				t.Fatalf("%s, %s: %d %v", name, tt.title, len(all), err)
			}
			got := showParams(all[2:4])
			if err := f.SharedTypes(); err != nil {
				got = err.Error()
			}
			if want := strings.ReplaceAll(tt.want, "NAME", name); !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s\ngot  %s\nwant %s", name, tt.title, got, want)
			}
			// Members whose names are not there are no nameless ones.
			walk, err := f.Parameters("walk")
			if err != nil || len(walk) != 2 {
				t.Fatalf("%s, %s: %d %v", name, tt.title, len(walk), err)
			}
			members := []Member{}
			if node := walk[0].Type; node != nil {
				members = node.Elem().Members()
				if gone := node.Elem().Elsewhere(); (gone == nil) != (tt.want == found) {
					t.Errorf("%s, %s: %v", name, tt.title, gone)
				}
			}
			for i, m := range members {
				if m.Name == "" && m.Type.String() != "union {…}" {
					t.Errorf("%s, %s: member %d has no name", name, tt.title, i)
				}
			}
			if tt.want == found && len(members) != 9 {
				t.Errorf("%s, %s: %d members", name, tt.title, len(members))
			}
			// A result that is a copy of what is not there is not known, and not nothing.
			fn, err := f.Lookup("simple")
			if err != nil {
				t.Fatal(err)
			}
			result, err := f.ResultAt(fn[0].Address)
			if err != nil || result == nil {
				t.Errorf("%s, %s: returns %v %v", name, tt.title, result, err)
			}
			_ = f.Close()
		}
	}
}

// bombWith is a file with the ID of a shared one, and a section that says that it is large.
func bombWith(name string, shared []byte) []byte {
	parts := []part{{name: ".debug_info", kind: elf.SHT_PROGBITS, flags: elf.SHF_COMPRESSED, data: bomb()}}
	if e, err := elf.NewFile(bytes.NewReader(shared)); err == nil && name == "four" {
		parts = append(parts, buildID(string(sharedID(e))))
	} else if err == nil {
		sup := append([]byte{5, 0, 1, 0, byte(len(sharedID(e)))}, sharedID(e)...)
		parts = append(parts, part{name: ".debug_sup", kind: elf.SHT_PROGBITS, data: sup})
	}
	return image{sections: parts}.bytes()
}

// Names are as distributions write them: relative to the debug file, and absolute.
func TestSharedCandidates(t *testing.T) {
	const id = "/usr/lib/debug/.build-id/01/0203.debug"
	for _, tt := range []struct {
		name, from string
		want       []string
	}{
		{"../../.dwz/coreutils-9", "/usr/lib/debug/usr/bin/ls.debug", []string{"/usr/lib/debug/.dwz/coreutils-9", id, "/usr/lib/debug/.dwz/coreutils-9"}},
		{"/usr/lib/debug/.dwz/x/bash.debug", "/x/bash", []string{"/usr/lib/debug/.dwz/x/bash.debug", id, "/usr/lib/debug/.dwz/x/bash.debug"}},
		{"/usr/lib/debug/.dwz/x", "/proc/9999999/root/a", []string{"/proc/9999999/root/usr/lib/debug/.dwz/x", "/usr/lib/debug/.dwz/x",
			"/proc/9999999/root" + id, "/proc/9999999/root/usr/lib/debug/.dwz/x", id, "/usr/lib/debug/.dwz/x"}},
	} {
		f := &File{name: tt.from}
		l := sharedLink{name: tt.name, id: []byte{1, 2, 3}}
		if got := l.candidates(tt.from, f.roots()); !slices.Equal(got, tt.want) {
			t.Errorf("%s of %s\ngot  %q\nwant %q", tt.name, tt.from, got, tt.want)
		}
	}
}

// A section that says more than it has says nothing.
func TestSupplement(t *testing.T) {
	for content, want := range map[string]string{
		"":                        " ",
		"\x05\x00\x00":            " ",
		"\x05\x00\x00a":           "a ",
		"\x05\x00\x00a\x00":       "a ",
		"\x05\x00\x00a\x00\x02xy": "a xy",
		"\x05\x00\x00a\x00\x03xy": " ",
		"\x05\x00\x01\x00\x02xy":  " xy",
	} {
		name, id := supplement([]byte(content))
		if got := name + " " + string(id); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}
