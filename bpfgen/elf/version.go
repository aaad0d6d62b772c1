package elf

import "debug/elf"

// Symbols of libraries may have versions, so that programs that were linked
// long ago still find the function that they were linked with. At most one of
// several functions of a name is the default, which new programs are linked
// with. .gnu.version has a number for each symbol of .dynsym, whose highest bit
// says that it is not the default; .gnu.version_d has the names of the numbers.
// In .symtab, linkers write them into the name: memcpy@@GLIBC_2.14 is the
// default, memcpy@GLIBC_2.2.5 is not.

const (
	versionHidden = 0x8000
	maxVersions   = 4096
)

// setVersion sets the version of the symbol number i of .dynsym.
func (f *File) setVersion(y *symbol, versions *section, i uint64) error {
	if versions == nil || versions.size < 2*i+2 {
		return nil
	}
	var p [2]byte
	if err := f.view.read(p[:], versions.offset+2*i); err != nil {
		return err
	}
	v := little.Uint16(p[:])
	y.version = v &^ versionHidden
	if v&versionHidden != 0 {
		y.flags |= hidden
	}
	return nil
}

// versions reads the names of the versions that a library defines; nil if it
// defines none.
func (f *File) versions() map[uint16]string {
	s := f.sectionOf(elf.SHT_GNU_VERDEF)
	if s == nil || s.kind == elf.SHT_NOBITS || int(s.link) >= len(f.sections) {
		return nil
	}
	names := f.sections[s.link]
	all := map[uint16]string{}
	for at := uint64(0); len(all) < maxVersions && at+20 <= s.size; {
		p, err := f.view.bytes(s.offset+at, 20)
		if err != nil {
			return all
		}
		aux := at + uint64(little.Uint32(p[12:]))
		a, err := f.view.bytes(s.offset+aux, 8)
		if err != nil {
			return all
		}
		name, err := f.view.cstring(names.offset+uint64(little.Uint32(a)), names.offset+names.size)
		if err != nil {
			return all
		}
		all[little.Uint16(p[4:])] = name
		next := uint64(little.Uint32(p[16:]))
		if next == 0 {
			break
		}
		at += next
	}
	return all
}

// findDefaults finds the names of hidden symbols that a default version has,
// too. A name that cannot be read matches nothing.
func (f *File) findDefaults(x *index) {
	if x.versions == nil {
		return
	}
	x.defaults = map[string]bool{}
	old := map[string]bool{}
	for _, y := range x.symbols {
		if name, version, err := x.name(y); err == nil && x.isHidden(y, version) {
			old[name] = true
		}
	}
	for _, y := range x.symbols {
		if name, version, err := x.name(y); err == nil && old[name] && !x.isHidden(y, version) {
			x.defaults[name] = true
		}
	}
}
