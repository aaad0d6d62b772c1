package elf

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
)

const (
	headerSize  = 64
	programSize = 56
	sectionSize = 64
	symbolSize  = 24

	maxPrograms = 4096    // Linux loads no program with more than 1170
	maxSections = 1 << 16 // programs have dozens
)

// extent is a part of the file.
type extent struct{ offset, size uint64 }

// segment is a part of the file that the kernel or the dynamic loader maps.
type segment struct {
	address, offset, size uint64 // size in the file
	executable            bool
}

type section struct {
	name         string
	kind         elf.SectionType
	flags        elf.SectionFlag
	address      uint64
	offset, size uint64
	link         uint32
}

// readHeaders reads the header, the program headers and the section headers.
// Its errors go on after the file's name.
func (f *File) readHeaders() error {
	h := make([]byte, headerSize)
	n := min(f.view.size, headerSize)
	if err := f.view.read(h[:n], 0); err != nil {
		return err
	}
	if bytes.HasPrefix(h, []byte("#!")) {
		return f.script()
	}
	if err := f.checkHeader(h[:n]); err != nil {
		return err
	}
	f.kind = elf.Type(little.Uint16(h[16:]))
	f.machine = Machine(little.Uint16(h[18:]))
	f.entry = little.Uint64(h[24:])
	if err := f.readSections(h); err != nil {
		return err
	}
	return f.readPrograms(h)
}

// NoProgram says that a file is something else than a program or library of a machine
// that has probes. A glob passes over such.
type NoProgram string

// Error says what the file is.
func (n NoProgram) Error() string { return string(n) }

func noProgram(format string, args ...any) error { return NoProgram(fmt.Sprintf(format, args...)) }

// script says which program runs a script.
func (f *File) script() error {
	line, err := f.view.bytes(2, min(f.view.size-2, 256))
	if err != nil {
		return err
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	switch {
	case len(words) == 0:
		return noProgram("is a script, not a program or library")
	case len(words) > 1 && path.Base(words[0]) == "env" && !strings.HasPrefix(words[1], "-"):
		words = words[1:]
	}
	return noProgram("is a script: probe the program that runs it, %s", words[0])
}

// checkHeader says what is wrong with a file that begins with these bytes.
func (f *File) checkHeader(h []byte) error {
	switch {
	case len(h) == 0:
		return noProgram("is empty")
	case !bytes.HasPrefix(h, []byte(elf.ELFMAG)):
		return noProgram("is not a program or library (ELF): it begins with %q", h[:min(len(h), 8)])
	case len(h) < headerSize:
		return fmt.Errorf("is truncated: it has %d bytes, less than its header", len(h))
	case elf.Data(h[5]) == elf.ELFDATA2MSB:
		return noProgram("is for a big-endian machine")
	case elf.Class(h[4]) == elf.ELFCLASS32:
		return noProgram("is a 32-bit program or library (%s), of which no probes are supported", elf.Machine(little.Uint16(h[18:])))
	case elf.Class(h[4]) != elf.ELFCLASS64, elf.Data(h[5]) != elf.ELFDATA2LSB:
		return errors.New("has a wrong ELF header")
	}
	switch m := Machine(little.Uint16(h[18:])); m {
	case AMD64, ARM64, RISCV64:
	default:
		return noProgram("is for another machine (%s)", m)
	}
	switch t := elf.Type(little.Uint16(h[16:])); t {
	case elf.ET_EXEC, elf.ET_DYN:
		return nil
	case elf.ET_REL:
		return noProgram("is an object file, which is not run before it is linked")
	case elf.ET_CORE:
		return noProgram("is a core dump, not a program or library")
	default:
		return noProgram("is not a program or library: its type is %d", t)
	}
}

// readPrograms reads what is mapped. Where there are more headers than 16 bits
// can say, the first section tells, which is read before.
func (f *File) readPrograms(h []byte) error {
	offset, count := little.Uint64(h[32:]), uint64(little.Uint16(h[56:]))
	if count == 0 {
		return errors.New("has no program headers: nothing of it is ever mapped")
	}
	if count > maxPrograms {
		return fmt.Errorf("has %d program headers, Linux takes no more than 1170", count)
	}
	if size := little.Uint16(h[54:]); size != programSize {
		return fmt.Errorf("has program headers of %d bytes instead of %d", size, programSize)
	}
	p, err := f.view.bytes(offset, count*programSize)
	if err != nil {
		return fmt.Errorf("is truncated or damaged: its program headers are at %d, it has %d bytes", offset, f.view.size)
	}
	for ; len(p) > 0; p = p[programSize:] {
		f.addProgram(p)
	}
	sort.SliceStable(f.segments, func(i, j int) bool { return f.segments[i].address < f.segments[j].address })
	return nil
}

func (f *File) addProgram(p []byte) {
	e := extent{little.Uint64(p[8:]), little.Uint64(p[32:])}
	switch elf.ProgType(little.Uint32(p)) {
	case elf.PT_LOAD:
		x := elf.ProgFlag(little.Uint32(p[4:]))&elf.PF_X != 0
		f.segments = append(f.segments, segment{little.Uint64(p[16:]), e.offset, e.size, x})
	case elf.PT_NOTE:
		f.notes = append(f.notes, e)
	case elf.PT_INTERP:
		f.interp = e
	}
}

// readSections reads the section headers, if there are any: programs run
// without them.
func (f *File) readSections(h []byte) error {
	offset := little.Uint64(h[40:])
	if offset == 0 {
		return nil
	}
	if size := little.Uint16(h[58:]); size != sectionSize {
		return fmt.Errorf("has section headers of %d bytes instead of %d", size, sectionSize)
	}
	first, err := f.view.bytes(offset, sectionSize)
	if err != nil {
		return f.truncated(offset)
	}
	count, names := uint64(little.Uint16(h[60:])), uint64(little.Uint16(h[62:]))
	if count == 0 {
		count = little.Uint64(first[32:])
	}
	if names == uint64(elf.SHN_XINDEX) {
		names = uint64(little.Uint32(first[40:]))
	}
	if count > maxSections {
		return fmt.Errorf("has %d sections, more than any program", count)
	}
	s, err := f.view.bytes(offset, count*sectionSize)
	if err != nil {
		return f.truncated(offset)
	}
	return f.addSections(s, names)
}

func (f *File) truncated(sections uint64) error {
	return fmt.Errorf("is truncated: its section headers are at %d, it has %d bytes", sections, f.view.size)
}

func (f *File) addSections(s []byte, names uint64) error {
	if names*sectionSize >= uint64(len(s)) {
		return fmt.Errorf("is damaged: the names of its sections would be in section %d of %d", names, len(s)/sectionSize)
	}
	at := s[names*sectionSize:]
	start, size := little.Uint64(at[24:]), little.Uint64(at[32:])
	if !f.view.inside(start, size) {
		return f.truncated(start)
	}
	for ; len(s) > 0; s = s[sectionSize:] {
		name, err := f.view.cstring(start+uint64(little.Uint32(s)), start+size)
		if err != nil || len(name) > 64 {
			name = "" // no section that is looked for
		}
		f.sections = append(f.sections, section{
			name:    name,
			kind:    elf.SectionType(little.Uint32(s[4:])),
			flags:   elf.SectionFlag(little.Uint64(s[8:])),
			address: little.Uint64(s[16:]),
			offset:  little.Uint64(s[24:]),
			size:    little.Uint64(s[32:]),
			link:    little.Uint32(s[40:]),
		})
	}
	return nil
}

// section returns the section of this name that has content in the file.
func (f *File) section(name string) *section {
	for i := range f.sections {
		if s := &f.sections[i]; s.name == name && s.kind != elf.SHT_NOBITS && s.kind != elf.SHT_NULL {
			return s
		}
	}
	return nil
}

// sectionOf returns the first section of this type.
func (f *File) sectionOf(kind elf.SectionType) *section {
	for i := range f.sections {
		if f.sections[i].kind == kind {
			return &f.sections[i]
		}
	}
	return nil
}

// segmentOf returns the segment in whose part of the file an address is.
func (f *File) segmentOf(address uint64) *segment {
	i, found := slices.BinarySearchFunc(f.segments, address, func(s segment, a uint64) int { return cmp.Compare(s.address, a) })
	if !found {
		i--
	}
	if i < 0 || address-f.segments[i].address >= f.segments[i].size {
		return nil
	}
	return &f.segments[i]
}

// offset turns an address into an offset in the file.
func (f *File) offset(address uint64) (uint64, bool) {
	s := f.segmentOf(address)
	if s == nil {
		return 0, false
	}
	return address - s.address + s.offset, true
}

// AddressOf turns an offset in the file into an address. Where two segments have
// the offset (they may share a page), the executable one is meant.
func (f *File) AddressOf(offset uint64) (uint64, bool) {
	var address uint64
	found := false
	for _, s := range f.segments {
		if offset >= s.offset && offset-s.offset < s.size && (!found || s.executable) {
			address, found = offset-s.offset+s.address, true
		}
	}
	return address, found
}

// isText says whether an address is in a part of the file for instructions.
// Programs without sections do not tell it from constants next to it.
func (f *File) isText(address uint64) bool {
	if !f.executable(address) {
		return false
	}
	for _, s := range f.sections {
		if s.flags&elf.SHF_ALLOC != 0 && s.flags&elf.SHF_TLS == 0 && address-s.address < s.size {
			return s.flags&elf.SHF_EXECINSTR != 0
		}
	}
	return true
}

// executable says whether the instruction at an address can be run.
func (f *File) executable(address uint64) bool {
	s := f.segmentOf(address)
	return s != nil && s.executable
}
