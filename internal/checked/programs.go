package checked

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Programs makes a configuration trace files that have nothing but the functions and the
// declared probes that it names, so that it compiles on a machine without the programs
// that it is for. What it says of them is not tested so.
func Programs(t testing.TB, text []byte) []byte {
	t.Helper()
	folder := t.TempDir()
	wanted := map[string]*program{}
	for _, m := range userProbe.FindAllStringSubmatch(string(text), -1) {
		if wanted[m[2]] == nil {
			wanted[m[2]] = &program{path: filepath.Join(folder, fmt.Sprintf("%d.so", len(wanted)))}
		}
		wanted[m[2]].declare(m[1] == "usdt", m[3])
	}
	for _, p := range wanted {
		if err := os.WriteFile(p.path, p.bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return userProbe.ReplaceAllFunc(text, func(spec []byte) []byte {
		m := userProbe.FindSubmatch(spec)
		return fmt.Appendf(nil, "%s:%s:%s", m[1], wanted[string(m[2])].path, m[3])
	})
}

// userProbe is a probe of a program: its provider, the file, and what in it.
var userProbe = regexp.MustCompile(`\b(uprobe|uretprobe|usdt):([\w./*+-]+):([\w.:*@(|)]+)`)

// A program is a file to be written.
type program struct {
	path              string
	functions, probes []string
}

// declare adds what a target names; of a glob, all of its alternatives.
func (p *program) declare(usdt bool, target string) {
	before, choice, found := strings.Cut(target, "@(")
	choice, after, _ := strings.Cut(choice, ")")
	for name := range strings.SplitSeq(choice, "|") {
		if name = strings.ReplaceAll(before+name+after, "*", "x"); found && strings.Contains(name, "@(") {
			p.declare(usdt, name)
			continue
		}
		list := &p.functions
		if usdt {
			list = &p.probes
		}
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
}

// The file is one page of instructions that do nothing, then the sections.
const (
	pageSize   = 0x1000
	placeSize  = 16 // between functions or probes
	headerSize = 64
)

// bytes is the program.
func (p *program) bytes() []byte {
	symbols, names, notes := p.tables()
	little := binary.LittleEndian
	file := slices.Concat(make([]byte, pageSize), slices.Repeat([]byte{0x90}, pageSize))
	sectionNames := "\x00.text\x00.symtab\x00.strtab\x00.note.stapsdt\x00.shstrtab\x00"
	headers := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC | elf.SHF_EXECINSTR), Addr: pageSize, Off: pageSize, Size: pageSize},
	}
	add := func(name string, kind elf.SectionType, link uint32, data []byte) {
		at := strings.Index(sectionNames, name+"\x00")
		headers = append(headers, elf.Section64{Name: uint32(at), Type: uint32(kind), Off: uint64(len(file)), Size: uint64(len(data)), Link: link})
		file = append(file, data...)
	}
	add(".symtab", elf.SHT_SYMTAB, 3, symbols)
	add(".strtab", elf.SHT_STRTAB, 0, names)
	add(".note.stapsdt", elf.SHT_NOTE, 0, notes)
	add(".shstrtab", elf.SHT_STRTAB, 0, []byte(sectionNames))
	copy(file, begin(uint64(len(file)), len(headers)))
	file, _ = binary.Append(file, little, headers)
	return file
}

// tables are the symbols of the functions, their names, and the notes of the probes. An
// argument of a probe is a constant, which all architectures write alike.
func (p *program) tables() (symbols, names, notes []byte) {
	little := binary.LittleEndian
	symbols, names = make([]byte, elf.Sym64Size), []byte{0}
	place := uint64(pageSize)
	for _, name := range p.functions {
		symbols = little.AppendUint32(symbols, uint32(len(names)))
		symbols = append(symbols, elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), 0, 1, 0)
		symbols = little.AppendUint64(little.AppendUint64(symbols, place), placeSize)
		names = append(append(names, name...), 0)
		place += placeSize
	}
	for _, probe := range p.probes {
		provider, name, _ := strings.Cut(probe, ":")
		note := little.AppendUint64(little.AppendUint64(little.AppendUint64(nil, place), 0), 0)
		note = fmt.Appendf(note, "%s\x00%s\x00%s\x00", provider, name, strings.TrimSpace(strings.Repeat("8@$1 ", 10)))
		notes = little.AppendUint32(little.AppendUint32(little.AppendUint32(notes, 8), uint32(len(note))), 3)
		notes = append(append(notes, "stapsdt\x00"...), append(note, make([]byte, -len(note)&3)...)...)
		place += placeSize
	}
	return symbols, names, notes
}

// begin is the beginning of a file whose section headers are at that offset.
func begin(sections uint64, n int) []byte {
	head := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: headerSize,
		Phoff: headerSize, Phentsize: 56, Phnum: 1, Shoff: sections, Shentsize: headerSize, Shnum: uint16(n), Shstrndx: uint16(n - 1),
	}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: pageSize, Vaddr: pageSize, Filesz: pageSize, Memsz: pageSize}
	start, _ := binary.Append(nil, binary.LittleEndian, head)
	start, _ = binary.Append(start, binary.LittleEndian, segment)
	return start
}
