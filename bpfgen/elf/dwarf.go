package elf

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
)

// types is the debug information of a file. What it refers to in another file is in types of
// its own, so that an entry is always read from the file that has it.
type types struct {
	*dwarf.Data
	info []byte // the units of .debug_info
	old  []byte // behind them in Data, those of .debug_types, where DWARF 4 has types
	addr []byte // the addresses that are named by number
	size uint64 // of all that was read

	lists      lists       // of locations
	units      []unitRange // what has code, see units.go; nil: not known yet
	looked     int         // at so many ranges
	functions  map[dwarf.Offset]unitFunctions
	made       map[dwarf.Offset]*Declared
	signatures map[uint64]dwarf.Offset // see typeunit.go; nil: not known yet
	isGo       bool

	open   openPart // the other files
	names  []string // of the program and of the file that was read
	roots  []string // see File.roots
	str    []byte
	link   *sharedLink // to a file that other programs share; nil if there is none
	shared *types      // of that file

	ranges []byte
	splits map[dwarf.Offset]splitUnit // of units whose entries are in other files, see split.go
	pack   *pack                      // of those in one file; nil if there is none
}

// maxTypes bounds the debug information that is read. That of glibc has 10 MiB,
// that of PostgreSQL 30.
const maxTypes = 256 << 20

// maxDense bounds what says where code is, and how entries are abbreviated, of which each
// byte may stand for many in memory. A program of 90 MB has 2 MiB.
const maxDense = 16 << 20

// types reads the debug information of the file, or of its debug file, once.
func (f *File) types() (*types, error) {
	if f.dwarf != nil || f.dwarfErr != nil {
		return f.dwarf, f.dwarfErr
	}
	from, err := f.withTypes()
	if err != nil {
		f.dwarfErr = err
		return nil, err
	}
	f.dwarf, f.dwarfErr = from.readTypes()
	if f.dwarfErr != nil {
		f.dwarfErr = fmt.Errorf("debug information of %s: %w", from.name, f.dwarfErr)
		return nil, f.dwarfErr
	}
	f.dwarf.isGo = f.IsGo()
	f.dwarf.names = append(f.dwarf.names, f.name)
	return f.dwarf, nil
}

// withTypes is the file or its debug file, whichever has debug information.
func (f *File) withTypes() (*File, error) {
	if f.hasTypes() {
		return f, nil
	}
	d := f.Debug()
	switch {
	case d == nil || f.inside:
		return nil, fmt.Errorf("%w: %s is stripped and %s", ErrNoTypes, f.name, f.noDebug)
	case !d.hasTypes():
		return nil, fmt.Errorf("%w in %s and %s", ErrNoTypes, f.name, d.name)
	}
	return d, nil
}

// hasTypes says whether the file itself has debug information.
func (f *File) hasTypes() bool {
	return f.section(".debug_info") != nil || f.section(".zdebug_info") != nil
}

// TypesOf gives f the debug information that was read of the same file before.
func (f *File) TypesOf(before *File) {
	if before == nil || before.dwarf == nil && before.dwarfErr == nil {
		return
	}
	f.dwarf, f.dwarfErr = before.dwarf, before.dwarfErr
	if f.dwarf != nil {
		if from, err := f.withTypes(); err == nil {
			f.dwarf.lists = from.openLists() // the other file is closed
		}
	}
}

// readTypes reads the debug information of a file, but not yet what it has in others.
func (f *File) readTypes() (*types, error) {
	f.view.forget()
	e, err := elf.NewFile(io.NewSectionReader(f.view.r, 0, int64(f.view.size)))
	if err != nil {
		return nil, err
	}
	t, err := readTypes(e, maxTypes)
	if err != nil {
		return nil, err
	}
	t.lists = listsOf(e)
	t.open, t.names, t.roots = openFile, []string{f.name}, f.roots()
	t.link = f.sharedLink()
	return t, nil
}

// readTypes reads the sections that are needed whole, up to a number of bytes.
func readTypes(e *elf.File, most uint64) (*types, error) {
	content := map[string][]byte{}
	size, old := uint64(0), uint64(0)
	if s := debugSection(e, "types"); s != nil && s.isPossible() {
		old = s.size
	}
	for _, name := range []string{"abbrev", "info", "types", "ranges", "str", "addr", "line_str", "str_offsets", "rnglists"} {
		s := debugSection(e, name)
		if s == nil {
			continue
		}
		if size += s.size; s.size > most || size > most {
			return nil, fmt.Errorf("it has more than %d MiB, which is not read", maxTypes>>20)
		}
		if (name == "ranges" || name == "rnglists" || name == "abbrev") && s.size > maxDense {
			return nil, fmt.Errorf(".debug_%s has more than %d MiB, which is not read", name, maxDense>>20)
		}
		more := uint64(0)
		if name == "info" {
			more = old
		}
		var err error
		if content[name], err = s.whole(more); err != nil {
			return nil, fmt.Errorf(".debug_%s: %w", name, err)
		}
	}
	return newTypes(content)
}

// newTypes makes debug information of sections.
func newTypes(content map[string][]byte) (*types, error) {
	if err := checkUnits(content["info"], content["abbrev"], false); err != nil {
		return nil, err
	}
	if err := checkUnits(content["types"], content["abbrev"], true); err != nil {
		return nil, err
	}
	// The units of .debug_types have headers that begin like those of .debug_info and go on
	// with what is no entry. Their entries are read by where they are.
	all := append(content["info"], content["types"]...)
	d, err := dwarf.New(content["abbrev"], nil, nil, all, nil, nil, content["ranges"], content["str"])
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"addr", "line_str", "str_offsets", "rnglists"} {
		if err := d.AddSection(".debug_"+name, content[name]); err != nil {
			return nil, err
		}
	}
	t := &types{
		Data: d, info: all[:len(content["info"])], old: all[len(content["info"]):], addr: content["addr"], str: content["str"], ranges: content["ranges"],
		splits: map[dwarf.Offset]splitUnit{}, functions: map[dwarf.Offset]unitFunctions{}, made: map[dwarf.Offset]*Declared{},
	}
	for _, c := range content {
		t.size += uint64(len(c))
	}
	return t, nil
}

// unit is what location lists need to know of their compilation unit.
type unit struct {
	base     uint64 // the address to which offsets are added
	addr     int64  // where its addresses are in .debug_addr
	loclists int64  // where its lists are in .debug_loclists
	split    bool   // of DWARF 4, with lists as DWARF 5 has them but for their lengths
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
func (t *types) locationAt(u unit, class dwarf.Class, v int64, address uint64) ([]byte, error) {
	switch {
	case class == dwarf.ClassLocList:
		at, err := t.lists.five.at(u.loclists + 4*v)
		if v < 0 || err != nil || len(at) < 4 {
			return nil, errDamaged
		}
		v = u.loclists + int64(little.Uint32(at))
	case t.lists.five == nil || t.lists.four != nil:
		list, err := t.lists.four.at(v)
		switch {
		case err != nil:
			return nil, err
		case u.split:
			return t.locationList(u, list, address)
		}
		return oldLocationList(u, list, address)
	}
	list, err := t.lists.five.at(v)
	if err != nil {
		return nil, err
	}
	return t.locationList(u, list, address)
}

// oldLocationList reads a list of DWARF 4: from, to, length and expression, from
// and to relative to a base, which an entry with the highest address changes.
func oldLocationList(u unit, p []byte, address uint64) ([]byte, error) {
	for len(p) >= 16 {
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
func (t *types) locationList(u unit, code []byte, address uint64) ([]byte, error) {
	l := list{expression: expression{code: code}, addr: t.addr, unit: u}
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
		n := l.length(2)
		if l.err != nil || n < 0 || n > int64(len(l.code)) {
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
		return from, from + uint64(l.length(4)), true
	case lleOffsets:
		from, to = uint64(l.length(4)), uint64(l.length(4))
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

// length reads a length or a distance: a number of variable length in DWARF 5, and before it
// one of so many bytes.
func (l *list) length(bytes int) (n int64) {
	if !l.split {
		return l.number(false)
	}
	if len(l.code) < bytes {
		l.err = errDamaged
		return 0
	}
	for i := range bytes {
		n |= int64(l.code[i]) << (8 * i)
	}
	l.code = l.code[bytes:]
	return n
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
