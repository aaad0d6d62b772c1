package elf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Probe is one that a program declares itself (USDT): sys/sdt.h puts a nop where
// it is, and a note that says where that nop and the probe's arguments are.
type Probe struct {
	Provider, Name string
	// Places are where the probe is in the program: one for each time that its
	// macro was compiled, by offset.
	Places []Place
}

// Place is one place of a probe.
type Place struct {
	// Offset is that of the nop in the file, Address its address.
	Offset, Address uint64
	// Semaphore is the offset of a number of 16 bits in the file; the program
	// looks at it and runs into the probe only where it is not zero. Its offset
	// is 0 if there is none.
	Semaphore uint64
	Args      []Operand
}

const noteProbe = 3

// maxProbes bounds the places of all probes; libjvm has 531.
const maxProbes = 1 << 15

// Probes returns the probes that the program declares, sorted by provider and
// name. An argument that cannot be had says so itself; the others can.
func (f *File) Probes() ([]Probe, error) {
	s := f.section(".note.stapsdt")
	if s == nil {
		return nil, nil
	}
	if s.size > maxNotes {
		return nil, fmt.Errorf("%s: its notes of probes have %d MiB", f.name, s.size>>20)
	}
	b := probes{file: f, all: map[[2]string]*Probe{}}
	if base := f.section(".stapsdt.base"); base != nil {
		b.base = base.address
	}
	var wrong error
	err := f.eachNote(extent{s.offset, s.size}, func(n note) bool {
		if n.name == "stapsdt" && n.kind == noteProbe {
			wrong = b.add(n.desc)
		}
		return wrong == nil
	})
	if err = cmp.Or(wrong, err); err != nil {
		return nil, fmt.Errorf("%s: a note in .note.stapsdt %w", f.name, err)
	}
	if err := b.resolve(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return b.sorted(), nil
}

// probes collects the probes of a file.
type probes struct {
	file   *File
	base   uint64 // the address of .stapsdt.base
	all    map[[2]string]*Probe
	places int
}

// add adds the place that a note describes: three addresses, then provider,
// name and arguments. The second address is that of a section when the note was
// made; programs that were moved since (prelink) have it elsewhere.
func (b *probes) add(desc []byte) error {
	if len(desc) < 24 {
		return errOutside
	}
	if b.places++; b.places > maxProbes {
		return fmt.Errorf("is one of more than %d", maxProbes)
	}
	texts := bytes.SplitN(desc[24:], []byte{0}, 4)
	if len(texts) < 3 {
		return errOutside
	}
	key := [2]string{string(texts[0]), string(texts[1])}
	place, err := b.place(little.Uint64(desc), little.Uint64(desc[8:]), little.Uint64(desc[16:]))
	if err != nil {
		return fmt.Errorf("of %s:%s %w", key[0], key[1], err)
	}
	for _, text := range splitOperands(string(texts[2])) {
		place.Args = append(place.Args, parseOperand(b.file.machine, text))
	}
	p := b.all[key]
	if p == nil {
		p = &Probe{Provider: key[0], Name: key[1]}
		b.all[key] = p
	}
	p.Places = append(p.Places, place)
	return nil
}

func (b *probes) place(pc, base, semaphore uint64) (Place, error) {
	moved := uint64(0)
	if b.base != 0 {
		moved = b.base - base
	}
	p := Place{Address: pc + moved}
	var ok bool
	if p.Offset, ok = b.file.offset(p.Address); !ok || !b.file.executable(p.Address) {
		return p, fmt.Errorf("is at address %#x, where the program has no instructions", p.Address)
	}
	if semaphore == 0 {
		return p, nil
	}
	if p.Semaphore, ok = b.file.offset(semaphore + moved); !ok {
		return p, fmt.Errorf("has a semaphore at address %#x, which is not in the file", semaphore+moved)
	}
	return p, nil
}

// sorted returns the probes. A place that is noted twice is one: the kernel
// would run a program there twice.
func (b *probes) sorted() []Probe {
	all := make([]Probe, 0, len(b.all))
	for _, p := range b.all {
		sort.SliceStable(p.Places, func(i, j int) bool { return p.Places[i].Offset < p.Places[j].Offset })
		p.Places = slices.CompactFunc(p.Places, func(x, y Place) bool { return x.Offset == y.Offset })
		all = append(all, *p)
	}
	sort.Slice(all, func(i, j int) bool {
		return cmp.Or(strings.Compare(all[i].Provider, all[j].Provider), strings.Compare(all[i].Name, all[j].Name)) < 0
	})
	return all
}
