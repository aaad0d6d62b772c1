package decode

import (
	"fmt"
	"sync"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A SymbolTable knows what is at the kernel's addresses: the symbol, its module and how far
// behind its beginning the address is.
type SymbolTable interface {
	Lookup(addr uint64) (name, module string, offset uint64, ok bool)
}

// SymbolsFrom has the machine open a table when it needs symbols, instead of reading
// them all, which it still does where that fails. It must not be called later than that.
func (m *Machine) SymbolsFrom(open func() (SymbolTable, error)) {
	read := m.symbols
	m.symbols = sync.OnceValue(func() SymbolTable {
		if table, err := open(); err == nil {
			return table
		}
		return read()
	})
}

// readSymbols reads the kernel's symbols; nil where it hides them.
func readSymbols(k *kernel.Kernel) SymbolTable {
	symbols, err := k.Symbols()
	if err != nil {
		return nil
	}
	return symbols
}

// NeedsSymbols says whether the text of a type's values is of kernel symbols.
func NeedsSymbols(t *plylang.Type) bool {
	row, _ := decoderOf(t)
	return row.symbols
}

// ReadSymbols gets at the kernel's symbols. To read them takes a
// tenth of a second, for which the first value to be shown need not wait.
func (m *Machine) ReadSymbols() { m.symbols() }

// lookup finds the symbol an address is in.
func (m *Machine) lookup(addr uint64) (name string, offset uint64, ok bool) {
	symbols := m.symbols()
	if symbols == nil {
		return "", 0, false
	}
	name, _, offset, ok = symbols.Lookup(addr)
	return name, offset, ok
}

// symbol is a kernel address as name+0xoffset.
func (d *Decoder) symbol(v object.Value) string { return d.machine.address(uint64(v.Int())) }

func (m *Machine) address(addr uint64) string {
	name, offset, ok := m.lookup(addr)
	switch {
	case !ok:
		return hexNumber(addr)
	case offset == 0:
		return name
	}
	return fmt.Sprintf("%s+0x%x", name, offset)
}
