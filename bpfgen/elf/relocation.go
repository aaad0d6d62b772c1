package elf

import "debug/elf"

// relocation is what the dynamic loader writes at an address.
type relocation struct {
	address uint64
	kind    uint32
	symbol  uint32
	addend  int64
	table   uint32 // section of the symbol
}

const relocationSize = 24

// eachRelocation calls do with the relocations that the dynamic loader makes.
// Those in short form (.relr.dyn) only add where the program lies to what the
// file has, and are not among them.
func (f *File) eachRelocation(do func(relocation) error) error {
	buffer := make([]byte, 1024*relocationSize)
	for _, s := range f.sections {
		if s.kind != elf.SHT_RELA || s.flags&elf.SHF_ALLOC == 0 { //nolint:misspell // so it is called
			continue
		}
		for at := uint64(0); at+relocationSize <= s.size; at += uint64(len(buffer)) {
			p := buffer[:min(uint64(len(buffer)), (s.size-at)/relocationSize*relocationSize)]
			if err := f.view.read(p, s.offset+at); err != nil {
				return err
			}
			for ; len(p) > 0; p = p[relocationSize:] {
				r := relocation{little.Uint64(p), little.Uint32(p[8:]), little.Uint32(p[12:]), int64(little.Uint64(p[16:])), s.link}
				if err := do(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// symbolName is the name of a relocation's symbol.
func (f *File) symbolName(r relocation) (string, error) {
	if int(r.table) >= len(f.sections) {
		return "", errOutside
	}
	table := f.sections[r.table]
	if int(table.link) >= len(f.sections) || uint64(r.symbol) >= table.size/symbolSize {
		return "", errOutside
	}
	p, err := f.view.bytes(table.offset+uint64(r.symbol)*symbolSize, 4)
	if err != nil {
		return "", err
	}
	names := f.sections[table.link]
	return f.view.cstring(names.offset+uint64(little.Uint32(p)), names.offset+names.size)
}
