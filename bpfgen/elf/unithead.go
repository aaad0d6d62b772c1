package elf

import (
	"errors"
	"iter"
	"maps"
	"slices"
)

// A unitHead is what the header of a unit says.
type unitHead struct {
	entry     uint64 // where its first entry is; 0: it has none
	abbrevs   uint64 // where its abbreviations are
	next      uint64 // where the next unit is
	version   uint16
	signature uint64 // of a type, or what a unit and its skeleton have in common in DWARF 5
	declares  uint64 // where the type is; 0: this is no unit of a type
}

// unitHeads are the headers of all units of a section, up to one that is damaged. In .debug_types
// (old) all are units of types.
func unitHeads(info []byte, old bool) iter.Seq2[unitHead, error] {
	return func(yield func(unitHead, error) bool) {
		for at := uint64(0); at < uint64(len(info)); {
			u, err := readUnitHead(info, at, old)
			if !yield(u, err) || err != nil {
				return
			}
			at = u.next
		}
	}
}

// readUnitLength reads how long a unit is, and how many bytes that takes and an offset in it.
func readUnitLength(info []byte) (length, size, offsets uint64, err error) {
	if len(info) < 4 {
		return 0, 0, 0, errDamaged
	}
	if length = uint64(little.Uint32(info)); length < 1<<32-1 {
		return length, 4, 4, nil
	}
	if len(info) < 12 {
		return 0, 0, 0, errDamaged
	}
	return little.Uint64(info[4:]), 12, 8, nil
}

// readUnitHead reads the header of the unit at an offset.
func readUnitHead(info []byte, at uint64, old bool) (u unitHead, err error) {
	length, size, offsets, err := readUnitLength(info[at:])
	if err != nil {
		return u, err
	}
	unit := info[at+size:]
	u.next = at + size + length
	switch {
	case length == 0:
		return u, nil
	case length > uint64(len(unit)) || length < 4+offsets:
		return u, errDamaged
	}
	unit = unit[:length]
	head, kind := uint64(2), byte(0)
	if u.version = little.Uint16(unit); u.version >= 5 {
		head, kind = 4, unit[2] // and the size of addresses
	}
	u.abbrevs = uint64(little.Uint32(unit[head:]))
	entry := head + offsets
	if head == 2 {
		entry++ // the size of addresses
	}
	switch {
	case kind == 4 || kind == 5:
		if length < entry+8 {
			return u, errDamaged
		}
		u.signature = little.Uint64(unit[entry:])
		entry += 8
	case kind == 2 || kind == 6 || old: // of a type: its signature, and where it is
		if length < entry+8+offsets {
			return u, errDamaged
		}
		u.signature = little.Uint64(unit[entry:])
		if declares := uint64(little.Uint32(unit[entry+8:])); declares < length {
			u.declares = at + declares
		}
		entry += 8 + offsets
	}
	u.entry = at + size + entry
	return u, nil
}

const (
	// maxUnits bounds what is looked at of a file that is made to take time.
	maxUnits          = 1 << 18
	formImplicitConst = 0x21 // DW_FORM_implicit_const
)

var errTooLarge = errors.New("debug information is too large to be looked through")

// checkUnits finds fault with a file of which debug/dwarf would make more than there is
// in it: with very many units, or with tables of abbreviations that lie within each other.
func checkUnits(info, abbrevs []byte, old bool) error {
	tables := map[uint64]bool{}
	count := 0
	for u, err := range unitHeads(info, old) {
		switch {
		case err != nil:
			return err
		case count == maxUnits:
			return errTooLarge
		}
		tables[u.abbrevs], count = true, count+1
	}
	end := uint64(0)
	for _, at := range slices.Sorted(maps.Keys(tables)) {
		if at < end || at > uint64(len(abbrevs)) {
			return errDamaged
		}
		end = at + abbrevTable(abbrevs[at:])
	}
	return nil
}

// abbrevTable is how many bytes a table of abbreviations has: for each a number, a tag, a
// byte, and pairs of an attribute and a form up to a pair of zeros. One form is followed
// by a value.
func abbrevTable(table []byte) uint64 {
	x := expression{code: table}
	for x.number(false) != 0 {
		x.number(false)
		x.code = x.code[min(1, len(x.code)):]
		for {
			attr, form := x.number(false), x.number(false)
			if form == formImplicitConst {
				x.number(true)
			}
			if attr == 0 && form == 0 {
				break
			}
		}
	}
	return uint64(len(table) - len(x.code))
}
