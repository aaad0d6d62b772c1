package tracer

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// An emptier deletes what is in a hash. As with reading, there are three ways,
// the first two of which disturb nobody: an iterator whose program deletes each
// element, a program that goes through the map by itself, and bpf(2). The programs
// find the hash by its place in the array of hashes, which is in object.ClearMap.
type emptier interface {
	// empty deletes the elements at a place, as they were read; some may be left.
	empty(place int, elements []byte) error
	close()
}

// emptyRounds is how often a generation is emptied before it is given up: an
// iterator passes over elements of the bucket at which a read(2) ends.
const emptyRounds = 64

// empty empties a generation in which no program stores any more.
func (c *clearing) empty(place int) error {
	r := c.generations[place]
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Storage == object.Cell {
		for i := range r.cell {
			r.cell.store(i, 0)
		}
		return nil
	}
	r.forgetAll()
	r.emptyOther()
	c.words.store(c.ClearDrainWord(), uint64(place))
	for range emptyRounds {
		old, err := r.elements.read(r.again[:0]) // data may still be looked at
		if err != nil || len(old) == 0 {
			return err
		}
		r.again = old
		if err := c.emptier.empty(place, old); err != nil {
			return err
		}
	}
	return errors.New("its old contents cannot be deleted")
}

// openEmptier finds the best way this kernel has. It fails for want of files only.
func (c *clearing) openEmptier(outer, clears *ebpf.Map, types *btf.Cache) error {
	if err := roomForFiles(1 + object.Generations); err != nil {
		return err
	}
	iterator, errIter := c.openIterEmptier(outer, clears, types)
	if errIter == nil {
		c.emptier = iterator
		return nil
	}
	walker, errWalk := c.openWalkEmptier(outer, clears)
	if errWalk == nil {
		c.emptier = walker
		return nil
	}
	c.emptier = deletions{c}
	if err := errors.Join(errIter, errWalk); lacksFiles(err) {
		return err
	}
	return nil
}

// An iterEmptier is an iterator whose program deletes.
type iterEmptier struct {
	program *ebpf.Program
	links   [object.Generations]*link.Iter
}

func (c *clearing) openIterEmptier(outer, clears *ebpf.Map, types *btf.Cache) (emptier, error) {
	code, err := c.iterEmptyCode(outer, clears)
	if err != nil {
		return nil, err
	}
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"empty": {
		Name: "ply_empty", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "bpf_map_elem", Instructions: code, License: "GPL",
	}}}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return nil, err
	}
	e := &iterEmptier{program: coll.Programs["empty"]}
	for place, r := range c.generations {
		if e.links[place], err = link.AttachIter(link.IterOptions{Program: e.program, Map: r.kernel}); err != nil {
			e.close()
			return nil, err
		}
	}
	return e, nil
}

// iterEmptyCode copies the key of an element, because a helper takes none from
// the iterator, and deletes it from the hash that is being emptied.
func (c *clearing) iterEmptyCode(outer, clears *ebpf.Map) (asm.Instructions, error) {
	const stack = 512
	key := int16((c.KeySize + 7) &^ 7)
	if int(key)+8 > stack {
		return nil, fmt.Errorf("the key of %s is too large for the stack", c.Name)
	}
	ins := asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, iterKey, asm.DWord),
		asm.JEq.Imm(asm.R6, 0, "out"), // the call after the last element
	}
	for at := int16(0); int(at) < c.KeySize; {
		size := widest(c.KeySize - int(at))
		ins = append(ins, asm.LoadMem(asm.R1, asm.R6, at, size), asm.StoreMem(asm.R10, at-key, asm.R1, size))
		at += int16(size.Sizeof())
	}
	ins = append(ins, c.findDrained(outer, clears, -key-8)...)
	return append(ins,
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, int32(-key)),
		asm.FnMapDeleteElem.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return()), nil
}

// widest is the largest piece of at most n bytes that one instruction loads.
func widest(n int) asm.Size {
	switch {
	case n >= 8:
		return asm.DWord
	case n >= 4:
		return asm.Word
	case n >= 2:
		return asm.Half
	}
	return asm.Byte
}

// findDrained leaves the hash that is being emptied in R1, or goes to "out". It
// takes 8 bytes of the stack at an offset.
func (c *clearing) findDrained(outer, clears *ebpf.Map, at int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(asm.R1, clears.FD(), uint32(8*c.ClearDrainWord())),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord),
		asm.StoreMem(asm.R10, at, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, outer.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, int32(at)),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R1, asm.R0),
	}
}

func (e *iterEmptier) empty(place int, _ []byte) error {
	file, err := e.links[place].Open()
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(io.Discard, file)
	return err
}

func (e *iterEmptier) close() {
	for _, l := range e.links {
		if l != nil {
			l.Close()
		}
	}
	freeProgram(e.program)
}

// A walkEmptier is a program that goes through the map and deletes.
type walkEmptier struct{ program *ebpf.Program }

func (c *clearing) openWalkEmptier(outer, clears *ebpf.Map) (emptier, error) {
	ins := c.findDrained(outer, clears, -8)
	ins[0] = btf.WithFuncMetadata(ins[0], listFunc).WithSymbol("list")
	element := asm.Instruction{OpCode: asm.LoadImmOp(asm.DWord), Dst: asm.R2, Src: asm.PseudoFunc, Constant: -1}
	ins = append(ins,
		element.WithReference("element"),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnForEachMapElem.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
		btf.WithFuncMetadata(asm.FnMapDeleteElem.Call(), elementFunc).WithSymbol("element"),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return())
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "ply_empty", Type: ebpf.Syscall, Flags: unix.BPF_F_SLEEPABLE, Instructions: ins, License: "GPL",
	})
	if err != nil {
		return nil, err
	}
	return walkEmptier{p}, nil
}

func (e walkEmptier) empty(int, []byte) error {
	_, err := e.program.Run(&ebpf.RunOptions{})
	return err
}

func (e walkEmptier) close() { freeProgram(e.program) }

// deletions delete by bpf(2), key by key, because a batch would keep its CPU from
// running perf-attached programs for longer.
type deletions struct{ c *clearing }

func (d deletions) empty(place int, elements []byte) error {
	r := d.c.generations[place]
	for row := range r.rows(elements) {
		err := r.kernel.Delete(row.Key)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	return nil
}

func (d deletions) close() {}
