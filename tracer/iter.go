package tracer

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen"
)

// A shape is all that an iterator program must know of a map. Maps of one
// shape share a program, whatever script they belong to.
type shape struct {
	keySize int
	words   int // 8-byte words of one value
	cpus    int // values per key: the possible CPUs, or 1
	reduce  bpfgen.Reduce
}

func shapeOf(m *bpfgen.Map, cpus int) shape {
	s := shape{keySize: m.KeySize, words: m.Size / 8, cpus: 1}
	if m.Storage == bpfgen.PerCPUHash {
		s.cpus, s.reduce = cpus, m.Reduce
	}
	return s
}

// Offsets of struct bpf_iter__bpf_map_elem and of struct bpf_iter_meta, which
// are the kernel's interface to iterator programs.
const (
	iterMeta  = 0
	iterKey   = 16
	iterValue = 24
	metaSeq   = 0
)

// program returns the program that writes one element: its key, then its
// value. The values of several CPUs lie side by side in a copy that the
// kernel made for this program; they are reduced in place, into the first.
// The verifier wants constant offsets into that copy, which it finds by
// following the loop round by round.
func (s shape) program() *ebpf.ProgramSpec {
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R8, asm.R6, iterKey, asm.DWord),
		asm.JEq.Imm(asm.R8, 0, "out"), // the call after the last element
		asm.LoadMem(asm.R9, asm.R6, iterValue, asm.DWord),
		asm.JEq.Imm(asm.R9, 0, "out"),
		asm.LoadMem(asm.R7, asm.R6, iterMeta, asm.DWord),
		asm.LoadMem(asm.R7, asm.R7, metaSeq, asm.DWord),
	}
	if s.cpus > 1 {
		ins = append(ins, s.reduceValues()...)
	}
	ins = append(ins, seqWrite(asm.R8, s.keySize)...)
	ins = append(ins, seqWrite(asm.R9, 8*s.words)...)
	ins = append(ins, asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return())
	return &ebpf.ProgramSpec{
		Name:         "ply_read",
		Type:         ebpf.Tracing,
		AttachType:   ebpf.AttachTraceIter,
		AttachTo:     "bpf_map_elem",
		Instructions: ins,
		License:      "GPL",
	}
}

// reduceValues emits two loops: R1 goes over the words of the first CPU's
// value, R3 over the same word of all CPUs.
func (s shape) reduceValues() asm.Instructions {
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R9),
		asm.Mov.Imm(asm.R2, int32(s.words)),
		asm.Mov.Reg(asm.R3, asm.R1).WithSymbol("word"),
		asm.Mov.Imm(asm.R4, int32(s.cpus)),
		asm.Mov.Imm(asm.R0, 0),
		asm.LoadMem(asm.R5, asm.R3, 0, asm.DWord).WithSymbol("cpu"),
	}
	ins = append(ins, reductions[s.reduce]...)
	return append(ins,
		asm.Add.Imm(asm.R3, int32(8*s.words)).WithSymbol("next"),
		asm.Sub.Imm(asm.R4, 1),
		asm.JNE.Imm(asm.R4, 0, "cpu"),
		asm.StoreMem(asm.R1, 0, asm.R0, asm.DWord),
		asm.Add.Imm(asm.R1, 8),
		asm.Sub.Imm(asm.R2, 1),
		asm.JNE.Imm(asm.R2, 0, "word"),
	)
}

// reductions join R5 to the result in R0. A new one needs a row here and one
// in bpfgen.Reduce.Join.
var reductions = map[bpfgen.Reduce]asm.Instructions{
	bpfgen.ReduceSum: {asm.Add.Reg(asm.R0, asm.R5)},
	bpfgen.ReduceMax: {asm.JGE.Reg(asm.R0, asm.R5, "next"), asm.Mov.Reg(asm.R0, asm.R5)},
}

// seqWrite emits bpf_seq_write(seq, reg, size), with seq in R7. When the
// kernel's buffer is full the call fails and the kernel comes again with the
// same element and an empty buffer, so the result needs no look.
func seqWrite(reg asm.Register, size int) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Mov.Reg(asm.R2, reg),
		asm.Mov.Imm(asm.R3, int32(size)),
		asm.FnSeqWrite.Call(),
	}
}

// iterators holds the iterator programs of this process. They stay loaded:
// there are few shapes, and a reload of the configuration needs them again.
type iterators struct {
	mu       sync.Mutex
	programs map[shape]*ebpf.Program
	err      error // why this kernel takes none
}

var shared = iterators{programs: map[shape]*ebpf.Program{}}

// load makes programs for shapes that have none yet, all in one collection,
// so that the kernel's types are read at most once.
func (it *iterators) load(shapes map[shape]bool, cache *btf.Cache) {
	it.mu.Lock()
	defer it.mu.Unlock()
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{}}
	names := map[string]shape{}
	for s := range shapes {
		if it.programs[s] == nil {
			name := fmt.Sprint("read", len(names))
			names[name], spec.Programs[name] = s, s.program()
		}
	}
	if len(names) == 0 || it.err != nil {
		return
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: cache})
	if err != nil {
		it.err = err
		return
	}
	for name, s := range names {
		it.programs[s] = coll.Programs[name]
	}
}

var errNoIterator = errors.New("no iterator program")

// program returns the program for maps of shape s.
func (it *iterators) program(s shape) (*ebpf.Program, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if p := it.programs[s]; p != nil {
		return p, nil
	}
	return nil, errors.Join(errNoIterator, it.err)
}
