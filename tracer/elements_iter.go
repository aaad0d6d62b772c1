package tracer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// Offsets of struct bpf_iter__bpf_map_elem and of struct bpf_iter_meta, which
// are the kernel's interface to iterator programs.
const (
	iterMeta  = 0
	iterKey   = 16
	iterValue = 24
	metaSeq   = 0
)

// iterProgram returns the program that writes one element: its key, then its
// value. The values of several CPUs lie side by side in a copy that the
// kernel made for this program; they are reduced in place, into the first.
// The verifier wants constant offsets into that copy, which it finds by
// following the loop round by round.
func (s shape) iterProgram() *ebpf.ProgramSpec {
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
	if s.packed > 0 {
		ins = append(ins, s.writePacked()...)
	} else {
		ins = append(ins, seqWrite(asm.R8, s.keySize)...)
		ins = append(ins, seqWrite(asm.R9, 8*s.words)...)
	}
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
	ins := append(asm.Instructions{asm.Mov.Reg(asm.R1, asm.R9)}, s.reduceWords(s.joined(), s.reduce, "")...)
	if s.timed {
		ins = append(ins, s.reduceWords(1, object.ReduceMax, "_time")...)
	}
	return ins
}

// reduceWords reduces n words from R1 on, which is behind them afterwards. The ending
// makes labels different.
func (s shape) reduceWords(n int, reduce object.Reduce, ending string) asm.Instructions {
	next := "next" + ending
	ins := asm.Instructions{
		asm.Mov.Imm(asm.R2, int32(n)),
		asm.Mov.Reg(asm.R3, asm.R1).WithSymbol("word" + ending),
		asm.Mov.Imm(asm.R4, int32(s.cpus)),
		asm.Mov.Imm(asm.R0, 0),
		asm.LoadMem(asm.R5, asm.R3, 0, asm.DWord).WithSymbol("cpu" + ending),
	}
	ins = append(ins, reduce.Code(next)...)
	return append(ins,
		asm.Add.Imm(asm.R3, int32(8*s.words)).WithSymbol(next),
		asm.Sub.Imm(asm.R4, 1),
		asm.JNE.Imm(asm.R4, 0, "cpu"+ending),
		asm.StoreMem(asm.R1, 0, asm.R0, asm.DWord),
		asm.Add.Imm(asm.R1, 8),
		asm.Sub.Imm(asm.R2, 1),
		asm.JNE.Imm(asm.R2, 0, "word"+ending),
	)
}

// seqWrite emits bpf_seq_write(seq, reg + offset, size), with seq in R7. When the
// kernel's buffer is full the call fails, as do those that follow, and the kernel
// comes again with the same element and an empty buffer, so the result needs no look.
func seqWrite(reg asm.Register, size int, offset ...int) asm.Instructions {
	ins := asm.Instructions{asm.Mov.Reg(asm.R1, asm.R7), asm.Mov.Reg(asm.R2, reg)}
	for _, n := range offset {
		ins = append(ins, asm.Add.Imm(asm.R2, int32(n)))
	}
	return append(ins, asm.Mov.Imm(asm.R3, int32(size)), asm.FnSeqWrite.Call())
}

// An iterator reads a map through an iterator program.
type iterator struct {
	link  *link.Iter
	reads atomic.Uint32
}

// chunks are how much an iterator gives in one read(2) at most, by turns: the
// kernel's buffer has 8 pages. It can pass over a key of the bucket at which a
// read(2) ends. Another size ends at other buckets, so that reading once more
// finds the key.
var chunks = [2]int{32 << 10, 21 << 10}

func (it *iterator) read(data []byte) ([]byte, error) {
	chunk := chunks[it.reads.Add(1)%2]
	file, err := it.link.Open()
	if err != nil {
		return data, err
	}
	defer file.Close()
	for {
		data = slices.Grow(data, chunk)
		n, err := file.Read(data[len(data) : len(data)+chunk])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return data, err
		}
	}
}

func (it *iterator) close() { it.link.Close() }

// iterators holds the iterator programs of this process. They stay loaded:
// there are few shapes, and a reload of the configuration needs them again.
type iterators struct {
	mu       sync.Mutex
	programs map[shape]*ebpf.Program
	refused  map[shape]error
}

var shared = iterators{programs: map[shape]*ebpf.Program{}, refused: map[shape]error{}}

// load makes programs for shapes that have none yet: all in one collection, so
// that the kernel's types are read at most once, and each by itself where that
// fails, so that one does not take the others down. EPERM is not about one of them:
// such a kernel takes no iterators.
func (it *iterators) load(shapes map[shape]bool, cache *btf.Cache) (shortage error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	var missing []shape
	for s := range shapes {
		if it.programs[s] == nil && it.refused[s] == nil {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	errAll := it.loadAll(missing, cache)
	if errAll == nil {
		return nil
	}
	for _, s := range missing {
		err := errAll
		if !is(err, unix.EPERM) {
			err = it.loadAll([]shape{s}, cache)
		}
		switch {
		case err == nil:
		case lacksFiles(err):
			shortage = err
		default:
			it.refused[s] = err
		}
	}
	return shortage
}

func (it *iterators) loadAll(shapes []shape, cache *btf.Cache) error {
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{}}
	names := map[string]shape{}
	for i, s := range shapes {
		name := fmt.Sprint("read", i)
		names[name], spec.Programs[name] = s, s.iterProgram()
	}
	if err := roomForFiles(len(shapes)); err != nil {
		return err
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: cache})
	if err != nil {
		return err
	}
	for name, s := range names {
		it.programs[s] = coll.Programs[name]
	}
	return nil
}

// open attaches the program for maps of shape s to one of them.
func (it *iterators) open(s shape, m *ebpf.Map) (elements, error) {
	it.mu.Lock()
	p, err := it.programs[s], it.refused[s]
	it.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("iterator: %w", cmp.Or(err, ebpf.ErrNotSupported))
	}
	l, err := link.AttachIter(link.IterOptions{Program: p, Map: m})
	if err != nil {
		return nil, fmt.Errorf("iterator: %w", err)
	}
	return &iterator{link: l}, nil
}
