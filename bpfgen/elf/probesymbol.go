package elf

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Operands may name symbols. What is at a fixed distance from a probe in the
// file is at the same distance in every process, so that a symbol's address is
// turned into a distance from the probe: no process need be asked where the
// program lies.

// resolve finds the symbols that operands name.
func (b *probes) resolve() error {
	wanted := map[string][]uint64{}
	b.eachSymbol(func(o *Operand, _ Place) { wanted[o.symbol] = nil })
	if len(wanted) == 0 {
		return nil
	}
	if err := b.file.findSymbols(wanted); err != nil {
		return err
	}
	slots, err := b.file.gotSlots(wanted)
	if err != nil {
		return err
	}
	b.eachSymbol(func(o *Operand, p Place) {
		if o.got && len(slots[o.symbol]) > 0 {
			o.relative(slots[o.symbol][0], p, b.file.machine)
			return
		}
		if o.got { // the linker knew better and needed no entry
			o.Kind = Address
		}
		o.setAddress(wanted[o.symbol], p, b.file.machine)
	})
	return nil
}

// eachSymbol calls do with the operands that name a symbol.
func (b *probes) eachSymbol(do func(*Operand, Place)) {
	for _, p := range b.all {
		for _, place := range p.Places {
			for i := range place.Args {
				if o := &place.Args[i]; o.symbol != "" && o.Err == nil {
					do(o, place)
				}
			}
		}
	}
}

// setAddress makes the operand one of a symbol that was found.
func (o *Operand) setAddress(found []uint64, p Place, m Machine) {
	switch len(found) {
	case 0:
		o.Err = fmt.Errorf("is at %s, which is in no table of symbols", o.symbol)
	case 1:
		o.relative(found[0], p, m)
	default:
		o.Err = fmt.Errorf("is at %s, of which there are %d", o.symbol, len(found))
	}
}

// relative makes the operand one at an address, relative to the probe.
func (o *Operand) relative(address uint64, p Place, m Machine) {
	if o.Register != "" && o.Register != "rip" {
		o.Err = errors.New("is at a symbol and a register, which is not supported")
		return
	}
	o.Register = map[Machine]string{AMD64: "rip"}[m]
	o.Value += int64(address - p.Address)
}

// findSymbols finds the addresses of the symbols with these names, in the file
// and in its debug file.
func (f *File) findSymbols(wanted map[string][]uint64) error {
	files := []*File{f}
	if d := f.Debug(); d != nil {
		files = append(files, d)
	}
	for _, from := range files {
		for _, s := range from.sections {
			if s.kind != elf.SHT_SYMTAB && s.kind != elf.SHT_DYNSYM || int(s.link) >= len(from.sections) {
				continue
			}
			if err := from.findIn(&s, wanted); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) findIn(s *section, wanted map[string][]uint64) error {
	names := f.sections[s.link]
	return f.eachSymbol(s, func(_ uint64, p []byte) error {
		if elf.SectionIndex(little.Uint16(p[6:])) == elf.SHN_UNDEF || elf.ST_TYPE(p[4]) == elf.STT_TLS {
			return nil
		}
		name, err := f.view.cstring(names.offset+uint64(little.Uint32(p)), names.offset+names.size)
		if err != nil {
			return nil // nobody has this name
		}
		if found, ok := wanted[name]; ok {
			address := little.Uint64(p[8:])
			if !slices.Contains(found, address) {
				wanted[name] = append(found, address)
			}
		}
		return nil
	})
}

// gotSlots finds the entries of the global offset table that hold the addresses
// of symbols: those that the dynamic loader fills in by name, and those where it
// adds where the program lies to the symbol's address.
func (f *File) gotSlots(symbols map[string][]uint64) (map[string][]uint64, error) {
	if f.machine != AMD64 {
		return nil, nil
	}
	byAddress := map[uint64][]string{}
	for name, all := range symbols {
		for _, a := range all {
			byAddress[a] = append(byAddress[a], name)
		}
	}
	entries := map[string][]uint64{}
	err := f.eachRelocation(func(r relocation) error {
		switch elf.R_X86_64(r.kind) {
		case elf.R_X86_64_GLOB_DAT:
			name, err := f.symbolName(r)
			if err != nil {
				return nil // a damaged one fills in nothing
			}
			if _, ok := symbols[name]; ok {
				entries[name] = append(entries[name], r.address)
			}
		case elf.R_X86_64_RELATIVE:
			for _, name := range byAddress[uint64(r.addend)] {
				if !f.isGOT(r.address) {
					break
				}
				entries[name] = append(entries[name], r.address)
			}
		}
		return nil
	})
	return entries, err
}

// isGOT says whether an address is in the global offset table.
func (f *File) isGOT(address uint64) bool {
	for _, s := range f.sections {
		if strings.HasPrefix(s.name, ".got") && address-s.address < s.size {
			return true
		}
	}
	return false
}
