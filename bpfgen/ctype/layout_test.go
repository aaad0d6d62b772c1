package ctype

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
)

// kernelOf is a kernel that has only these types.
func kernelOf(t *testing.T, types ...btf.Type) *kernel.Kernel {
	t.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Open(fstest.MapFS{
		"sys/kernel/btf/vmlinux":    {Data: raw},
		"proc/sys/kernel/osrelease": {Data: []byte("6.12.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Types of one name are one where they have the same layout, and an error that lists
// them where they do not.
func TestSeveralTypes(t *testing.T) {
	u32, s32, u8 := &btf.Int{Name: "u", Size: 4}, &btf.Int{Name: "i", Size: 4, Encoding: btf.Signed}, &btf.Int{Name: "c", Size: 1}
	record := func(name string, size uint32, members ...btf.Member) btf.Type {
		return &btf.Struct{Name: name, Size: size, Members: members}
	}
	a, b := btf.Member{Name: "a", Type: u32}, btf.Member{Name: "b", Type: u32, Offset: 32}
	k := kernelOf(t,
		record("same", 8, a, b), record("same", 8, a, b),
		record("other", 8, a, b), record("other", 8, btf.Member{Name: "b", Type: u32}, btf.Member{Name: "a", Type: u32, Offset: 32}), record("other", 4, a),
		record("sign", 4, a), record("sign", 4, btf.Member{Name: "a", Type: s32}),
		&btf.Union{Name: "same", Size: 4, Members: []btf.Member{a}},
		&btf.Typedef{Name: "byte", Type: u8}, &btf.Typedef{Name: "byte", Type: &btf.Typedef{Name: "octet", Type: u8}},
		&btf.Typedef{Name: "word", Type: u8}, &btf.Typedef{Name: "word", Type: u32},
		&btf.Enum{Name: "kind", Size: 4, Values: []btf.EnumValue{{Name: "X", Value: 1}}},
		&btf.Enum{Name: "kind", Size: 4, Values: []btf.EnumValue{{Name: "X", Value: 2}}},
	)
	for _, row := range []struct{ name, want string }{
		{"struct same *", ""},
		{"union same", ""},
		{"byte", ""},
		{"struct other", `this kernel has 3 types "struct other" that differ: one of 8 bytes (a, b), one of 8 bytes (b, a) and one of 4 bytes (a)`},
		{"struct other **", `this kernel has 3 types "struct other" that differ: one of 8 bytes (a, b), one of 8 bytes (b, a) and one of 4 bytes (a)`},
		{"struct sign", `this kernel has 2 types "struct sign" that differ: one of 4 bytes (a) and one of 4 bytes (a)`},
		{"word", `this kernel has 2 types "word" that differ: one of 1 byte (c) and one of 4 bytes (u)`},
		{"enum kind", `this kernel has 2 types "enum kind" that differ: one of 4 bytes (X=1) and one of 4 bytes (X=2)`},
	} {
		got, err := Find(k, row.name)
		switch {
		case row.want == "" && (err != nil || got == nil):
			t.Errorf("%s: %v, %v", row.name, got, err)
		case row.want != "" && (err == nil || err.Error() != row.want || got != nil):
			t.Errorf("%s: %v\nwant %s", row.name, err, row.want)
		}
		if (Named(k, row.name) != nil) != (row.want == "") {
			t.Errorf("%s is guessed", row.name)
		}
	}
}

// A running kernel has several types of some names, and names each, or lists them.
func TestSeveralTypesHere(t *testing.T) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Running()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for typ, err := range spec.All() {
		if err != nil {
			t.Fatal(err)
		}
		if word := keywordOf(typ); word != "none" && typ.TypeName() != "" {
			count[strings.TrimSpace(word+" "+typ.TypeName())]++
		}
	}
	several := 0
	for name, n := range count {
		if n == 1 {
			continue
		}
		several++
		found, err := Find(k, name)
		if (found == nil) == (err == nil) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		t.Log(name, err)
	}
	if several == 0 {
		t.Error("no name has several types")
	}
}
