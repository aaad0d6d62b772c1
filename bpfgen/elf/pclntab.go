package elf

import (
	"debug/elf"
	"fmt"
)

// Go programs have a table of their functions (pclntab), with which they print
// stack traces, and so also when they were stripped. Its header says which
// layout it has:
//
//	magic, 0, 0, instruction size, pointer size, number of functions, …, offsets of its parts
//
// A list has, for each function, where it begins and where it is described; the
// description begins with the same and has the offset of the name. Since Go
// 1.18 functions begin at an offset from the beginning of the text, which is
// not always that of .text: a C linker puts instructions before Go's.

// goLayout is how the table looks since some version of Go.
type goLayout struct {
	magic uint32
	// Offsets in the header of the offsets of names and of functions, and of the
	// beginning of the text. 0 for what the header has not.
	names, functions, text uint64
	list                   uint64 // offset of the list, if the header does not say it
	word                   uint64 // size of a number in the list
	name                   uint64 // offset of the name in a description
	id                     uint64 // and of what kind of function it is, followed by flags; 0 where wrappers are not told apart
}

var goLayouts = []goLayout{
	{magic: 0xfffffff1, text: 24, names: 32, functions: 64, word: 4, name: 4, id: 40}, // Go 1.20
	{magic: 0xfffffff0, text: 24, names: 32, functions: 64, word: 4, name: 4, id: 36}, // Go 1.18
	{magic: 0xfffffffa, names: 24, functions: 56, word: 8, name: 8},                   // Go 1.16
	{magic: 0xfffffffb, list: 16, word: 8, name: 8},                                   // Go 1.2
}

const (
	goHeader      = 72
	goAssembly    = 4   // a flag of functions
	goDescription = 42  // bytes of a description that are looked at
	goModuleText  = 176 // offset of the beginning of the text in .go.module
)

// goTable is the table of a program.
type goTable struct {
	layout goLayout
	extent
	count                    uint64
	names, list, description uint64 // offsets in the file
	text                     uint64
}

// goFunctions finds the table; nil if the program has none.
func (f *File) goFunctions() (*goTable, error) {
	s := f.section(".gopclntab")
	if s == nil {
		s = f.section(".data.rel.ro.gopclntab") // position-independent, before Go 1.26
	}
	if s == nil {
		return nil, nil
	}
	h, err := f.view.bytes(s.offset, goHeader)
	if err != nil || !f.view.inside(s.offset, s.size) {
		return nil, fmt.Errorf("the table of Go's functions %w", errOutside)
	}
	for _, l := range goLayouts {
		if little.Uint32(h) == l.magic && h[7] == 8 {
			return f.readGoHeader(s, l, h)
		}
	}
	return nil, fmt.Errorf("the table of Go's functions is of a version that is not known (% x)", h[:8])
}

func (f *File) readGoHeader(s *section, l goLayout, h []byte) (*goTable, error) {
	t := &goTable{layout: l, extent: extent{s.offset, s.size}, count: little.Uint64(h[8:])}
	t.names, t.list, t.description = s.offset, s.offset+l.list, s.offset
	if l.functions != 0 {
		names, functions := little.Uint64(h[l.names:]), little.Uint64(h[l.functions:])
		if names > s.size || functions > s.size {
			return nil, fmt.Errorf("the table of Go's functions is damaged: its parts begin at %d and %d, it has %d bytes", names, functions, s.size)
		}
		t.names, t.list, t.description = s.offset+names, s.offset+functions, s.offset+functions
	}
	if in := t.list - s.offset; t.count > (s.size-min(in, s.size))/(2*l.word) {
		return nil, fmt.Errorf("the table of Go's functions is damaged: it has %d bytes for %d functions", s.size, t.count)
	}
	if l.text != 0 {
		t.text = f.goText(s.address + l.text)
	}
	return t, nil
}

// goText finds where the offsets of functions begin: the header said it up to Go
// 1.25, then .go.module does. Both may be relocated.
func (f *File) goText(header uint64) uint64 {
	if m := f.section(".go.module"); m != nil {
		if a, ok := f.pointer(m.address + goModuleText); ok && f.executable(a) {
			return a
		}
	}
	if a, ok := f.pointer(header); ok && f.executable(a) {
		return a
	}
	if s := f.section(".text"); s != nil {
		return s.address
	}
	return 0
}

// pointer returns the address that is at an address, as the file has it or as
// the dynamic loader will write it.
func (f *File) pointer(at uint64) (uint64, bool) {
	relative := map[Machine]uint32{AMD64: uint32(elf.R_X86_64_RELATIVE), ARM64: uint32(elf.R_AARCH64_RELATIVE), RISCV64: uint32(elf.R_RISCV_RELATIVE)}[f.machine]
	var found uint64
	err := f.eachRelocation(func(r relocation) error {
		if r.address == at && r.kind == relative {
			found = uint64(r.addend)
		}
		return nil
	})
	if err == nil && found != 0 {
		return found, true
	}
	offset, ok := f.offset(at)
	if !ok {
		return 0, false
	}
	p, err := f.view.bytes(offset, 8)
	if err != nil {
		return 0, false
	}
	return little.Uint64(p), true
}

// addGo adds Go's functions to the index.
func (f *File) addGo(x *index) error {
	t, err := f.goFunctions()
	if err != nil || t == nil {
		return err
	}
	if t.count > maxSymbols {
		return fmt.Errorf("more than %d functions", maxSymbols)
	}
	number := uint8(len(x.tables))
	x.tables = append(x.tables, table{file: f, strings: extent{t.names, t.offset + t.size - t.names}})
	first := len(x.symbols)
	for i := range t.count {
		y, err := f.goFunction(t, i)
		if err != nil {
			return err
		}
		if y.table = number; f.executable(y.address) {
			x.symbols = append(x.symbols, y)
		}
	}
	x.markWrappers(x.symbols[first:])
	return nil
}

// goFunction reads the function number i.
func (f *File) goFunction(t *goTable, i uint64) (symbol, error) {
	word := func(at uint64) (uint64, error) {
		var p [8]byte
		err := f.view.read(p[:t.layout.word], at)
		return little.Uint64(p[:]), err
	}
	at := t.list + 2*t.layout.word*i
	start, err1 := word(at)
	description, err2 := word(at + t.layout.word)
	end, err3 := word(at + 2*t.layout.word)
	if err1 != nil || err2 != nil || err3 != nil || description > t.size {
		return symbol{}, fmt.Errorf("the table of Go's functions is damaged at function %d", i)
	}
	var p [goDescription]byte
	if err := f.view.read(p[:], t.description+description); err != nil {
		return symbol{}, fmt.Errorf("the table of Go's functions is damaged at function %d", i)
	}
	y := symbol{address: t.text + start, name: little.Uint32(p[t.layout.name:])}
	if end > start {
		y.size = uint32(min(end-start, 1<<32-1))
	}
	if id := t.layout.id; id != 0 {
		y.kind = p[id]
		if p[id+1]&goAssembly != 0 {
			y.flags |= assembly
		}
	}
	return y, nil
}

// markWrappers tells functions of one name apart. Assembly takes arguments on
// the stack, other functions in registers; where both call, there is one that
// does the work and one that moves the arguments and calls it. In tables of
// symbols, the one with arguments on the stack is called name.abi0. One of the two
// is in assembly, or of a kind of its own.
func (x *index) markWrappers(all []symbol) {
	special := map[string]*symbol{}
	for i := range all {
		if y := &all[i]; y.kind != 0 || y.flags&assembly != 0 {
			if name, _, err := x.name(*y); err == nil {
				special[name] = y
			}
		}
	}
	for i := range all {
		y := &all[i]
		name, _, err := x.name(*y)
		if other := special[name]; err == nil && other != nil && other != y {
			onlyOnStack(y, other).flags |= onStack
		}
	}
}

// onlyOnStack returns the one that takes arguments on the stack: the one in
// assembly, else the wrapper, whose kind is the highest.
func onlyOnStack(a, b *symbol) *symbol {
	if a.flags&assembly != b.flags&assembly {
		if a.flags&assembly != 0 {
			return a
		}
		return b
	}
	if a.kind > b.kind {
		return a
	}
	return b
}
