package elf

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Units in files of their own
//
// With -gsplit-dwarf a program has but a skeleton of each unit: where its code is, and the
// addresses that it names. All else is in a file beside the object file (.dwo), which the linker
// does not see. dwp makes one file of all (.dwp). DWARF 4 has it by names of GNU, with which it
// is read as what DWARF 5 made of it.

// A splitUnit is a unit whose entries are in another file, or why they cannot be had.
type splitUnit struct {
	*types
	begin dwarf.Offset // its entry
	unit  unit
	err   error
}

// Attributes of skeletons, as GNU calls them in DWARF 4.
const (
	gnuName       = 0x2130 // DW_AT_GNU_dwo_name
	gnuID         = 0x2131 // DW_AT_GNU_dwo_id
	gnuRangesBase = 0x2132 // DW_AT_GNU_ranges_base
	gnuAddrBase   = 0x2133 // DW_AT_GNU_addr_base
)

// skeletonOf is the file that a unit is a skeleton of, "" for a whole unit.
func skeletonOf(cu *dwarf.Entry) string {
	name, ok := cu.Val(dwarf.AttrDwoName).(string)
	if !ok {
		name, _ = cu.Val(gnuName).(string)
	}
	return name
}

// splitUnit is what a skeleton is of, with an ID that only DWARF 5 has in the header of units.
func (t *types) splitUnit(cu *dwarf.Entry, name string, id uint64) splitUnit {
	known, ok := t.splits[cu.Offset]
	if !ok {
		if gnu, ok := cu.Val(gnuID).(int64); ok {
			id = uint64(gnu)
		}
		known.err = t.readPart(&known, cu, name, id)
		t.splits[cu.Offset] = known
	}
	return known
}

// readPart looks for a unit in the file of all, and then in its own.
func (t *types) readPart(p *splitUnit, cu *dwarf.Entry, name string, id uint64) error {
	if t.pack == nil {
		t.pack = t.openPack()
	}
	s, err := t.pack.sections("cu", id)
	if errors.Is(err, os.ErrNotExist) {
		s, err = t.partSections(cu, name)
	}
	if err != nil {
		return err
	}
	addresses, ok := cu.Val(dwarf.AttrAddrBase).(int64)
	if !ok {
		addresses, _ = cu.Val(gnuAddrBase).(int64)
	}
	ranges, _ := cu.Val(gnuRangesBase).(int64)
	s["addr"], s["ranges"] = behind(t.addr, addresses), behind(t.ranges, ranges)
	return p.read(t, s, newUnit(cu).base, id)
}

// behind is what is behind an offset.
func behind(p []byte, at int64) []byte {
	if at < 0 || at > int64(len(p)) {
		return nil
	}
	return p[at:]
}

// read makes a unit of sections, and finds the one with an ID.
func (p *splitUnit) read(of *types, s map[string][]byte, base, id uint64) (err error) {
	p.unit = unit{base: base}
	if p.types, err = newSplit(of, s); err != nil {
		return err
	}
	p.lists = lists{contentsOf(s["loc"]), contentsOf(s["loclists"])}
	if p.lists.five != nil {
		p.unit.loclists = int64(headOf(s["loclists"], 12, 20))
	}
	for u, err := range unitHeads(p.info, false) {
		if err != nil {
			return err
		}
		if u.entry == 0 || u.declares != 0 {
			continue
		}
		cu := p.entryAt(dwarf.Offset(u.entry))
		if cu == nil {
			continue
		}
		if gnu, ok := cu.Val(gnuID).(int64); ok && u.version < 5 {
			u.signature = uint64(gnu)
		}
		if p.begin = cu.Offset; u.signature == id {
			p.unit.split = u.version < 5
			return nil
		}
	}
	return errOtherPart
}

var errOtherPart = errors.New("which is of another build: build it again, and keep that file with the program")

// newSplit makes debug information of sections that belong together. What tables have before
// what is named by number is left out, since nothing says where that begins.
func newSplit(of *types, s map[string][]byte) (*types, error) {
	for u := range unitHeads(s["info"], false) {
		if u.version >= 5 {
			s["str_offsets"] = behind(s["str_offsets"], int64(headOf(s["str_offsets"], 8, 16)))
			s["rnglists"] = behind(s["rnglists"], int64(headOf(s["rnglists"], 12, 20)))
		}
		break
	}
	renameForms(s["abbrev"])
	t, err := newTypes(s)
	if err != nil {
		return nil, err
	}
	t.pack, t.isGo = of.pack, of.isGo
	return t, nil
}

// headOf is how long the head of a table is, by how long its offsets are.
func headOf(table []byte, narrow, wide int) int {
	if len(table) >= 4 && little.Uint32(table) == 1<<32-1 {
		return wide
	}
	return narrow
}

// The forms of numbers of addresses and of strings in DWARF 4 and 5.
const (
	formGNUAddr   = 0x1f01
	formGNUString = 0x1f02
	formAddr      = 0x1b
	formString    = 0x1a
)

// renameForms changes tables of abbreviations from GNU's forms to those of DWARF 5, which are
// the same but in name. A number may have more bytes than it needs.
func renameForms(tables []byte) {
	x := expression{code: tables}
	for len(x.code) > 0 {
		if x.number(false) == 0 {
			continue // the end of a table
		}
		x.number(false)
		x.code = x.code[min(1, len(x.code)):]
		for len(x.code) > 0 {
			attr := x.number(false)
			at := x.code
			form := x.number(false)
			if size := len(at) - len(x.code); size == 2 && (form == formGNUAddr || form == formGNUString) {
				at[0], at[1] = formAddr|0x80, 0
				if form == formGNUString {
					at[0] = formString | 0x80
				}
			}
			if form == formImplicitConst {
				x.number(true)
			}
			if attr == 0 && form == 0 {
				break
			}
		}
	}
}

// contentsOf are the contents of a section that is in memory, nil if there is none.
func contentsOf(p []byte) *contents {
	if len(p) == 0 {
		return nil
	}
	return &contents{packed: &packed{plain: bytes.NewReader(p), size: uint64(len(p))}}
}

// partPaths are where the file may be that a skeleton names: where the compiler ran, or beside
// the program.
func (t *types) partPaths(dir, name string) (paths []string) {
	full := name
	if !filepath.IsAbs(name) {
		full = filepath.Join(dir, name)
	}
	if filepath.IsAbs(full) {
		paths = pathsOf(full, "", t.roots)
	}
	for _, of := range t.names {
		if !filepath.IsAbs(name) {
			paths = append(paths, pathsOf(name, of, nil)...)
		}
		paths = append(paths, pathsOf(filepath.Base(name), of, nil)...)
	}
	return paths
}

// partSections reads the file that a skeleton names.
func (t *types) partSections(cu *dwarf.Entry, name string) (map[string][]byte, error) {
	dir, _ := cu.Val(dwarf.AttrCompDir).(string)
	for _, path := range t.partPaths(dir, name) {
		e, file, err := t.open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("which cannot be read: %w", err)
		}
		defer file.Close()
		return t.wholeSections(e)
	}
	return nil, errors.New("which is not there: keep it with the program, or make a .dwp file beside the program of all such files (dwp)")
}

// splitSections are the sections that a unit in a file of its own has.
var splitSections = []string{"abbrev", "info", "types", "str", "str_offsets", "rnglists", "loc", "loclists"}

// wholeSections reads the sections of a file of its own, of which there may be several with
// one name.
func (t *types) wholeSections(e *elf.File) (map[string][]byte, error) {
	content := map[string][]byte{}
	for _, s := range e.Sections {
		for _, name := range splitSections {
			if s.Name != ".debug_"+name+".dwo" || s.Type == elf.SHT_NOBITS {
				continue
			}
			p, err := t.takePart(sectionOf(s))
			if err != nil {
				return nil, err
			}
			content[name] = append(content[name], p...)
		}
	}
	return content, nil
}

// takePart reads a section as far as there is room for it.
func (t *types) takePart(p *packed) ([]byte, error) {
	if p.size > maxTypes-min(t.size, maxTypes) {
		return nil, fmt.Errorf("which is not read: there is more than %d MiB of debug information", maxTypes>>20)
	}
	t.size += p.size
	content, err := p.whole(0)
	if err != nil {
		err = fmt.Errorf("which cannot be read: %w", err)
	}
	return content, err
}
