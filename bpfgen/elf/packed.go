package elf

import (
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
)

// A packed is a section of debug information, which may be compressed.
type packed struct {
	size, stored uint64      // in memory, and in the file
	plain        io.ReaderAt // of what is not compressed
	open         func() (io.Reader, error)
}

// debugSection returns a section of debug information, nil if there is none. Before ELF had
// a way to say that a section is compressed, it had another name: .zdebug_.
func debugSection(e *elf.File, name string) *packed {
	s := e.Section(".debug_" + name)
	if s == nil {
		return oldPacked(e.Section(".zdebug_" + name))
	}
	if s.Type == elf.SHT_NOBITS {
		return nil
	}
	return sectionOf(s)
}

// sectionOf is a section as ELF has it.
func sectionOf(s *elf.Section) *packed {
	p := &packed{size: s.Size, stored: s.FileSize, open: func() (io.Reader, error) { return s.Open(), nil }}
	if s.Flags&elf.SHF_COMPRESSED == 0 {
		p.plain = s
	}
	return p
}

// oldPacked reads the header of a section that is called .zdebug_: ZLIB and its size.
func oldPacked(s *elf.Section) *packed {
	const header = 12
	var head [header]byte
	if s == nil || s.Type == elf.SHT_NOBITS || s.FileSize < header {
		return nil
	}
	if _, err := s.ReadAt(head[:], 0); err != nil || string(head[:4]) != "ZLIB" {
		return nil
	}
	stored := s.FileSize - header
	return &packed{size: binary.BigEndian.Uint64(head[4:]), stored: stored, open: func() (io.Reader, error) {
		return zlib.NewReader(io.NewSectionReader(s, header, int64(stored)))
	}}
}

// densest is how many times larger zlib makes what it uncompresses, at most.
const densest = 1040

// isPossible says whether a section may have the size that it says.
func (p *packed) isPossible() bool { return p.size <= maxTypes && p.size <= p.stored*densest }

// whole reads the section, uncompressed, into as much memory as it needs, and some bytes
// more, which are for the caller.
func (p *packed) whole(more uint64) ([]byte, error) {
	if !p.isPossible() {
		return nil, errors.New("its size is wrong")
	}
	r, err := p.open()
	if err != nil {
		return nil, err
	}
	first := make([]byte, min(p.size, 1<<16))
	if _, err := io.ReadFull(r, first); err != nil || uint64(len(first)) == p.size && more == 0 {
		return first, err // what is not there at all takes no memory
	}
	all := make([]byte, p.size, p.size+more)
	_, err = io.ReadFull(r, all[copy(all, first):])
	return all, err
}
