package tracer

import (
	"testing"

	"ply-exporter/internal/need"
)

// Names are those of the kernel's list, for addresses in functions, too.
func TestSymbols(t *testing.T) {
	need.BPF(t)
	listed, err := runningKernel(t).Symbols()
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := OpenSymbols()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for name := range runningKernel(t).Probeable(listed) {
		if compared++; compared%1000 != 1 {
			continue
		}
		addr, ok := listed.Addr(name)
		if !ok {
			continue // a compiler's copy
		}
		for _, at := range []uint64{addr, addr + 1} {
			wantName, wantModule, wantOffset, _ := listed.Lookup(at)
			name, module, offset, ok := symbols.Lookup(at)
			if !ok || name != wantName || module != wantModule || offset != wantOffset {
				t.Errorf("%#x is %s+%d of %q, want %s+%d of %q", at, name, offset, module, wantName, wantOffset, wantModule)
			}
		}
	}
	if compared < 10_000 {
		t.Errorf("the kernel has %d functions", compared)
	}
	for _, none := range []uint64{0, 42, 1 << 40} {
		if name, _, _, ok := symbols.Lookup(none); ok {
			t.Errorf("at %#x there is %s", none, name)
		}
	}
}

func TestParseSymbol(t *testing.T) {
	for text, want := range map[string]struct {
		name, module string
		offset       uint64
		ok           bool
	}{
		"vfs_read+0x0/0x5a0":                     {"vfs_read", "", 0, true},
		"xfs_file_read_iter+0x12/0x110 [xfs]":    {"xfs_file_read_iter", "xfs", 0x12, true},
		"_RNvCs1+2_core3fmt+0xff/0x100 [a_rust]": {"_RNvCs1+2_core3fmt", "a_rust", 0xff, true},
		"0xffffffff12345678":                     {},
		"":                                       {},
	} {
		name, module, offset, ok := parseSymbol(text)
		if name != want.name || module != want.module || offset != want.offset || ok != want.ok {
			t.Errorf("%q is %s+%d of %q, %t", text, name, offset, module, ok)
		}
	}
}
