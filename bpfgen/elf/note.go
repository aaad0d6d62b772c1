package elf

import "debug/elf"

const (
	maxNotes = 16 << 20 // of one section or segment; libjvm has 60 KB of USDT
	// types of notes
	noteBuildID = 3
	noteGoBuild = 4
)

// note is one record of a SHT_NOTE section or a PT_NOTE segment.
type note struct {
	name string
	kind uint32
	desc []byte
}

// eachNote calls do with the notes of a part of the file until it returns
// false.
func (f *File) eachNote(e extent, do func(note) bool) error {
	if e.size > maxNotes {
		e.size = maxNotes
	}
	p, err := f.view.bytes(e.offset, e.size)
	if err != nil {
		return err
	}
	return notesIn(p, do)
}

// notesIn calls do with notes. Those of segments may be aligned to 8 bytes, all
// that are looked for here are aligned to 4.
func notesIn(p []byte, do func(note) bool) error {
	for len(p) >= 12 {
		name, desc := uint64(little.Uint32(p)), uint64(little.Uint32(p[4:]))
		kind := little.Uint32(p[8:])
		p = p[12:]
		nameEnd, descEnd := align4(name), align4(name)+desc
		if nameEnd > uint64(len(p)) || descEnd > uint64(len(p)) {
			return errOutside
		}
		if !do(note{cut(p[:name]), kind, p[nameEnd:descEnd]}) {
			return nil
		}
		p = p[min(align4(descEnd), uint64(len(p))):]
	}
	return nil
}

func align4(n uint64) uint64 { return (n + 3) &^ 3 }

// cut returns the string before the first zero byte.
func cut(p []byte) string {
	for i, c := range p {
		if c == 0 {
			return string(p[:i])
		}
	}
	return string(p)
}

// noteNamed returns the first note of this name and type.
func (f *File) noteNamed(name string, kind uint32) []byte {
	var found []byte
	look := func(n note) bool {
		if n.name == name && n.kind == kind {
			found = n.desc
		}
		return found == nil
	}
	for _, e := range f.noteParts() {
		if _ = f.eachNote(e, look); found != nil { // what is damaged has no note
			return found
		}
	}
	return nil
}

// noteParts are the parts of the file with notes: sections, or segments where
// there are no sections. In debug files, segments are of the program that they
// were made from.
func (f *File) noteParts() []extent {
	if len(f.sections) == 0 {
		return f.notes
	}
	var parts []extent
	for _, s := range f.sections {
		if s.kind == elf.SHT_NOTE {
			parts = append(parts, extent{s.offset, s.size})
		}
	}
	return parts
}

// BuildID identifies what was built: two files with the same one are the same
// program. Linkers add it on demand, and distributions demand it.
func (f *File) BuildID() []byte { return f.noteNamed("GNU", noteBuildID) }

// IsGo says whether the program is written in Go, where arguments are passed in
// other registers than in C, and where changing return addresses kills the
// program.
func (f *File) IsGo() bool {
	return f.section(".go.buildinfo") != nil || f.section(".gopclntab") != nil || f.noteNamed("Go", noteGoBuild) != nil
}
