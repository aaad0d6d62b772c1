package elf

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// maxSymbols bounds what an index takes: 96 MiB.
const maxSymbols = 4 << 20

// symbol is one name of a function. Names stay in the file until they are
// needed: there may be hundreds of thousands.
type symbol struct {
	address uint64
	size    uint32
	name    uint32 // where in the table's strings
	version uint16 // index of the version
	table   uint8  // index of the table
	flags   symbolFlag
	kind    uint8 // what Go says of it
}

type symbolFlag uint8

const (
	hidden   symbolFlag = 1 << iota // an older version, which only programs linked long ago call
	assembly                        // written in assembly, of Go
	onStack                         // takes arguments on the stack, of Go
)

// table is one table of symbols.
type table struct {
	file    *File // with the names
	strings extent
	at      bool // names may carry a version: memcpy@@GLIBC_2.14
}

// index has the functions of a file and of its debug file by address.
type index struct {
	symbols  []symbol
	tables   []table
	versions map[uint16]string
	// Names of which this file has a default version. Hidden ones of the same
	// name are told apart by their version.
	defaults map[string]bool
	// Indirect functions of which no implementation is known, with the reason.
	unresolved []unresolved
	resolvers  int
}

type unresolved struct {
	symbol
	why error
}

// functions returns the index, which is made once.
func (f *File) functions() (*index, error) {
	if f.index != nil {
		return f.index, nil
	}
	x := &index{versions: f.versions()}
	if err := f.collect(x); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	slices.SortFunc(x.symbols, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.address, b.address), cmp.Compare(a.table, b.table), cmp.Compare(a.name, b.name))
	})
	f.findDefaults(x)
	f.index = x
	return x, nil
}

// collect reads all tables of symbols. What a debug file has stands in the
// program, too, unless it was stripped.
func (f *File) collect(x *index) error {
	if err := f.addTable(x, f, ".dynsym"); err != nil {
		return err
	}
	if f.section(".symtab") != nil {
		return f.addTable(x, f, ".symtab")
	}
	if d := f.Debug(); d != nil {
		return f.addTable(x, d, ".symtab")
	}
	return f.addGo(x)
}

// addTable adds the functions of a table of symbols of this file or of its
// debug file.
func (f *File) addTable(x *index, from *File, name string) error {
	s := from.section(name)
	if s == nil || int(s.link) >= len(from.sections) {
		return nil
	}
	names := from.sections[s.link]
	if !from.view.inside(s.offset, s.size) || !from.view.inside(names.offset, names.size) {
		return fmt.Errorf("%s lies outside of the file: is it truncated?", name)
	}
	number := uint8(len(x.tables))
	x.tables = append(x.tables, table{from, extent{names.offset, names.size}, name == ".symtab" && x.versions != nil})
	var version *section
	if name == ".dynsym" {
		version = from.sectionOf(elf.SHT_GNU_VERSYM)
	}
	return from.eachSymbol(s, func(i uint64, p []byte) error {
		y, ok := f.function(p)
		if !ok {
			return nil
		}
		if len(x.symbols) == maxSymbols {
			return fmt.Errorf("more than %d functions", maxSymbols)
		}
		y.table = number
		if err := from.setVersion(&y, version, i); err != nil {
			return err
		}
		f.add(x, y, elf.ST_TYPE(p[4]))
		return nil
	})
}

// add adds a symbol, an indirect function's as its implementations.
func (f *File) add(x *index, y symbol, kind elf.SymType) {
	if kind != elf.STT_GNU_IFUNC {
		x.symbols = append(x.symbols, y)
		return
	}
	if x.resolvers++; x.resolvers > maxResolvers {
		return
	}
	all, err := f.implementations(y)
	if err != nil {
		x.unresolved = append(x.unresolved, unresolved{y, err})
		return
	}
	y.size = 0 // that of the resolver
	for _, y.address = range all {
		x.symbols = append(x.symbols, y)
	}
}

// eachSymbol calls do with the records of a table of symbols.
func (f *File) eachSymbol(s *section, do func(i uint64, p []byte) error) error {
	buffer := make([]byte, 1024*symbolSize)
	for at := uint64(0); at+symbolSize <= s.size; at += uint64(len(buffer)) {
		p := buffer[:min(uint64(len(buffer)), (s.size-at)/symbolSize*symbolSize)]
		if err := f.view.read(p, s.offset+at); err != nil {
			return err
		}
		for i := uint64(0); i < uint64(len(p)); i += symbolSize {
			if err := do((at+i)/symbolSize, p[i:i+symbolSize]); err != nil {
				return err
			}
		}
	}
	return nil
}

// function reads a record of a table of symbols. It is a function's if it is
// defined here, and lies where instructions are.
func (f *File) function(p []byte) (symbol, bool) {
	kind := elf.ST_TYPE(p[4])
	section := elf.SectionIndex(little.Uint16(p[6:]))
	y := symbol{
		name:    little.Uint32(p),
		address: little.Uint64(p[8:]),
		size:    uint32(min(little.Uint64(p[16:]), 1<<32-1)),
	}
	isFunction := kind == elf.STT_FUNC || kind == elf.STT_GNU_IFUNC
	defined := section != elf.SHN_UNDEF && (section < elf.SHN_LORESERVE || section == elf.SHN_XINDEX)
	return y, isFunction && defined && y.name != 0 && f.executable(y.address)
}

// name returns a symbol's name without its version, and the version if there
// is one.
func (x *index) name(y symbol) (name, version string, err error) {
	t := x.tables[y.table]
	s, err := t.file.view.cstring(t.strings.offset+uint64(y.name), t.strings.offset+t.strings.size)
	if err != nil {
		return "", "", err
	}
	if t.at {
		name, version, _ = strings.Cut(s, "@")
		return name, version, nil // "@GLIBC_2.14" of a default version
	}
	if y.flags&onStack != 0 {
		return s + ".abi0", "", nil
	}
	return s, x.versions[y.version], nil
}

// fullName returns a symbol's name as it is shown and matched: with its version
// if there is a newer function of the same name.
func (x *index) fullName(y symbol) (string, error) {
	name, version, err := x.name(y)
	if err == nil && x.isHidden(y, version) && x.defaults[name] {
		name += "@" + version
	}
	return name, err
}

func (x *index) isHidden(y symbol, version string) bool {
	if x.tables[y.table].at {
		return version != "" && version[0] != '@'
	}
	return y.flags&hidden != 0
}
