package decode

import (
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// The symbols are read beforehand for exactly the values whose text has some.
func TestWhichTextsNeedSymbols(t *testing.T) {
	for name, row := range decoders {
		asked := false
		d := New(NewMachine(nil), []string{"a probe"}, kernelStacks{1 << 40})
		d.machine.symbols = func() SymbolTable { asked = true; return nil }
		shown := &plylang.Type{Kind: plylang.Int, Size: 8, Display: &plylang.Display{Name: name}}
		switch name {
		case "mem":
			shown.Display = plylang.DisplayRecord(&object.Record{})
		case "enum":
			shown.Display.Arg = &plylang.Enumeration{}
		}
		d.Text(object.Value{Type: shown, Raw: []byte{0, 0, 0, 0, 1, 0, 0, 0}})
		if asked != row.symbols || NeedsSymbols(shown) != row.symbols {
			t.Errorf("%s: the text asks for symbols: %t; the table says %t", name, asked, row.symbols)
		}
	}
}
