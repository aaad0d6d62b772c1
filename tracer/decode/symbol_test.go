package decode

import (
	"errors"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
)

// someTable has one symbol everywhere.
type someTable string

func (s someTable) Lookup(uint64) (name, module string, offset uint64, ok bool) {
	return string(s), "", 2, true
}

// Symbols are those of the table that was given, and where it cannot be opened of the list.
func TestSymbolsFrom(t *testing.T) {
	k, err := kernel.OpenArch(fstest.MapFS{"proc/kallsyms": {Data: []byte(someSymbols)}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for want, open := range map[string]func() (SymbolTable, error){
		"vfs_read+0x10": func() (SymbolTable, error) { return nil, errors.New("none") },
		"asked+0x2":     func() (SymbolTable, error) { return someTable("asked"), nil },
	} {
		m := NewMachine(k)
		m.SymbolsFrom(open)
		if got := m.address(0xffffffff81001210); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
