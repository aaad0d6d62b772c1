package object

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"ply-exporter/plylang"
)

// slotMap is a map of slots by two keys, of 2 bytes and of 1.
func slotMap(v Values, size int, s Slots) *Map {
	return &Map{
		Storage: Array, Values: v, Size: size, Slots: &s, KeySize: 8, Map: &plylang.Map{},
		Key: []KeyPart{{Type: plylang.U16}, {Type: plylang.U8, Offset: 4}},
	}
}

// What the words of the memory are, by their number, is read as keys and values.
func TestEachSlot(t *testing.T) {
	sum := Values{Shape: ShapeNumber, Reduce: ReduceSum}
	most := Values{Shape: ShapeNumber, Reduce: ReduceMax, Marks: true}
	for _, row := range []struct {
		name string
		m    *Map
		size int
		want string
	}{
		{"one region", slotMap(sum, 8, Slots{Bounds: []int{2, 3}, CPUPart: -1, Regions: 1}), 64,
			"0,0=0 0,1=1 0,2=2 1,0=3 1,1=4 1,2=5"},
		{"a region for each CPU", slotMap(sum, 8, Slots{Bounds: []int{2, 3}, CPUPart: -1, Regions: 2}), 128,
			"0,0=8 0,1=10 0,2=12 1,0=14 1,1=16 1,2=18"},
		{"two lines a region", slotMap(sum, 8, Slots{Bounds: []int{3, 3}, CPUPart: -1, Regions: 2}), 256,
			"0,0=16 0,1=18 0,2=20 1,0=22 1,1=24 1,2=26 2,0=28 2,1=30 2,2=32"},
		{"the CPU as a key", slotMap(sum, 8, Slots{Bounds: []int{2, 3}, CPUPart: 0, Regions: 2}), 128,
			"0,0=0 1,0=8 0,1=1 1,1=9 0,2=2 1,2=10"},
		{"marks", slotMap(most, 8, Slots{Bounds: []int{2, 1}, CPUPart: -1, Regions: 2}), 128,
			"0,0=9(8) 1,0=11(10)"},
		{"two words", slotMap(sum, 16, Slots{Bounds: []int{1, 2}, CPUPart: -1, Regions: 1}), 64,
			"0,0=0 0,1=2"},
	} {
		if got := row.m.SlotsSize(); got != row.size {
			t.Errorf("%s: %d bytes, want %d", row.name, got, row.size)
		}
		if got := row.m.Memory(1); got != pageSize+pageSize {
			t.Errorf("%s: %d bytes of kernel memory", row.name, got)
		}
		var all []string
		row.m.EachSlot(func(i int) uint64 { return uint64(i) }, func(mark uint64, key, value []byte) {
			text := fmt.Sprintf("%d,%d=%d", binary.LittleEndian.Uint16(key), key[4], Word(value, 0))
			if row.m.Marked() {
				text += fmt.Sprintf("(%d)", mark)
			}
			all = append(all, text)
		})
		if got := strings.Join(all, " "); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}
