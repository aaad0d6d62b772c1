package kernel

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/plylang"
)

const someSymbols = `ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000100 t helper
ffffffff81000200 T vfs_read
ffffffff81000200 T vfs_read_alias
ffffffff81000300 t __pfx_helper
ffffffff81000310 t helper
ffffffff81000400 t tcp_ack.constprop.0
ffffffff81000500 t tcp_ack.constprop.0.cold
ffffffff81000600 t tcp_ack.part.0
ffffffff81000700 W weak_one
ffffffff82000000 D some_data
ffffffff81000800 T _sinittext
ffffffff81000810 t do_early_things
ffffffff81000900 T _einittext
ffffffffc0001000 t xfs_read	[xfs]
ffffffffc0001200 t helper	[xfs]
ffffffffc0000800 t nf_hook	[nf_tables]
`

func parse(t testing.TB, text string) *Symbols {
	t.Helper()
	s, err := parseSymbols(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookup(t *testing.T) {
	s := parse(t, someSymbols)
	tests := []struct {
		addr uint64
		want string
	}{
		{0xffffffff81000200, "vfs_read"}, // the first of two at one address
		{0xffffffff81000210, "vfs_read+0x10"},
		{0xffffffff81000000, "_stext"},
		{0xffffffff810007ff, "weak_one+0xff"},
		{0xffffffffc0000810, "nf_hook+0x10 [nf_tables]"},
		{0xffffffffc0001204, "helper+0x4 [xfs]"},
		{0xffffffff82000010, ""}, // data, far from any function
		{0xffffffff80ffffff, ""}, // before the first
		{0, ""},
	}
	for _, tt := range tests {
		got := ""
		if name, module, offset, ok := s.Lookup(tt.addr); ok {
			got = name
			if offset > 0 {
				got += fmt.Sprintf("+%#x", offset)
			}
			if module != "" {
				got += " [" + module + "]"
			}
		}
		if got != tt.want {
			t.Errorf("%#x is in %q, want %q", tt.addr, got, tt.want)
		}
	}
}

func TestSymbolByName(t *testing.T) {
	s := parse(t, someSymbols)
	if addr, ok := s.Addr("vfs_read_alias"); addr != 0xffffffff81000200 || !ok {
		t.Errorf("vfs_read_alias is at %#x, %v", addr, ok)
	}
	for _, name := range []string{"vfs_rea", "fs_read", "some_data", "", "\x00", "_stextstartup_64"} {
		if s.Has(name) {
			t.Errorf("there is a function %q", name)
		}
	}
}

func TestSymbolErrors(t *testing.T) {
	for _, text := range []string{"", "x\n", "ffff T\n", "ffffT name\n", "ffffffff82000000 D data_only\n"} {
		if s, err := parseSymbols(strings.NewReader(text)); err == nil {
			t.Errorf("%q has %d symbols", text, s.Len())
		}
	}
}

// files makes a kernel with the given files.
func files(t *testing.T, texts map[string]string) *Kernel {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range texts {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	k, err := OpenArch(files, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A kernel that hides addresses still tells which functions there are.
func TestHiddenSymbols(t *testing.T) {
	k := files(t, map[string]string{
		"proc/kallsyms":                 "0000000000000000 T vfs_read\n0000000000000000 T vfs_write\n",
		"proc/sys/kernel/kptr_restrict": "2\n",
	})
	_, err := k.Symbols()
	if err == nil || !strings.Contains(err.Error(), "CAP_SYSLOG") || !strings.Contains(err.Error(), "kernel.kptr_restrict is 2") {
		t.Errorf("Symbols: %v", err)
	}
	if _, addressErr := k.Address("vfs_read"); !errors.Is(err, plylang.ErrMissing) || !errors.Is(addressErr, plylang.ErrMissing) {
		t.Errorf("not said to be missing: %v, %v", err, addressErr)
	}
	found, err := k.Functions("vfs_*")
	if len(found) != 2 || err != nil {
		t.Errorf("Functions: %v, %v", found, err)
	}
}

// Without the list of symbols what needs it is missing, which is no fault of a script.
func TestNoSymbols(t *testing.T) {
	k := files(t, map[string]string{"proc/version": ""})
	_, err := k.Symbols()
	_, addressErr := k.Address("vfs_read")
	_, functionErr := k.Functions("vfs_read")
	for _, err := range []error{err, addressErr, functionErr} {
		if !errors.Is(err, plylang.ErrMissing) || !strings.Contains(err.Error(), "kernel symbols: open proc/kallsyms") {
			t.Error(err)
		}
	}
}
