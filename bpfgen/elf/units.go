package elf

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// A unitRange is code of a compilation unit.
type unitRange struct {
	low, high uint64
	unit      dwarf.Offset // of its entry
	id        uint64       // of one that is a skeleton, in DWARF 5
}

const (
	// These bound what is looked at of a file that is made to take time.
	maxUnitRanges = 1 << 21
	maxEntries    = 1 << 23
)

// unitOf finds the compilation unit that has the code at an address.
func (t *types) unitOf(address uint64) (unitRange, error) {
	if t.units == nil {
		if err := t.findUnits(); err != nil {
			return unitRange{}, err
		}
	}
	for _, u := range t.units {
		if u.low <= address && address < u.high {
			return u, nil
		}
	}
	return unitRange{}, fmt.Errorf("%w of the function at %#x", ErrNoTypes, address)
}

// findUnits reads the entry of each unit, and nothing that it contains.
func (t *types) findUnits() error {
	found := []unitRange{}
	r := t.Reader()
	for u, err := range unitHeads(t.info, false) {
		if err != nil {
			return err
		}
		if u.entry == 0 {
			continue
		}
		r.Seek(dwarf.Offset(u.entry))
		cu, err := r.Next()
		if err != nil {
			return err
		}
		if cu == nil || cu.Tag != dwarf.TagCompileUnit && cu.Tag != dwarf.TagSkeletonUnit {
			continue
		}
		ranges, err := t.rangesOf(cu)
		if err != nil {
			return err
		}
		for _, b := range ranges {
			if 0 < b[0] && b[0] < b[1] { // what the linker has left out begins at 0
				found = append(found, unitRange{b[0], b[1], cu.Offset, u.signature})
			}
		}
	}
	t.units = found
	return nil
}

// rangesOf returns where the code of an entry is.
func (t *types) rangesOf(e *dwarf.Entry) ([][2]uint64, error) {
	ranges, err := t.Ranges(e)
	if err != nil {
		return nil, err
	}
	if t.looked += len(ranges); t.looked > maxUnitRanges {
		return nil, errTooLarge
	}
	return ranges, nil
}

// begin is the address of a function's first instruction. One whose rare parts are
// elsewhere has several ranges, of which the first is that of the others.
func (t *types) begin(e *dwarf.Entry) (address uint64, ok bool, err error) {
	if address, ok = e.Val(dwarf.AttrLowpc).(uint64); ok {
		return address, true, nil
	}
	if address, ok = e.Val(dwarf.AttrEntrypc).(uint64); ok {
		return address, true, nil
	}
	if e.Val(dwarf.AttrRanges) == nil {
		return 0, false, nil
	}
	ranges, err := t.rangesOf(e)
	if err != nil || len(ranges) == 0 {
		return 0, false, err
	}
	return ranges[0][0], true, nil
}

// function finds the function that begins at an address: its unit, its entry,
// and a reader at what the entry contains.
func (t *types) function(address uint64) (unit, node, *dwarf.Reader, error) {
	at, err := t.unitOf(address)
	if err != nil {
		return unit{}, node{}, nil, err
	}
	cu := t.entryAt(at.unit)
	if cu == nil {
		return unit{}, node{}, nil, errDamaged
	}
	u, in, begin := newUnit(cu), t, at.unit
	if name := skeletonOf(cu); name != "" {
		p := t.splitUnit(cu, name, at.id)
		if p.err != nil {
			return unit{}, node{}, nil, fmt.Errorf("%w of the function at %#x here: it is in %s (-gsplit-dwarf), %w", ErrNoTypes, address, name, p.err)
		}
		u, in, begin = p.unit, p.types, p.begin
	}
	known := in.functionsOf(begin)
	if known.err != nil {
		return unit{}, node{}, nil, known.err
	}
	if !known.typed {
		return unit{}, node{}, nil, fmt.Errorf("%w of the parameters of the function at %#x: there are lines only, as with -g1; compile it with -g", ErrNoTypes, address)
	}
	entry, ok := known.starts[address]
	if !ok {
		return unit{}, node{}, nil, fmt.Errorf("%w of the function at %#x", ErrNoTypes, address)
	}
	r := in.Reader()
	r.Seek(entry)
	e, err := r.Next()
	if err != nil || e == nil {
		return unit{}, node{}, nil, errors.Join(errDamaged, err)
	}
	return u, node{e, in}, r, nil
}

// A unitFunctions is what is known of the functions of a unit: their entries by where
// they begin.
type unitFunctions struct {
	starts map[uint64]dwarf.Offset
	typed  bool // something has a type; where the compiler has kept lines only, nothing has
	err    error
}

// functionsOf looks through a unit once.
func (t *types) functionsOf(at dwarf.Offset) unitFunctions {
	known, ok := t.functions[at]
	if !ok {
		known.starts = map[uint64]dwarf.Offset{}
		known.err = t.lookThrough(at, &known)
		t.functions[at] = known
	}
	return known
}

// lookThrough finds the functions of a unit. What contains none is
// passed over where an entry says where the next one is, which must be ahead: a damaged
// file leads back to where one was. Link-time optimization leaves types in other units:
// there it is within functions that their parameters are seen.
func (t *types) lookThrough(at dwarf.Offset, found *unitFunctions) error {
	r := t.Reader()
	r.Seek(at)
	if _, err := r.Next(); err != nil {
		return err
	}
	depth, last := 1, at // the entry of the unit has the others below it
	for range maxEntries {
		e, err := r.Next()
		switch {
		case err != nil:
			return err
		case e == nil:
			return nil
		case e.Tag == 0: // the end of what is below an entry
			if depth--; depth == 0 {
				return nil
			}
			continue
		case e.Offset <= last:
			return errDamaged
		}
		last = e.Offset
		if err := t.note(e, found); err != nil {
			return err
		}
		holds := holdsFunctions[e.Tag] || !found.typed
		if sibling, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && e.Children && sibling > e.Offset && !holds {
			r.Seek(sibling)
		} else if e.Children {
			depth++
		}
	}
	return errTooLarge
}

// note notes what an entry tells of its unit's functions.
func (t *types) note(e *dwarf.Entry, found *unitFunctions) error {
	found.typed = found.typed || isTyped(e)
	if e.Tag != dwarf.TagSubprogram {
		return nil
	}
	begin, ok, err := t.begin(e)
	if ok && err == nil && found.starts[begin] == 0 {
		found.starts[begin] = e.Offset
	}
	return err
}

// isTyped says that an entry has a type, is one, or that such are in what is included.
func isTyped(e *dwarf.Entry) bool {
	switch e.Tag {
	case dwarf.TagBaseType, dwarf.TagFormalParameter, dwarf.TagImportedUnit:
		return true
	}
	return e.AttrField(dwarf.AttrType) != nil || e.AttrField(dwarf.AttrPrototyped) != nil
}

// holdsFunctions are entries below which functions may be that are not parts of another.
var holdsFunctions = map[dwarf.Tag]bool{dwarf.TagNamespace: true, dwarf.TagModule: true}
