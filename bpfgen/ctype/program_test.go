package ctype

import (
	"testing"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/plylang"
)

// A member hides those of the same name in the classes that its class extends.
func TestMembersOfClasses(t *testing.T) {
	f, err := elf.Open("../elf/testdata/classes.so")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.Parameters("classes")
	if err != nil {
		t.Fatal(err)
	}
	derived := OfProgram(all[0].Type).Elem.Struct
	for name, want := range map[string]int{"x": 12, "y": 4, "z": 8} {
		if m, ok := derived.Member(name); !ok || m.Offset != want || m.Type.Size != 4 {
			t.Errorf("%s: %v at %d, want %d", name, ok, m.Offset, want)
		}
	}
	packed := OfProgram(all[3].Type).Elem.Struct
	if _, ok := packed.Member("bits"); ok {
		t.Error("a bit field that lies in two numbers has a place in one")
	}
	const want = "bits of struct Packed is a bit field that lies in two of its numbers (long unsigned int), which is not read"
	if got := packed.(plylang.Refuser).Refused("bits"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
