package object

import (
	"bytes"
	"testing"
)

// The newest copy is read, unless its pair is written for the second time since.
func TestCopies(t *testing.T) {
	m := &Map{Values: Table, Storage: Cell, Size: 16, Copies: 2}
	if got := m.CellSize(); got != 8+2*(8+2*16) {
		t.Errorf("the memory has %d bytes", got)
	}
	for _, row := range []struct {
		what         string
		newest, turn int64 // turn is that of the second pair, which is at 48
		want         []byte
		whole        bool
	}{
		{"none", 0, 0, words(0, 0), true},
		{"an odd turn", 3<<32 | 48, 3, words(13, 14), true},
		{"an even turn", 4<<32 | 48, 4, words(11, 12), true},
		{"the other copy is being written", 4<<32 | 48, 5, words(11, 12), true},
		{"this copy is being written", 4<<32 | 48, 6, words(11, 12), false},
		{"turns that wrap", -1<<32 | 48, 1 << 32, words(13, 14), true},
	} {
		memory := words(row.newest, 0, 1, 2, 3, 4, row.turn, 11, 12, 13, 14)
		mark, value, whole := m.Cell(func(i int) uint64 { return Word(memory, i) })
		if mark != uint64(row.newest) || !bytes.Equal(value, row.want) || whole != row.whole {
			t.Errorf("%s: %#x, %v, %t, want %v, %t", row.what, mark, value, whole, row.want, row.whole)
		}
	}
	plain := &Map{Values: Table, Storage: Cell, Size: 8}
	if mark, value, whole := plain.Cell(func(i int) uint64 { return uint64(7 + i) }); mark != 7 || !bytes.Equal(value, words(8)) || !whole {
		t.Errorf("a number is read as %d, %v, %t", mark, value, whole)
	}
}
