package elf

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
)

// types is the debug information of a file.
type types struct {
	*dwarf.Data
	// Location lists, of DWARF 4 and of DWARF 5, and the addresses that the latter
	// name by number.
	loc, loclists, addr []byte
}

// maxTypes bounds the debug information that is read. That of glibc has 10 MiB,
// that of PostgreSQL 30.
const maxTypes = 256 << 20

// types reads the debug information of the file, or of its debug file, once.
func (f *File) types() (*types, error) {
	if f.dwarf != nil || f.dwarfErr != nil {
		return f.dwarf, f.dwarfErr
	}
	from := f
	if f.section(".debug_info") == nil {
		if from = f.Debug(); from == nil || from.section(".debug_info") == nil {
			f.dwarfErr = fmt.Errorf("%w: %s is stripped and %s", ErrNoTypes, f.name, f.noDebug)
			if from != nil {
				f.dwarfErr = fmt.Errorf("%w in %s and %s", ErrNoTypes, f.name, from.name)
			}
			return nil, f.dwarfErr
		}
	}
	f.dwarf, f.dwarfErr = from.readTypes()
	if f.dwarfErr != nil {
		f.dwarfErr = fmt.Errorf("debug information of %s: %w", from.name, f.dwarfErr)
	}
	return f.dwarf, f.dwarfErr
}

// readTypes reads the sections. debug/elf uncompresses them.
func (f *File) readTypes() (*types, error) {
	e, err := elf.NewFile(io.NewSectionReader(f.view.r, 0, int64(f.view.size)))
	if err != nil {
		return nil, err
	}
	content := map[string][]byte{}
	size := uint64(0)
	for _, name := range []string{"abbrev", "info", "line", "ranges", "str", "addr", "line_str", "str_offsets", "rnglists", "loc", "loclists"} {
		s := e.Section(".debug_" + name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		if size += s.Size; s.Size > maxTypes || size > maxTypes {
			return nil, fmt.Errorf("it has more than %d MiB, which is not read", maxTypes>>20)
		}
		if content[name], err = s.Data(); err != nil {
			return nil, fmt.Errorf(".debug_%s: %w", name, err)
		}
	}
	d, err := dwarf.New(content["abbrev"], nil, nil, content["info"], content["line"], nil, content["ranges"], content["str"])
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"addr", "line_str", "str_offsets", "rnglists"} {
		if err := d.AddSection(".debug_"+name, content[name]); err != nil {
			return nil, err
		}
	}
	return &types{d, content["loc"], content["loclists"], content["addr"]}, nil
}

// unit is what location lists need to know of their compilation unit.
type unit struct {
	base     uint64 // the address to which offsets are added
	addr     int64  // where its addresses are in .debug_addr
	loclists int64  // where its lists are in .debug_loclists
}

func newUnit(cu *dwarf.Entry) unit {
	var u unit
	u.base, _ = cu.Val(dwarf.AttrLowpc).(uint64)
	u.addr, _ = cu.Val(dwarf.AttrAddrBase).(int64)
	u.loclists, _ = cu.Val(dwarf.AttrLoclistsBase).(int64)
	return u
}

// locationAt returns the expression that a location list has for an address.
// DWARF 5 has lists in a section of their own.
func (d *types) locationAt(u unit, class dwarf.Class, v int64, address uint64) ([]byte, error) {
	switch {
	case class == dwarf.ClassLocList:
		at := u.loclists + 4*v
		if v < 0 || at < 0 || at > int64(len(d.loclists))-4 {
			return nil, errDamaged
		}
		return d.locationList(u, u.loclists+int64(little.Uint32(d.loclists[at:])), address)
	case len(d.loclists) > 0 && len(d.loc) == 0:
		return d.locationList(u, v, address)
	}
	return d.oldLocationList(u, v, address)
}

// oldLocationList reads a list of DWARF 4: from, to, length and expression, from
// and to relative to a base, which an entry with the highest address changes.
func (d *types) oldLocationList(u unit, at int64, address uint64) ([]byte, error) {
	if at < 0 || at > int64(len(d.loc)) {
		return nil, errDamaged
	}
	for p := d.loc[at:]; len(p) >= 16; {
		from, to := little.Uint64(p), little.Uint64(p[8:])
		p = p[16:]
		switch {
		case from == 1<<64-1:
			u.base = to
			continue
		case from == 0 && to == 0:
			return nil, errNowhere
		}
		if len(p) < 2 || len(p)-2 < int(little.Uint16(p)) {
			return nil, errDamaged
		}
		code := p[2 : 2+int(little.Uint16(p))]
		p = p[2+len(code):]
		if u.base+from <= address && address < u.base+to {
			return code, nil
		}
	}
	return nil, errDamaged
}

// The entries of lists of DWARF 5.
const (
	lleEnd = iota
	lleBaseIndex
	lleStartEndIndex
	lleStartLengthIndex
	lleOffsets
	lleDefault
	lleBase
	lleStartEnd
	lleStartLength
	lleView
)

// locationList reads a list of DWARF 5.
func (d *types) locationList(u unit, at int64, address uint64) ([]byte, error) {
	if at < 0 || at > int64(len(d.loclists)) {
		return nil, errDamaged
	}
	l := list{expression: expression{code: d.loclists[at:]}, addr: d.addr, unit: u}
	for len(l.code) > 0 {
		kind := l.code[0]
		l.code = l.code[1:]
		from, to, bounded := l.bounds(kind)
		switch {
		case l.err != nil:
			return nil, l.err
		case kind == lleEnd:
			return nil, errNowhere
		case !bounded:
			continue
		}
		n := l.number(false)
		if n < 0 || n > int64(len(l.code)) {
			return nil, errDamaged
		}
		code := l.code[:n]
		l.code = l.code[n:]
		if from <= address && address < to {
			return code, nil
		}
	}
	return nil, errDamaged
}

// list is a list that is being read.
type list struct {
	expression
	unit
	addr []byte
	err  error
}

// bounds reads the bounds of an entry, if it has any.
func (l *list) bounds(kind byte) (from, to uint64, bounded bool) {
	switch kind {
	case lleEnd:
		return 0, 0, false
	case lleBaseIndex:
		l.base = l.indexed()
		return 0, 0, false
	case lleBase:
		l.base = l.word()
		return 0, 0, false
	case lleView: // for debuggers
		l.number(false)
		l.number(false)
		return 0, 0, false
	case lleStartEndIndex:
		return l.indexed(), l.indexed(), true
	case lleStartLengthIndex:
		from = l.indexed()
		return from, from + uint64(l.number(false)), true
	case lleOffsets:
		from, to = uint64(l.number(false)), uint64(l.number(false))
		return l.base + from, l.base + to, true
	case lleDefault:
		return 0, 1<<64 - 1, true
	case lleStartEnd:
		return l.word(), l.word(), true
	case lleStartLength:
		from = l.word()
		return from, from + uint64(l.number(false)), true
	}
	l.err = errors.New("has a location of a kind that is not known")
	return 0, 0, false
}

// word reads an address.
func (l *list) word() uint64 {
	if len(l.code) < 8 {
		l.err = errDamaged
		return 0
	}
	v := little.Uint64(l.code)
	l.code = l.code[8:]
	return v
}

// indexed reads the number of an address.
func (l *list) indexed() uint64 {
	at := l.number(false)
	if at < 0 || at > int64(len(l.addr))/8 || l.unit.addr < 0 || l.unit.addr+8*at+8 > int64(len(l.addr)) {
		l.err = errDamaged
		return 0
	}
	return little.Uint64(l.addr[l.unit.addr+8*at:])
}
