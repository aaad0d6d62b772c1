package elf

import (
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// show prints functions the short way: name=aliases@address+size.
func show(all []Function) string {
	var s []string
	for _, f := range all {
		names := strings.Join(append([]string{f.Name}, f.Aliases...), "=")
		s = append(s, fmt.Sprintf("%s %#x+%d", names, f.Address, f.Size))
		if f.Offset != f.Address-textAt+textOffset {
			s = append(s, fmt.Sprintf("wrong offset %#x", f.Offset))
		}
	}
	return strings.Join(s, "\n")
}

func glob(pattern string) func(string) bool {
	return func(name string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	}
}

// versioned is a library with versions: number 2 is V1, 3 is V2.
func versioned(numbers []uint16, all ...sym) []part {
	versions := make([]byte, 2)
	for _, n := range numbers {
		versions = little.AppendUint16(versions, n)
	}
	parts := dynsym(all...)
	names := &parts[1].data
	definition := func(number uint16, name string, last bool) []byte {
		p := make([]byte, 28)
		little.PutUint16(p[4:], number)
		little.PutUint32(p[12:], 20)
		if !last {
			little.PutUint32(p[16:], 28)
		}
		little.PutUint32(p[20:], uint32(len(*names)))
		*names = append(append(*names, name...), 0)
		return p
	}
	return append(parts,
		part{name: ".gnu.version", kind: elf.SHT_GNU_VERSYM, data: versions},
		part{name: ".gnu.version_d", kind: elf.SHT_GNU_VERDEF, link: ".dynstr",
			data: append(definition(2, "V1", false), definition(3, "V2", true)...)})
}

func TestFunctions(t *testing.T) {
	plain := symtab(
		sym{"z_last", textAt + 0x40, 8, fn, 1},
		sym{"main", textAt + 0x10, 16, fn, 1},
		sym{"__main_alias", textAt + 0x10, 16, fn, 1},
		sym{"main_too", textAt + 0x10, 0, fn, 1},
		sym{"assembly", textAt + 0x20, 0, static, 1},
		sym{"helper", textAt + 0x30, 4, static, 1},
		sym{"helper", textAt + 0x34, 4, static, 1}, // of another source file
		sym{"data", textAt + 0x50, 4, object, 1},
		sym{"label", textAt + 0x50, 0, untyped, 1},
		sym{"imported", 0, 0, fn, elf.SHN_UNDEF},
		sym{"absolute", textAt + 0x60, 0, fn, elf.SHN_ABS},
		sym{"outside", textAt + textSize, 8, fn, 1},
		sym{"before", textAt - 1, 8, fn, 1},
		sym{"", textAt + 0x70, 8, fn, 1},
		sym{"_ZNSt6vectorIiSaIiEE9push_backEOi", textAt + 0x80, 8, fn, 1},
		sym{"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", textAt + 0x90, 8, fn, 1},
		sym{"_RNvNtCs1234_7mycrate3foo3bar", textAt + 0xa0, 8, fn, 1},
	)
	both := append(dynsym(sym{"exported", textAt, 4, fn, 1}, sym{"main", textAt + 8, 4, fn, 1}),
		symtab(sym{"inner", textAt + 4, 4, static, 1}, sym{"main", textAt + 8, 4, fn, 1})...)
	old := versioned([]uint16{0x8002, 3, 0x8002, 0x8002, 3, 3, 1},
		sym{"copy", textAt + 0x10, 4, fn, 1}, // copy@V1
		sym{"copy", textAt + 0x20, 4, fn, 1}, // copy@@V2
		sym{"gone", textAt + 0x30, 4, fn, 1}, // only gone@V1
		sym{"same", textAt + 0x40, 4, fn, 1}, // same@V1 and same@@V2 are one
		sym{"same", textAt + 0x40, 4, fn, 1},
		sym{"plain", textAt + 0x50, 4, fn, 1},
		sym{"base", textAt + 0x60, 4, fn, 1},
	)
	// The same versions as a linker writes them into .symtab.
	oldSymtab := append(versioned([]uint16{0x8002}, sym{"copy", textAt + 0x10, 4, fn, 1}), symtab(
		sym{"copy@V1", textAt + 0x10, 4, fn, 1},
		sym{"copy@@V2", textAt + 0x20, 4, fn, 1},
		sym{"__copy_local", textAt + 0x20, 4, static, 1},
	)...)
	tests := []struct {
		sections []part
		pattern  string
		want     string
	}{
		{plain, "main", "main=__main_alias=main_too 0x401010+16"},
		{plain, "*main*", "main=__main_alias=main_too 0x401010+16"},
		{plain, "__main*", "__main_alias=main=main_too 0x401010+16"},
		{plain, "main_*", "main_too=__main_alias=main 0x401010+16"},
		{plain, "assembly", "assembly 0x401020+0"},
		{plain, "helper", "helper 0x401030+4\nhelper 0x401034+4"},
		{plain, "[a-z]*", "main=__main_alias=main_too 0x401010+16\nassembly 0x401020+0\nhelper 0x401030+4\nhelper 0x401034+4\nz_last 0x401040+8\n" +
			"_ZNSt6vectorIiSaIiEE9push_backEOi 0x401080+8\n_ZN4core3fmt9Formatter3pad17h0123456789abcdefE 0x401090+8\n_RNvNtCs1234_7mycrate3foo3bar 0x4010a0+8"},
		{plain, "std::vector::*", "_ZNSt6vectorIiSaIiEE9push_backEOi 0x401080+8"},
		{plain, "core::fmt::*", "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE 0x401090+8"},
		{plain, "mycrate::foo::bar", "_RNvNtCs1234_7mycrate3foo3bar 0x4010a0+8"},
		{plain, "_ZNSt*", "_ZNSt6vectorIiSaIiEE9push_backEOi 0x401080+8"},
		{plain, "nothing", ""},
		{plain, "data", ""},
		{plain, "label", ""},
		{plain, "imported", ""},
		{plain, "absolute", ""},
		{plain, "outside", ""},
		{plain, "before", ""},
		{plain, "", ""},
		{both, "*", "exported 0x401000+4\ninner 0x401004+4\nmain 0x401008+4"},
		{old, "copy", "copy 0x401020+4"},
		{old, "copy*", "copy@V1 0x401010+4\ncopy 0x401020+4"},
		{old, "gone", "gone 0x401030+4"},
		{old, "same", "same=same@V1 0x401040+4"},
		{old, "plain", "plain 0x401050+4"},
		{old, "base", "base 0x401060+4"},
		{oldSymtab, "copy", "copy=__copy_local 0x401020+4"},
		{oldSymtab, "copy*", "copy@V1 0x401010+4\ncopy=__copy_local 0x401020+4"},
		{nil, "*", ""},
	}
	for _, tt := range tests {
		got, err := image{sections: tt.sections}.file(t).Functions(glob(tt.pattern))
		if err != nil || show(got) != tt.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.pattern, err, show(got), tt.want)
		}
	}

	lookups := []struct {
		sections   []part
		name, want string
	}{
		{plain, "main", "main=__main_alias=main_too 0x401010+16"},
		{plain, "__main_alias", "__main_alias=main=main_too 0x401010+16"},
		{plain, "helper", "helper 0x401030+4\nhelper 0x401034+4"},
		{plain, "_ZNSt6vectorIiSaIiEE9push_backEOi", "_ZNSt6vectorIiSaIiEE9push_backEOi 0x401080+8"},
		{plain, "std::vector::push_back", "_ZNSt6vectorIiSaIiEE9push_backEOi 0x401080+8"},
		{plain, "core::fmt::Formatter::pad", "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE 0x401090+8"},
		{plain, "imported", "no function imported in /bin/example"},
		{plain, "main*", "no function main* in /bin/example"},
		{old, "copy", "copy 0x401020+4"},
		{old, "copy@V1", "copy@V1 0x401010+4"},
		{old, "copy@V2", "copy@V2=copy 0x401020+4"},
		{old, "copy@@V2", "copy@@V2=copy 0x401020+4"},
		{old, "copy@V3", "no function copy@V3 in /bin/example; only exported functions are known, since the file is stripped and has no build ID by which its debug symbols could be found"},
		{old, "gone", "gone 0x401030+4"},
		{old, "gone@V1", "gone@V1=gone 0x401030+4"},
		{old, "same", "same=same@V1 0x401040+4"},
		{oldSymtab, "copy", "copy=__copy_local 0x401020+4"},
		{oldSymtab, "copy@V1", "copy@V1 0x401010+4"},
		{oldSymtab, "copy@V2", "copy@V2=__copy_local=copy 0x401020+4"},
		{nil, "main", "no function main in /bin/example: it has no symbols at all; only exported functions are known, since the file is stripped and has no build ID by which its debug symbols could be found"},
		{[]part{buildID("12345678")}, "main", "no function main in /bin/example: it has no symbols at all; only exported functions are known, since the file is stripped and no package with its debug symbols (-dbg, -dbgsym, -debuginfo) is installed: there is no /usr/lib/debug/.build-id/31/32333435363738.debug"},
	}
	for _, tt := range lookups {
		all, err := image{sections: tt.sections}.file(t).Lookup(tt.name)
		got := show(all)
		if err != nil {
			got = err.Error()
			if !errors.Is(err, ErrNoFunction) {
				t.Errorf("%s: %v is not ErrNoFunction", tt.name, err)
			}
		}
		if got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// A function is itself and its copies, and not what was cut off it.
func TestCopies(t *testing.T) {
	sections := symtab(
		sym{"f", textAt + 0x10, 8, fn, 1},
		sym{"f.constprop.0", textAt + 0x20, 8, static, 1},
		sym{"f.constprop.0.isra.0", textAt + 0x30, 8, static, 1},
		sym{"f.part.0", textAt + 0x40, 8, static, 1},
		sym{"f.part.0.isra.0", textAt + 0x50, 8, static, 1},
		sym{"f.cold", textAt + 0x60, 8, static, 1},
		sym{"f.isra.0.cold", textAt + 0x70, 8, static, 1},
		sym{"f.isra", textAt + 0x80, 8, static, 1},
		sym{"f.isratty", textAt + 0x90, 8, static, 1},
		sym{"g.lto_priv.0", textAt + 0xa0, 8, static, 1},
		sym{"h.llvm.1234", textAt + 0xb0, 8, static, 1},
		sym{"_ZN1a1bEi.isra.0", textAt + 0xc0, 8, static, 1},
		sym{"_ZN1a1bEi.cold", textAt + 0xd0, 8, static, 1},
		sym{"_ZN1a1bEi.part.0", textAt + 0xe0, 8, static, 1},
		sym{"_ZN1a1bEl", textAt + 0xf0, 8, fn, 1},
	)
	golang := append([]part{{name: ".go.buildinfo", kind: elf.SHT_PROGBITS, data: []byte{0}}}, symtab(
		sym{"main.cold", textAt + 0x10, 8, static, 1}, sym{"main.cold.f", textAt + 0x20, 8, static, 1})...)
	tests := []struct {
		sections   []part
		name, want string
	}{
		{sections, "f", "f 0x401010+8\nf.constprop.0 0x401020+8\nf.constprop.0.isra.0 0x401030+8\nf.isra 0x401080+8"},
		{sections, "f.cold", "f.cold 0x401060+8"},
		{sections, "f.part.0", "f.part.0 0x401040+8\nf.part.0.isra.0 0x401050+8"},
		{sections, "g", "g.lto_priv.0 0x4010a0+8"},
		{sections, "h", "h.llvm.1234 0x4010b0+8"},
		{sections, "a::b", "_ZN1a1bEi.isra.0 0x4010c0+8\n_ZN1a1bEl 0x4010f0+8"},
		{sections, "_ZN1a1bEi", "_ZN1a1bEi.isra.0 0x4010c0+8"},
		{sections, "f*.0", "f.constprop.0 0x401020+8\nf.constprop.0.isra.0 0x401030+8\nf.part.0 0x401040+8\nf.part.0.isra.0 0x401050+8"},
		{sections, "*.cold", ""},
		{sections, "a::*", "_ZN1a1bEi.isra.0 0x4010c0+8\n_ZN1a1bEi.part.0 0x4010e0+8\n_ZN1a1bEl 0x4010f0+8"},
		{golang, "main.cold*", "main.cold 0x401010+8\nmain.cold.f 0x401020+8"},
	}
	for _, tt := range tests {
		f := image{sections: tt.sections}.file(t)
		all, err := f.Lookup(tt.name)
		if strings.Contains(tt.name, "*") {
			all, err = f.Functions(glob(tt.name))
		}
		if err != nil || show(all) != tt.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.name, err, show(all), tt.want)
		}
	}
	if name, in, ok := (image{sections: sections}).file(t).At(0x1064); name != "f.cold" || in != 4 || !ok {
		t.Errorf("%s+%d %v", name, in, ok)
	}
}

func TestAt(t *testing.T) {
	f := image{sections: symtab(
		sym{"first", textAt + 0x10, 0x10, fn, 1},
		sym{"_first", textAt + 0x10, 0x10, fn, 1},
		sym{"sizeless", textAt + 0x30, 0, fn, 1},
		sym{"next", textAt + 0x40, 8, fn, 1},
		sym{"last", textAt + 0x80, 0, fn, 1},
	)}.file(t)
	tests := []struct {
		offset uint64
		want   string
	}{
		{0x100f, ""},
		{0x1010, "first+0"},
		{0x101f, "first+15"},
		{0x1020, ""},
		{0x1030, "sizeless+0"},
		{0x103f, "sizeless+15"},
		{0x1040, "next+0"},
		{0x1048, ""},
		{0x1fff, "last+3967"},
		{0x2000, ""},
		{0, ""},
		{1<<64 - 1, ""},
	}
	for _, tt := range tests {
		got := ""
		if name, in, ok := f.At(tt.offset); ok {
			got = fmt.Sprintf("%s+%d", name, in)
		}
		if got != tt.want {
			t.Errorf("%#x: %q, want %q", tt.offset, got, tt.want)
		}
	}
}

// Each stops when it is told to.
func TestEachStops(t *testing.T) {
	f := image{sections: symtab(sym{"a", textAt, 1, fn, 1}, sym{"b", textAt + 1, 1, fn, 1})}.file(t)
	var got []string
	for fn, err := range f.Each(glob("*")) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fn.Name)
		break
	}
	if !slices.Equal(got, []string{"a"}) {
		t.Errorf("%q", got)
	}
}

func TestDamagedSymbols(t *testing.T) {
	cut := symtab(sym{"main", textAt, 4, fn, 1})
	cut[1].data = cut[1].data[:3] // the name does not end
	noStrings := symtab(sym{"main", textAt, 4, fn, 1})
	noStrings[0].link = ""
	odd := symtab(sym{"main", textAt, 4, fn, 1}, sym{"b", textAt, 4, fn, 1})
	odd[0].data = odd[0].data[:2*symbolSize+7] // half a symbol at the end
	tests := []struct {
		name     string
		sections []part
		want     string
	}{
		{"a name that does not end", cut, ""},
		{"no strings", noStrings, ""},
		{"half a symbol", odd, "main 0x401000+4"},
	}
	for _, tt := range tests {
		got, err := image{sections: tt.sections}.file(t).Functions(glob("*"))
		if err != nil || show(got) != tt.want {
			t.Errorf("%s: %q %v, want %q", tt.name, show(got), err, tt.want)
		}
	}
}

func TestDemangle(t *testing.T) {
	tests := []struct{ name, want string }{
		{"main", "main"},
		{"_ZN3foo3barEv", "foo::bar"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector::push_back"},
		{"_ZN3std2io5stdio5print17h83f5ac81ff2ac3e8E", "std::io::stdio::print"},
		{"_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"},
		{"_ZN3foo3barEv.isra.0", "foo::bar"},
		{"_ZN3foo3barEv.cold", "foo::bar.cold"},
		{"_ZN3foo3barEv.isra.0.part.0.cold", "foo::bar.isra.0.part.0.cold"},
		{"_Zwrong", "_Zwrong"},
		{"_Random", "_Random"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := Demangle(tt.name); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := reflect.TypeOf(Function{}).NumField(); got != 5 {
		t.Errorf("Function has %d fields: show prints 5", got)
	}
}
