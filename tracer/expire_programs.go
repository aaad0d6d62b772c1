package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
)

// What expiry changes in the kernel is done by programs that we run: bpf(2) would make
// the kernel skip programs that are attached through perf on its CPU, and replaces
// values instead of adding to them.

// A runner is a program that we run, and memory that it takes elements from.
type runner struct {
	program *ebpf.Program
	kernel  *ebpf.Map
	box     words
}

// openBox makes the memory of a runner.
func (r *runner) openBox(size int) (err error) {
	if err := roomForFiles(2); err != nil {
		return err
	}
	r.kernel, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "ply_expired", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(size), MaxEntries: 1, Flags: object.Mmapable,
	})
	if err == nil {
		r.box, err = mapWords(r.kernel)
	}
	return err
}

func (r *runner) load(code asm.Instructions) (err error) {
	r.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "ply_expire", Type: ebpf.RawTracepoint, Instructions: code, License: "GPL"})
	return err
}

// put puts words into the box, and returns the index behind them.
func (r *runner) put(at int, b []byte) int {
	for i := 0; i < len(b); i += 8 {
		r.box.store(at, binary.NativeEndian.Uint64(b[i:]))
		at++
	}
	return at
}

func (r *runner) run() error {
	_, err := r.program.Run(&ebpf.RunOptions{})
	return err
}

func (r *runner) close() {
	if r.program != nil {
		freeProgram(r.program)
	}
	r.box.close()
	if r.kernel != nil {
		r.kernel.Close()
	}
}

// deleteAtOnce is how many keys of a size one run deletes.
func deleteAtOnce(keySize int) int { return max(1, min(256, 16<<10/keySize)) }

// openRemover loads the program that deletes keys. Its box has their number, and then
// the keys.
func (x *expiring) openRemover() error {
	n := deleteAtOnce(x.KeySize)
	if err := x.remover.openBox(8 + n*x.KeySize); err != nil {
		return err
	}
	return x.remover.load(asm.Instructions{
		asm.LoadMapValue(asm.R6, x.remover.kernel.FD(), 0),
		asm.LoadMem(asm.R7, asm.R6, 0, asm.DWord),
		asm.Add.Imm(asm.R6, 8),
		asm.Mov.Imm(asm.R8, int32(n)),
		asm.JEq.Imm(asm.R7, 0, "out").WithSymbol("next"),
		asm.LoadMapPtr(asm.R1, x.main.kernel.FD()),
		asm.Mov.Reg(asm.R2, asm.R6),
		asm.FnMapDeleteElem.Call(),
		asm.Add.Imm(asm.R6, int32(x.KeySize)),
		asm.Sub.Imm(asm.R7, 1),
		asm.Sub.Imm(asm.R8, 1),
		asm.JNE.Imm(asm.R8, 0, "next"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	})
}

// delete deletes the keys of elements.
func (x *expiring) delete(elements []byte) error {
	r, most := &x.remover, deleteAtOnce(x.KeySize)
	for len(elements) > 0 {
		n, at := 0, 1
		for ; n < most && len(elements) > 0; n++ {
			at = r.put(at, elements[:x.KeySize])
			elements = elements[x.main.shape.size(elements):]
		}
		r.box.store(0, uint64(n))
		if err := r.run(); err != nil {
			return err
		}
	}
	return nil
}

// What is where in the box of the merger: the time, the key and the value.
const (
	boxTime = 0
	boxKey  = 8
)

// openMerger loads the program that adds an element of the late hash to the map, as
// other programs update it at the same time, and deletes it there. If the map has no
// room for it, it stays.
func (x *expiring) openMerger() error {
	if err := x.merger.openBox(boxKey + x.main.shape.stride()); err != nil {
		return err
	}
	err := x.merger.load(x.mergeCode(true))
	if err != nil && x.exchanges() {
		err = x.merger.load(x.mergeCode(false)) // before Linux 5.12
	}
	return err
}

// exchanges says that adding to a value takes an atomic instruction that fetches.
func (x *expiring) exchanges() bool { return x.Agg != nil && x.Reduce == object.ReduceMax }

// mergeCode is the program: R6 is the box, R7 the value in the map, R8 that in the box.
func (x *expiring) mergeCode(fetching bool) asm.Instructions {
	on := func(m *mapReader, call ...asm.Instruction) asm.Instructions {
		ins := asm.Instructions{asm.LoadMapPtr(asm.R1, m.kernel.FD()), asm.Mov.Reg(asm.R2, asm.R6), asm.Add.Imm(asm.R2, boxKey)}
		return append(ins, call...)
	}
	value := int32(boxKey + x.KeySize)
	ins := asm.Instructions{asm.LoadMapValue(asm.R6, x.merger.kernel.FD(), 0)}
	ins = append(ins, on(x.main, asm.FnMapLookupElem.Call(), asm.JNE.Imm(asm.R0, 0, "found"))...)
	ins = append(ins, on(x.main,
		asm.Mov.Reg(asm.R3, asm.R6),
		asm.Add.Imm(asm.R3, value),
		asm.Mov.Imm(asm.R4, int32(ebpf.UpdateNoExist)),
		asm.FnMapUpdateElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "there"))...)
	ins = append(ins, on(x.main,
		asm.FnMapLookupElem.Call(), // another CPU may have come between
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R7, asm.R0).WithSymbol("found"),
		asm.LoadMem(asm.R1, asm.R6, boxTime, asm.DWord),
		asm.StoreMem(asm.R7, int16(x.Size), asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R8, asm.R6),
		asm.Add.Imm(asm.R8, value))...)
	ins = append(ins, x.joinCode(fetching)...)
	last := on(x.main.late, asm.FnMapDeleteElem.Call())
	last[0] = last[0].WithSymbol("there")
	ins = append(ins, last...)
	return append(ins, asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return())
}

// joinCode joins the value at R8 to that at R7. The number of a table that is not only
// added to stays as it is: it is the newer one.
func (x *expiring) joinCode(fetching bool) asm.Instructions {
	switch {
	case !x.Expiry.Adds:
		return nil
	case x.exchanges():
		return joinExtreme(fetching)
	}
	return asm.Instructions{
		asm.Mov.Imm(asm.R3, int32(x.Size/8)),
		asm.LoadMem(asm.R2, asm.R8, 0, asm.DWord).WithSymbol("word"),
		asm.StoreXAdd(asm.R7, asm.R2, asm.DWord),
		asm.Add.Imm(asm.R7, 8),
		asm.Add.Imm(asm.R8, 8),
		asm.Sub.Imm(asm.R3, 1),
		asm.JNE.Imm(asm.R3, 0, "word"),
	}
}

// joinExtreme is what an update of an extreme does. It is never beaten eight times:
// each time somebody else has stored a larger number.
func joinExtreme(fetching bool) asm.Instructions {
	ins := asm.Instructions{
		asm.LoadMem(asm.R1, asm.R8, 0, asm.DWord),
		asm.LoadMem(asm.R0, asm.R7, 0, asm.DWord),
	}
	if !fetching {
		return append(ins, asm.JGE.Reg(asm.R0, asm.R1, "there"), asm.StoreMem(asm.R7, 0, asm.R1, asm.DWord))
	}
	for range 8 {
		ins = append(ins,
			asm.JGE.Reg(asm.R0, asm.R1, "there"),
			asm.Mov.Reg(asm.R2, asm.R0),
			asm.CmpXchg.Mem(asm.R7, asm.R1, asm.DWord, 0),
			asm.JEq.Reg(asm.R0, asm.R2, "there"))
	}
	return ins
}

// mergeRounds is how often the late hash is read: a reading can pass over elements.
const mergeRounds = 4

// merge adds the elements of the late hash, which no program updates any more, to the
// map. Those stay for which there is no room.
func (x *expiring) merge() error {
	late := x.main.late
	for range mergeRounds {
		if err := late.readElements(); err != nil {
			return err
		}
		if len(late.data) == 0 {
			x.main.beside = false
			return nil
		}
		for element := range late.shape.each(late.data) {
			x.merger.box.store(boxTime/8, x.now())
			x.merger.put(boxKey/8, late.stored(element))
			if err := x.merger.run(); err != nil {
				return err
			}
		}
	}
	return nil
}

// stored is an element as it is stored.
func (r *mapReader) stored(element []byte) []byte {
	all := r.AppendStored(bytes.Clone(element[:r.KeySize]), r.value(element))
	return append(all, element[r.KeySize+len(r.value(element)):]...)
}

// openPrograms loads the programs of the maps that expire.
func (t *Tracer) openPrograms() error {
	for _, x := range t.expirings {
		if err := errors.Join(x.openRemover(), x.openMerger()); err != nil {
			return Diagnose(err)
		}
	}
	return nil
}
