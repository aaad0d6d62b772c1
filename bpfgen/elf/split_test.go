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

// packed5 is a file as dwp makes it in DWARF 5, of one unit that is behind something else in
// all sections.
func packed5(t testing.TB) []byte {
	t.Helper()
	const before = 24
	dwo, err := elf.NewFile(bytes.NewReader(testdata(t, "split/five.dwo")))
	if err != nil {
		t.Fatal(err)
	}
	var parts []part
	var numbers, offsets, lengths []byte
	for number, name := range packSections {
		content, err := dwo.Section(".debug_" + name + ".dwo").Data()
		if err != nil {
			t.Fatal(err)
		}
		numbers = little.AppendUint32(numbers, number)
		offsets = little.AppendUint32(offsets, before)
		lengths = little.AppendUint32(lengths, uint32(len(content)))
		parts = append(parts, part{name: ".debug_" + name + ".dwo", kind: elf.SHT_PROGBITS, data: append(make([]byte, before), content...)})
	}
	strings, err := dwo.Section(".debug_str.dwo").Data()
	if err != nil {
		t.Fatal(err)
	}
	const slots = 4
	signature := splitID(t)
	hashes, rows := make([]byte, 8*slots), make([]byte, 4*slots)
	at := signature & (slots - 1)
	little.PutUint64(hashes[8*at:], ^signature) // another one is at its place
	little.PutUint32(rows[4*at:], 2)
	at = (at + (signature>>32 | 1)) & (slots - 1)
	little.PutUint64(hashes[8*at:], signature)
	little.PutUint32(rows[4*at:], 1)
	index := []byte{5, 0, 0, 0}
	for _, n := range []int{len(packSections), 1, slots} {
		index = little.AppendUint32(index, uint32(n))
	}
	index = bytes.Join([][]byte{index, hashes, rows, numbers, offsets, lengths}, nil)
	parts = append(parts, part{name: ".debug_str.dwo", kind: elf.SHT_PROGBITS, data: strings}, part{name: ".debug_cu_index", kind: elf.SHT_PROGBITS, data: index})
	return image{sections: parts}.bytes()
}

// splitID is the ID of the unit of split/five.so.
func splitID(t testing.TB) uint64 {
	t.Helper()
	e, err := elf.NewFile(bytes.NewReader(testdata(t, "split/five.dwo")))
	if err != nil {
		t.Fatal(err)
	}
	info, err := e.Section(".debug_info.dwo").Data()
	if err != nil {
		t.Fatal(err)
	}
	head, err := readUnitHead(info, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	return head.signature
}

// What a skeleton is of is found in the file of all, or in its own, if it is of the same build.
func TestSplit(t *testing.T) {
	const found = "n u32 rdx; c enum color rcx"
	const no = "in five.dwo (-gsplit-dwarf), "
	own, pack := testdata(t, "split/five.dwo"), packed5(t)
	id := little.AppendUint64(nil, splitID(t))
	large := part{name: ".debug_info.dwo", kind: elf.SHT_PROGBITS, flags: elf.SHF_COMPRESSED, data: bomb()}
	for _, tt := range []struct {
		title string
		files map[string][]byte
		want  string
	}{
		{"its own", map[string][]byte{"five.dwo": own}, found},
		{"the file of all", map[string][]byte{"program.dwp": pack}, found},
		{"another in the file of all", map[string][]byte{"program.dwp": bytes.ReplaceAll(pack, id, make([]byte, 8)), "five.dwo": own}, found},
		{"of another build", map[string][]byte{"five.dwo": bytes.ReplaceAll(own, id, make([]byte, 8))}, no + "which is of another build: build it again, and keep that file with the program"},
		{"none", nil, no + "which is not there: keep it with the program, or make a .dwp file beside the program of all such files (dwp)"},
		{"damaged", map[string][]byte{"five.dwo": own[:1000]}, no + "which cannot be read: "},
		{"damaged, of all", map[string][]byte{"program.dwp": pack[:len(pack)-100]}, no + "and FOLDER/program.dwp cannot be read: "},
		{"a bomb", map[string][]byte{"five.dwo": image{sections: []part{large}}.bytes()}, no + "which is not read: there is more than 256 MiB of debug information"},
		{"a folder", map[string][]byte{"five.dwo/x": own}, no + "which cannot be read: FOLDER/five.dwo is not a regular file"},
	} {
		folder := t.TempDir()
		tt.want = strings.ReplaceAll(tt.want, "FOLDER", folder)
		for name, content := range tt.files {
			path := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(folder+"/program", testdata(t, "split/five.so"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(folder + "/program")
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.Parameters("simple")
		got := ""
		if err == nil {
			got = showParams(all[2:4])
		} else {
			_, got, _ = strings.Cut(err.Error(), "here: it is ")
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s\ngot  %s %v\nwant %s", tt.title, got, err, tt.want)
		}
		_ = f.Close()
	}
}

// A compiler says where it ran; the file may have moved with the program since.
func TestPartPaths(t *testing.T) {
	d := &types{names: []string{"/debug/x.debug", "/bin/x"}, roots: []string{"/proc/9999999/root", ""}}
	for _, tt := range []struct {
		dir, name string
		want      []string
	}{
		{"/src", "a/b.dwo", []string{"/proc/9999999/root/src/a/b.dwo", "/src/a/b.dwo", "/debug/a/b.dwo", "/debug/b.dwo", "/bin/a/b.dwo", "/bin/b.dwo"}},
		{"/src", "/obj/b.dwo", []string{"/proc/9999999/root/obj/b.dwo", "/obj/b.dwo", "/debug/b.dwo", "/bin/b.dwo"}},
		{".", "b.dwo", []string{"/debug/b.dwo", "/debug/b.dwo", "/bin/b.dwo", "/bin/b.dwo"}},
	} {
		if got := d.partPaths(tt.dir, tt.name); !slices.Equal(got, tt.want) {
			t.Errorf("%s in %s\ngot  %q\nwant %q", tt.name, tt.dir, got, tt.want)
		}
	}
}

// Tables that say more than they have are damaged, and looking one up ends.
func TestPackIndex(t *testing.T) {
	table := func(numbers ...uint32) (p []byte) {
		for _, n := range numbers {
			p = little.AppendUint32(p, n)
		}
		return p
	}
	for name, damaged := range map[string][]byte{
		"empty": nil, "another version": table(4, 0, 0, 0), "three slots": table(5, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"no slots": table(5, 1, 1, 1), "many units": table(5, 1, 1<<31, 0), "many columns": table(5, 1<<31, 1, 0),
	} {
		if _, err := readIndex(damaged); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	full, err := readIndex(table(5, 0, 0, 2, 1, 1, 2, 2, 9, 1))
	if err != nil {
		t.Fatal(err)
	}
	if unit, ok := full.find(3); ok {
		t.Errorf("found %d of none", unit)
	}
	if unit, ok := full.find(1<<32 | 1); ok {
		t.Errorf("found unit %d of none", unit)
	}
	if unit, ok := (packIndex{}).find(1); ok {
		t.Errorf("found unit %d in nothing", unit)
	}
}

// GNU's forms of DWARF 4 become those of DWARF 5, which are as long.
func TestRenameForms(t *testing.T) {
	tables := []byte{1, 0x11, 1, 3, 0x82, 0x3e, 0x11, 0x81, 0x3e, 3, 0x21, 5, 0, 0, 0, 2, 5, 0, 3, 0x82, 0x3e, 0, 0, 0}
	want := []byte{1, 0x11, 1, 3, 0x9a, 0, 0x11, 0x9b, 0, 3, 0x21, 5, 0, 0, 0, 2, 5, 0, 3, 0x9a, 0, 0, 0, 0}
	if renameForms(tables); !bytes.Equal(tables, want) {
		t.Errorf("% x\nwant\n% x", tables, want)
	}
}
