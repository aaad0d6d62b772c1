package elf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A pack is a file that dwp has made of many: sections, of which each unit has a part, and
// tables which say what part that is.
type pack struct {
	path  string // "" if there is none
	err   error  // why it cannot be read
	of    *types // which counts what is read
	index map[string]packIndex
	str   []byte // the strings of all
	types map[uint64]*types
}

// A packIndex says where units are.
type packIndex struct {
	old              bool // as GNU has it for DWARF 4, with other numbers for sections
	columns, units   uint64
	hashes, rows     []byte // slots of a signature, and of a number of a unit
	offsets, lengths []byte // for each unit and section, behind the numbers of the sections
	sections         []byte
}

// openPack finds the file of all parts, beside the program or its debug file.
func (t *types) openPack() *pack {
	p := &pack{of: t, index: map[string]packIndex{}, types: map[uint64]*types{}}
	for _, name := range t.names {
		for _, path := range pathsOf(filepath.Base(name)+".dwp", name, nil) {
			if p.err = p.open(path); !errors.Is(p.err, os.ErrNotExist) {
				p.path = path
				return p
			}
		}
	}
	return p
}

// open reads the tables.
func (p *pack) open(path string) error {
	e, file, err := p.of.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, name := range []string{"cu", "tu"} {
		s := debugSection(e, name+"_index")
		if s == nil {
			continue
		}
		if s.size > maxDense {
			return fmt.Errorf("its table has more than %d MiB", maxDense>>20)
		}
		table, err := p.of.takePart(s)
		if err != nil {
			return err
		}
		if p.index[name], err = readIndex(table); err != nil {
			return err
		}
	}
	if s := debugSection(e, "str.dwo"); s != nil {
		p.str, err = p.of.takePart(s)
	}
	return err
}

// readIndex finds the parts of a table.
func readIndex(table []byte) (x packIndex, err error) {
	if len(table) < 16 || table[0] != 2 && table[0] != 5 {
		return x, errDamaged
	}
	x.old = table[0] == 2
	x.columns, x.units = uint64(little.Uint32(table[4:])), uint64(little.Uint32(table[8:]))
	slots, size := uint64(little.Uint32(table[12:])), uint64(len(table))
	if slots > size || x.units > size || x.columns > 16 || slots&(slots-1) != 0 {
		return x, errDamaged
	}
	at := uint64(16)
	take := func(n uint64) (p []byte) {
		if at+n > size {
			err = errDamaged
			return nil
		}
		p, at = table[at:at+n], at+n
		return p
	}
	x.hashes, x.rows = take(8*slots), take(4*slots)
	x.sections = take(4 * x.columns)
	x.offsets, x.lengths = take(4*x.columns*x.units), take(4*x.columns*x.units)
	return x, err
}

// find is the number of a unit by its signature, from 0. Where there is another one, the next
// is so many slots behind that as the signature says.
func (x packIndex) find(signature uint64) (unit uint64, ok bool) {
	slots := uint64(len(x.hashes) / 8)
	at, step := signature, signature>>32|1
	for range slots {
		at &= slots - 1
		row := uint64(little.Uint32(x.rows[4*at:]))
		if row == 0 {
			return 0, false
		}
		if little.Uint64(x.hashes[8*at:]) == signature {
			return row - 1, row <= x.units
		}
		at += step
	}
	return 0, false
}

// The sections that tables number.
var (
	packSections    = map[uint32]string{1: "info", 3: "abbrev", 5: "loclists", 6: "str_offsets", 8: "rnglists"}
	oldPackSections = map[uint32]string{1: "info", 2: "types", 3: "abbrev", 5: "loc", 6: "str_offsets"}
)

// sections reads the parts of sections that a unit of one kind has; os.ErrNotExist if it has
// none here.
func (p *pack) sections(kind string, signature uint64) (map[string][]byte, error) {
	if p.path == "" {
		return nil, os.ErrNotExist
	}
	x := p.index[kind]
	unit, ok := x.find(signature)
	switch {
	case p.err != nil:
		return nil, fmt.Errorf("and %s cannot be read: %w", p.path, p.err)
	case !ok:
		return nil, os.ErrNotExist
	}
	e, file, err := p.of.open(p.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content := map[string][]byte{"str": p.str}
	names := packSections
	if x.old {
		names = oldPackSections
	}
	for i := range x.columns {
		name := names[little.Uint32(x.sections[4*i:])]
		s := debugSection(e, name+".dwo")
		if name == "" || s == nil {
			continue
		}
		cell := 4 * (unit*x.columns + i)
		s = s.slice(uint64(little.Uint32(x.offsets[cell:])), uint64(little.Uint32(x.lengths[cell:])))
		if content[name], err = p.of.takePart(s); err != nil {
			return nil, err
		}
	}
	return content, nil
}

// typeUnit is the debug information of a unit of a type, nil if there is none.
func (p *pack) typeUnit(signature uint64) *types {
	t, known := p.types[signature]
	if !known {
		if s, err := p.sections("tu", signature); err == nil {
			if t, err = newSplit(p.of, s); err != nil {
				t = nil
			}
		}
		p.types[signature] = t
	}
	return t
}

// slice is a part of a section.
func (p *packed) slice(at, size uint64) *packed {
	if at > p.size || size > p.size-at || p.plain == nil && !p.isPossible() {
		return &packed{size: maxTypes, stored: 0} // which is not possible
	}
	return &packed{size: size, stored: size, open: func() (io.Reader, error) {
		if p.plain != nil {
			return io.NewSectionReader(p.plain, int64(at), int64(size)), nil
		}
		r, err := p.open()
		if err == nil {
			_, err = io.CopyN(io.Discard, r, int64(at))
		}
		return r, err
	}}
}
