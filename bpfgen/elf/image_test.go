package elf

import (
	"bytes"
	"debug/elf"
	"testing"
)

// image is a small ELF file that a test describes.
type image struct {
	machine  Machine
	kind     elf.Type
	segments []segment
	interp   string
	sections []part
}

// part is a section. The section with number i of the file is at i-1 here.
type part struct {
	name    string
	kind    elf.SectionType
	flags   elf.SectionFlag
	address uint64
	data    []byte
	link    string
	offset  uint64 // where it must be in the file, 0 for anywhere
}

// sym is a symbol for symbols.
type sym struct {
	name    string
	address uint64
	size    uint64
	info    byte
	section elf.SectionIndex
}

const (
	fn      = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC)
	static  = byte(elf.STB_LOCAL)<<4 | byte(elf.STT_FUNC)
	ifunc   = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_GNU_IFUNC)
	object  = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_OBJECT)
	untyped = byte(elf.STB_GLOBAL) << 4
)

// symbols makes a table of symbols and its strings.
func symbols(all ...sym) (table, names []byte) {
	table, names = make([]byte, symbolSize), []byte{0}
	for _, s := range all {
		p := make([]byte, symbolSize)
		little.PutUint32(p, uint32(len(names)))
		p[4] = s.info
		little.PutUint16(p[6:], uint16(s.section))
		little.PutUint64(p[8:], s.address)
		little.PutUint64(p[16:], s.size)
		table, names = append(table, p...), append(append(names, s.name...), 0)
	}
	return table, names
}

// symtab and dynsym are tables of symbols as sections.
func symtab(all ...sym) []part {
	table, names := symbols(all...)
	return []part{{name: ".symtab", kind: elf.SHT_SYMTAB, data: table, link: ".strtab"}, {name: ".strtab", kind: elf.SHT_STRTAB, data: names}}
}

func dynsym(all ...sym) []part {
	table, names := symbols(all...)
	return []part{{name: ".dynsym", kind: elf.SHT_DYNSYM, data: table, link: ".dynstr"}, {name: ".dynstr", kind: elf.SHT_STRTAB, data: names}}
}

// buildID is the section with this build ID.
func buildID(id string) part {
	return part{name: ".note.gnu.build-id", kind: elf.SHT_NOTE, data: noteBytes("GNU", noteBuildID, []byte(id))}
}

func noteBytes(name string, kind uint32, desc []byte) []byte {
	p := make([]byte, 12)
	little.PutUint32(p, uint32(len(name)+1))
	little.PutUint32(p[4:], uint32(len(desc)))
	little.PutUint32(p[8:], kind)
	pad := func(b []byte) []byte { return append(b, make([]byte, align4(uint64(len(b)))-uint64(len(b)))...) }
	return append(append(p, pad(append([]byte(name), 0))...), pad(desc)...)
}

// textAt is where the text of images begins, by default: a segment that lies
// elsewhere in memory than in the file, as in most programs.
const textAt, textOffset, textSize = 0x401000, 0x1000, 0x1000

var textSegment = segment{address: textAt, offset: textOffset, size: textSize, executable: true}

// bytes is the file.
func (m image) bytes() []byte {
	if m.machine == 0 {
		m.machine = AMD64
	}
	if m.kind == 0 {
		m.kind = elf.ET_EXEC
	}
	if m.segments == nil {
		m.segments = []segment{textSegment}
	}
	file := make([]byte, textOffset+textSize)
	sections := append([]part{{}}, m.sections...)
	names := []byte{0}
	headers := make([][]byte, 0, len(sections)+1)
	number := map[string]int{}
	sections = append(sections, part{name: ".shstrtab", kind: elf.SHT_STRTAB})
	nameAt := make([]int, len(sections))
	for i, s := range sections {
		number[s.name] = i
		nameAt[i], names = len(names), append(append(names, s.name...), 0)
	}
	sections[len(sections)-1].data = names
	for i, s := range sections {
		if s.offset == 0 {
			s.offset = uint64(len(file))
			file = append(file, s.data...)
		} else {
			copy(file[s.offset:], s.data)
		}
		h := make([]byte, sectionSize)
		little.PutUint32(h, uint32(nameAt[i]))
		little.PutUint32(h[4:], uint32(s.kind))
		little.PutUint64(h[8:], uint64(s.flags))
		little.PutUint64(h[16:], s.address)
		little.PutUint64(h[24:], s.offset)
		little.PutUint64(h[32:], uint64(len(s.data)))
		little.PutUint32(h[40:], uint32(number[s.link]))
		headers = append(headers, h)
	}
	copy(file, elf.ELFMAG)
	file[4], file[5], file[6] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	little.PutUint16(file[16:], uint16(m.kind))
	little.PutUint16(file[18:], uint16(m.machine))
	little.PutUint32(file[20:], uint32(elf.EV_CURRENT))
	little.PutUint64(file[32:], headerSize)
	little.PutUint64(file[40:], uint64(len(file)))
	little.PutUint16(file[54:], programSize)
	little.PutUint16(file[58:], sectionSize)
	little.PutUint16(file[60:], uint16(len(headers)))
	little.PutUint16(file[62:], uint16(len(headers)-1))
	programs := 0
	program := func(kind elf.ProgType, s segment) {
		p := file[headerSize+programs*programSize:]
		programs++
		little.PutUint32(p, uint32(kind))
		flags := elf.PF_R
		if s.executable {
			flags |= elf.PF_X
		}
		little.PutUint32(p[4:], uint32(flags))
		little.PutUint64(p[8:], s.offset)
		little.PutUint64(p[16:], s.address)
		little.PutUint64(p[32:], s.size)
		little.PutUint64(p[40:], s.size)
	}
	for _, s := range m.segments {
		program(elf.PT_LOAD, s)
	}
	if m.interp != "" {
		copy(file[0xf00:], m.interp)
		program(elf.PT_INTERP, segment{offset: 0xf00, size: uint64(len(m.interp)) + 1})
	}
	little.PutUint16(file[56:], uint16(programs))
	for _, h := range headers {
		file = append(file, h...)
	}
	return file
}

// file opens the image.
func (m image) file(t testing.TB) *File {
	t.Helper()
	b := m.bytes()
	f, err := read("/bin/example", bytes.NewReader(b), uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
