package elf

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// probeNote is the note of a place of a probe.
func probeNote(pc, base, semaphore uint64, texts ...string) []byte {
	var p []byte
	for _, v := range []uint64{pc, base, semaphore} {
		p = little.AppendUint64(p, v)
	}
	for _, s := range texts {
		p = append(append(p, s...), 0)
	}
	return noteBytes("stapsdt", noteProbe, p)
}

func probeNotes(notes ...[]byte) part {
	return part{name: ".note.stapsdt", kind: elf.SHT_NOTE, data: slices.Concat(notes...)}
}

// showProbes prints probes, a line for each place.
func showProbes(all []Probe) string {
	var s []string
	for _, p := range all {
		for _, place := range p.Places {
			line := fmt.Sprintf("%s:%s %#x", p.Provider, p.Name, place.Offset)
			if place.Semaphore != 0 {
				line += fmt.Sprintf("/%#x", place.Semaphore)
			}
			for _, o := range place.Args {
				o.symbol = "" // only what it became counts
				line += ", " + o.String()
			}
			s = append(s, line)
		}
	}
	return strings.Join(s, "\n")
}

func TestProbes(t *testing.T) {
	data := segment{address: 0x403000, offset: 0x1800, size: 0x100}
	base := part{name: ".stapsdt.base", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, address: 0x402000, data: []byte{0}}
	table := symtab(
		sym{"counter", 0x403010, 4, object, 1},
		sym{"twice", 0x403020, 4, object, 1},
		sym{"twice", 0x403024, 4, object, 1},
		sym{"label", 0x403030, 0, untyped, 1},
		sym{"undefined", 0x403040, 0, object, elf.SHN_UNDEF},
		sym{"thread", 0x10, 4, byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_TLS), 1},
		sym{"local", 0x403050, 4, object, 1},
	)
	exported, names := symbols(sym{"dynamic", 0x403060, 4, object, 1}, sym{"imported", 0, 0, object, elf.SHN_UNDEF})
	relocations := func(all ...[3]uint64) (p []byte) {
		for _, r := range all {
			for _, v := range r {
				p = little.AppendUint64(p, v)
			}
		}
		return p
	}
	linked := append(slices.Clone(table),
		part{name: ".dynsym", kind: elf.SHT_DYNSYM, data: exported, link: ".dynstr"},
		part{name: ".dynstr", kind: elf.SHT_STRTAB, data: names},
		part{name: ".got", kind: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, address: 0x403080, data: make([]byte, 32)},
		part{name: ".rela.dyn", kind: elf.SHT_RELA, flags: elf.SHF_ALLOC, link: ".dynsym", data: relocations(
			[3]uint64{0x403080, 2<<32 | uint64(elf.R_X86_64_GLOB_DAT), 0},
			[3]uint64{0x4030a0, uint64(elf.R_X86_64_RELATIVE), 0x403010}, // a pointer in data, not in .got
			[3]uint64{0x403088, uint64(elf.R_X86_64_RELATIVE), 0x403050},
			[3]uint64{0x403090, 99<<32 | uint64(elf.R_X86_64_GLOB_DAT), 0},
		)})
	args := func(text string) part { return probeNotes(probeNote(textAt+0x10, 0, 0, "p", "n", text)) }
	tests := []struct {
		name  string
		parts []part
		want  string // or what the error ends with
	}{
		{"none", nil, ""},
		{"other notes", []part{probeNotes(noteBytes("stapsdt", 4, []byte("x")), noteBytes("other", noteProbe, []byte("x")))}, ""},
		{"one without arguments", []part{args("")}, "p:n 0x1010"},
		{"one with arguments", []part{args("8@%rax -4@$1")}, "p:n 0x1010, u64 rax, i32 +1"},
		{"without a text for arguments", []part{probeNotes(probeNote(textAt, 0, 0, "p", "n"))}, "p:n 0x1000"},
		{"a semaphore", []part{probeNotes(probeNote(textAt, 0, 0x403002, "p", "n", ""))}, "p:n 0x1000/0x1802"},
		{"sorted, and each place once", []part{probeNotes(
			probeNote(textAt+8, 0, 0, "b", "x", "8@%rax"),
			probeNote(textAt+4, 0, 0, "b", "x", "8@%rbx"),
			probeNote(textAt+8, 0, 0, "b", "x", "8@%rax"),
			probeNote(textAt, 0, 0, "b", "a", ""),
			probeNote(textAt, 0, 0, "a", "z", ""))},
			"a:z 0x1000\nb:a 0x1000\nb:x 0x1004, u64 rbx\nb:x 0x1008, u64 rax"},
		{"moved", []part{base, probeNotes(probeNote(0x1010, 0x2000, 0x3004, "p", "n", ""))}, "p:n 0x1010/0x1804"},
		{"moved down", []part{base, probeNotes(probeNote(textAt+0x1010, 0x403000, 0, "p", "n", ""))}, "p:n 0x1010"},
		{"one operand spoiled", []part{args("16f@8(%rsp) 8@%rbx")}, "p:n 0x1010, error: has 16 bytes: only 1, 2, 4 and 8 can be read, u64 rbx"},
		{"a symbol", append(table, args("-4@counter(%rip) 4@counter+2(%rip) 4@counter")), "p:n 0x1010, i32 [rip+8192], u32 [rip+8194], u32 [rip+8192]"},
		{"an address", append(table, args("8@$counter")), "p:n 0x1010, u64 address rip+8192"},
		{"an index", append(table, args("4@counter(,%rax,4)")), "p:n 0x1010, u32 [rip+4*rax:8+8192]"},
		{"a symbol and a register", append(table, args("4@counter(%rax)")), "p:n 0x1010, error: is at a symbol and a register, which is not supported"},
		{"a label", append(table, args("4@label(%rip)")), "p:n 0x1010, u32 [rip+8224]"},
		{"none of the name", append(table, args("4f@.LC0(%rip)")), "p:n 0x1010, error: is at .LC0, which is in no table of symbols"},
		{"an undefined symbol", append(table, args("4@undefined(%rip)")), "p:n 0x1010, error: is at undefined, which is in no table of symbols"},
		{"one of each thread", append(table, args("4@thread(%rip)")), "p:n 0x1010, error: is at thread, which is in no table of symbols"},
		{"two of the name", append(table, args("4@twice(%rip)")), "p:n 0x1010, error: is at twice, of which there are 2"},
		{"only in .dynsym", append(linked, args("4@dynamic(%rip)")), "p:n 0x1010, u32 [rip+8272]"},
		{"in the offset table by name", append(linked, args("8@imported@GOTPCREL(%rip)")), "p:n 0x1010, u64 [rip+8304]"},
		{"in the offset table by address", append(linked, args("8@local@GOTPCREL(%rip)")), "p:n 0x1010, u64 [rip+8312]"},
		{"not in the offset table", append(linked, args("8@counter@GOTPCREL(%rip)")), "p:n 0x1010, u64 address rip+8192"},
		{"nowhere", append(linked, args("8@undefined@GOTPCREL(%rip)")), "p:n 0x1010, error: is at undefined, which is in no table of symbols"},
		{"outside of the text", []part{probeNotes(probeNote(0x403000, 0, 0, "p", "n", ""))},
			"a note in .note.stapsdt of p:n is at address 0x403000, where the program has no instructions"},
		{"nowhere at all", []part{probeNotes(probeNote(1<<60, 0, 0, "p", "n", ""))},
			"a note in .note.stapsdt of p:n is at address 0x1000000000000000, where the program has no instructions"},
		{"a semaphore nowhere", []part{probeNotes(probeNote(textAt, 0, 1<<60, "p", "n", ""))},
			"a note in .note.stapsdt of p:n has a semaphore at address 0x1000000000000000, which is not in the file"},
		{"a short note", []part{probeNotes(noteBytes("stapsdt", noteProbe, make([]byte, 23)))}, "a note in .note.stapsdt lies outside of the file"},
		{"no name", []part{probeNotes(noteBytes("stapsdt", noteProbe, append(make([]byte, 24), "p\x00"...)))}, "a note in .note.stapsdt lies outside of the file"},
		{"half a note", []part{{name: ".note.stapsdt", kind: elf.SHT_NOTE, data: probeNote(textAt, 0, 0, "p", "n", "")[:30]}}, "a note in .note.stapsdt lies outside of the file"},
		{"too many places", []part{probeNotes(slices.Repeat([][]byte{probeNote(textAt, 0, 0, "p", "n")}, maxProbes+1)...)}, "a note in .note.stapsdt is one of more than 32768"},
	}
	for _, tt := range tests {
		all, err := image{segments: []segment{textSegment, data}, sections: tt.parts}.file(t).Probes()
		got := showProbes(all)
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "/bin/example: ")
		}
		if got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// The type of an argument holds it at each place.
func TestArguments(t *testing.T) {
	tests := []struct {
		places []string // operands at each place
		want   string
	}{
		{[]string{""}, ""},
		{[]string{"8@%rax"}, "u64"},
		{[]string{"-4@%eax 1@%al"}, "i32 u8"},
		{[]string{"4@%eax", "4@%ebx", "-4@$1"}, "u32"}, // postgresql's lwlock:wait:start
		{[]string{"-4@$1", "4@%eax"}, "u32"},
		{[]string{"4@%eax", "-4@$-1"}, "i64"}, // does not fit
		{[]string{"1@%al", "-4@$255"}, "u8"},
		{[]string{"1@%al", "-4@$256"}, "i32"},
		{[]string{"-1@%al", "-4@$-128"}, "i8"},
		{[]string{"-1@%al", "-4@$128"}, "i32"},
		{[]string{"-1@%al", "4@$128"}, "i64"},
		{[]string{"8@%rax", "-4@$-1"}, "i64"},
		{[]string{"8@%rax", "8@$18446744073709551615"}, "u64"},
		{[]string{"-4@$1", "-4@$2"}, "i32"}, // constants alone
		{[]string{"4@$1", "-8@$2"}, "i64"},
		{[]string{"-4@%eax", "4@%eax"}, "i64"},
		{[]string{"-2@%ax", "1@%al"}, "i16"},
		{[]string{"-1@%al", "2@%ax"}, "i32"},
		{[]string{"-4@%eax", "8@%rax"}, "i64"},
		{[]string{"-8@%rax", "4@%eax"}, "i64"},
		{[]string{"4@%eax", "8@%rax"}, "u64"},
		{[]string{"8f@%rax", "4f@%eax"}, "f64"},
		{[]string{"8f@%rax", "8@%rax"}, "error: is an integer at some places and a floating-point number at others"},
		{[]string{"8f@%rax", "-4@$1"}, "error: is a constant at some places and a floating-point number at others"},
		{[]string{"8@%rax 8@%rbx", "8@%rax"}, "u64 u64"}, // where it is missing it has no value
		{[]string{"8@%xmm0", "-4@%eax"}, "i32"},
		{[]string{"8@%xmm0"}, "error: (8@%xmm0 at 0x401000) is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{[]string{"8@%xmm0 8@%rax"}, "error: (8@%xmm0 at 0x401000) is in a register for vectors and floating-point numbers, which the kernel does not show u64"},
	}
	for _, tt := range tests {
		var notes [][]byte
		for i, text := range tt.places {
			notes = append(notes, probeNote(textAt+uint64(i), 0, 0, "p", "n", text))
		}
		all, err := image{sections: []part{probeNotes(notes...)}}.file(t).Probes()
		if err != nil || len(all) != 1 {
			t.Fatal(err, all)
		}
		var got []string
		for _, a := range all[0].Arguments() {
			got = append(got, strings.Fields(Operand{Type: a.Type, Err: a.Err}.String() + " ")[0])
			if a.Err != nil {
				got[len(got)-1] = "error: " + a.Err.Error()
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%q: %s, want %s", tt.places, s, tt.want)
		}
	}
}

// A probe's places and operands are those that readelf prints.
func TestProbesOfLibstdcxx(t *testing.T) {
	if _, err := exec.LookPath("readelf"); err != nil {
		t.Skip("this machine has no readelf")
	}
	names := strings.Fields(os.Getenv("ELF_FILES"))
	if len(names) == 0 {
		name := strings.Replace(libc(t), "libc.so.6", "libstdc++.so.6", 1)
		if _, err := os.Stat(strings.Replace(name, "/lib/", "/usr/lib/", 1)); err != nil {
			t.Skip("this machine has no libstdc++")
		}
		names = []string{strings.Replace(name, "/lib/", "/usr/lib/", 1)}
	}
	for _, name := range names {
		compareWithReadelf(t, name)
	}
}

func compareWithReadelf(t *testing.T, name string) {
	t.Helper()
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.Probes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	args, hidden := 0, 0
	for _, p := range all {
		for _, place := range p.Places {
			var texts []string
			for _, o := range place.Args {
				texts = append(texts, o.Text)
				args++
				if o.Err != nil {
					hidden++
					t.Logf("%s: %s:%s %s %v", name, p.Provider, p.Name, o.Text, o.Err)
				}
			}
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %#x %s", p.Provider, p.Name, place.Address, strings.Join(texts, " "))))
		}
	}
	want := readelfProbes(t, name)
	slices.Sort(got)
	slices.Sort(want)
	want = slices.Compact(want)
	if len(got) < 3 || !slices.Equal(got, want) {
		t.Errorf("%s: %d places\n%s\nreadelf has %d\n%s", name, len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
	}
	t.Logf("%s: %d probes, %d places, %d operands, %d of them hidden", name, len(all), len(got), args, hidden)
}

// readelfProbes are the places that readelf prints.
func readelfProbes(t *testing.T, name string) (all []string) {
	t.Helper()
	out, err := exec.Command("readelf", "-n", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	var provider, probe, at string
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Provider":
			provider = value
		case "Name":
			probe = value
		case "Location":
			at, _, _ = strings.Cut(value, ",")
			at = "0x" + strings.TrimLeft(strings.TrimPrefix(at, "0x"), "0")
		case "Arguments":
			all = append(all, strings.TrimSpace(strings.Join([]string{provider, probe, at, value}, " ")))
		}
	}
	return all
}
