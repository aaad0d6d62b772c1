package tracer

import (
	"fmt"
	"math"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// A lister reads a map through a program that goes through it, element by
// element, and writes them into memory that it shares with us. Running it by
// BPF_PROG_RUN is no map operation, so it disturbs nobody.
type lister struct {
	shape   shape
	kernel  *ebpf.Map
	program *ebpf.Program
	box     *outbox
}

// openLister loads the program for a map.
func openLister(s shape, m *ebpf.Map) (elements, error) {
	l := &lister{shape: s, kernel: m}
	size := l.most()
	if s.packed > 0 {
		size = 0 // most are much smaller than they can be; see grow
	}
	return l, l.load(size)
}

// most is how much memory all elements take at most.
func (l *lister) most() int {
	return 8 + l.shape.largest()*int(l.kernel.MaxEntries()) + l.shape.stride()
}

// load loads the program with a box of a size.
func (l *lister) load(size int) error {
	box, err := boxes.open(size)
	if err != nil {
		return fmt.Errorf("memory to list elements in: %w", err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "ply_list",
		Type:         ebpf.Syscall,
		Flags:        unix.BPF_F_SLEEPABLE,
		Instructions: l.shape.listProgram(l.kernel, box.kernel),
		License:      "GPL",
	})
	if err != nil {
		return fmt.Errorf("program that lists elements: %w", err)
	}
	l.close()
	l.program, l.box = p, box
	return nil
}

func (l *lister) read(data []byte) ([]byte, error) {
	for {
		all, full, err := l.run(data)
		if !full || err != nil {
			return all, err
		}
		if err := l.grow(); err != nil {
			return lookups{l.shape, l.kernel}.read(data)
		}
	}
}

// grow takes a larger box.
func (l *lister) grow() error {
	return l.load(min(4*len(l.box.memory.bytes()), l.most()))
}

// run runs the program. The box may be too small for what is in the map.
func (l *lister) run(data []byte) (all []byte, full bool, err error) {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	l.box.memory.store(0, 0)
	if _, err := l.program.Run(&ebpf.RunOptions{}); err != nil {
		return data, false, fmt.Errorf("run the program that lists elements: %w", err)
	}
	size := l.box.memory.load(0)
	if size == boxFull {
		return data, true, nil
	}
	return append(data, l.box.memory[1:1+size/8].bytes()...), false, nil
}

func (l *lister) close() {
	if l.program != nil {
		freeProgram(l.program)
	}
}

// An outbox is memory that programs write elements into: first how many bytes
// they have, or boxFull, then one after the other. Behind them is room to join one.
type outbox struct {
	mu     sync.Mutex // one program at a time
	kernel *ebpf.Map
	memory words
}

// boxFull says that there was no room for an element.
const boxFull = math.MaxUint64

// outboxes are those of this process, by size. They stay, as iterator programs
// do: a reload of the configuration needs them again.
type outboxes struct {
	mu     sync.Mutex
	bySize map[int]*outbox
}

var boxes = outboxes{bySize: map[int]*outbox{}}

// open returns the outbox for so many bytes. Its size is the next power of two,
// so that there are few.
func (o *outboxes) open(size int) (*outbox, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := 1 << 16
	for room < size {
		room *= 2
	}
	if box := o.bySize[room]; box != nil {
		return box, nil
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ply_list", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(room), MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE})
	if err != nil {
		return nil, err
	}
	memory, err := mapWords(m)
	if err != nil {
		m.Close()
		return nil, err
	}
	o.bySize[room] = &outbox{kernel: m, memory: memory}
	return o.bySize[room], nil
}

// The types of the two functions of a program that lists, without which the
// kernel takes no callback.
var (
	long        = &btf.Int{Name: "long", Size: 8, Encoding: btf.Signed}
	listFunc    = &btf.Func{Name: "list", Type: &btf.FuncProto{Return: long}, Linkage: btf.GlobalFunc}
	elementFunc = &btf.Func{Name: "element", Type: &btf.FuncProto{Return: long, Params: []btf.FuncParam{
		{Name: "map", Type: long}, {Name: "key", Type: long}, {Name: "value", Type: long}, {Name: "context", Type: long},
	}}, Linkage: btf.StaticFunc}
)

// listProgram returns the program that calls a function of its own for each
// element of a map.
func (s shape) listProgram(m, box *ebpf.Map) asm.Instructions {
	ins := asm.Instructions{
		btf.WithFuncMetadata(asm.LoadMapPtr(asm.R1, m.FD()), listFunc).WithSymbol("list"),
		{OpCode: asm.LoadImmOp(asm.DWord), Dst: asm.R2, Src: asm.PseudoFunc, Constant: -1},
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnForEachMapElem.Call(),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}
	ins[1] = ins[1].WithReference("element")
	return append(ins, s.listElement(m, box)...)
}

// listElement appends one element to the outbox: R8 is the outbox, R9 where the
// element goes, R7 a value.
func (s shape) listElement(m, box *ebpf.Map) asm.Instructions {
	ins := asm.Instructions{
		btf.WithFuncMetadata(asm.Mov.Reg(asm.R6, asm.R2), elementFunc).WithSymbol("element"),
		asm.Mov.Reg(asm.R7, asm.R3),
		asm.LoadMapValue(asm.R8, box.FD(), 0),
	}
	switch {
	case s.packed == 0:
		ins = append(ins, s.roomInBox(box, s.stride())...)
		ins = append(append(ins, s.listStored(m)...), takeRoom(s.stride())...)
	case s.cpus == 1:
		ins = append(ins, s.listPacked(box)...)
	default:
		ins = append(ins, asm.LoadMapValue(asm.R9, box.FD(), box.ValueSize()-uint32(s.stride())))
		ins = append(ins, s.listStored(m)...)
		ins = append(ins, asm.Mov.Reg(asm.R6, asm.R9), asm.Mov.Reg(asm.R7, asm.R9), asm.Add.Imm(asm.R7, int32(s.keySize)))
		ins = append(ins, s.listPacked(box)...)
	}
	return append(ins,
		asm.Mov.Imm(asm.R0, 0).WithSymbol("done"),
		asm.Return(),
		asm.Mov.Imm(asm.R1, -1).WithSymbol("full"), // boxFull
		asm.StoreMem(asm.R8, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 1),
		asm.Return())
}

// listStored writes an element to R9 as it is stored, joined over the CPUs.
func (s shape) listStored(m *ebpf.Map) (ins asm.Instructions) {
	for at := int16(0); at < int16(s.keySize); at += 8 {
		ins = append(ins,
			asm.LoadMem(asm.R1, asm.R6, at, asm.DWord),
			asm.StoreMem(asm.R9, at, asm.R1, asm.DWord))
	}
	if s.cpus > 1 {
		return append(ins, s.joinCPUs(m)...)
	}
	return append(ins, s.eachWord(0, s.words, "copy", asm.LoadMem(asm.R0, asm.R3, 0, asm.DWord))...)
}

// roomInBox leaves in R9 where the next bytes go, or goes to "full" if there is no room
// for so many.
func (s shape) roomInBox(box *ebpf.Map, size int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R9, asm.R8, 0, asm.DWord),
		asm.JGT.Imm(asm.R9, int32(box.ValueSize())-int32(8+size+s.stride()), "full"),
		asm.Add.Reg(asm.R9, asm.R8),
		asm.Add.Imm(asm.R9, 8),
	}
}

// takeRoom notes that so many bytes more are written.
func takeRoom(size int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R8, 0, asm.DWord),
		asm.Add.Imm(asm.R1, int32(size)),
		asm.StoreMem(asm.R8, 0, asm.R1, asm.DWord),
	}
}

// joinCPUs emits the reduction of all CPUs' values into the element, with R6 as
// the CPU. An element that is not there under the key that was copied went away
// meanwhile, and is left out.
func (s shape) joinCPUs(m *ebpf.Map) asm.Instructions {
	ins := append(s.eachWord(0, s.words, "clear", asm.Mov.Imm(asm.R0, 0)),
		asm.Mov.Imm(asm.R6, 0),
		asm.LoadMapPtr(asm.R1, m.FD()).WithSymbol("cpu"),
		asm.Mov.Reg(asm.R2, asm.R9),
		asm.Mov.Reg(asm.R3, asm.R6),
		asm.FnMapLookupPercpuElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "done"),
		asm.Mov.Reg(asm.R7, asm.R0))
	ins = append(ins, s.joinWords(0, s.joined(), s.reduce, "")...)
	if s.timed {
		ins = append(ins, s.joinWords(s.words-1, 1, object.ReduceMax, "_time")...)
	}
	return append(ins, asm.Add.Imm(asm.R6, 1), asm.JNE.Imm(asm.R6, int32(s.cpus), "cpu"))
}

// joinWords joins n words of a CPU's value to those of the element. The ending makes
// labels different.
func (s shape) joinWords(first, n int, reduce object.Reduce, ending string) asm.Instructions {
	next := "next" + ending
	body := append(asm.Instructions{
		asm.LoadMem(asm.R0, asm.R1, 0, asm.DWord),
		asm.LoadMem(asm.R5, asm.R3, 0, asm.DWord),
	}, reduce.Code(next)...)
	return s.eachWord(first, n, "join"+ending, append(body, asm.Mov.Reg(asm.R0, asm.R0).WithSymbol(next))...)
}

// eachWord emits a loop over n words of a value: R3 goes over those at R7, R1
// over those of the element, where what the body leaves in R0 is stored.
func (s shape) eachWord(first, n int, label string, body ...asm.Instruction) asm.Instructions {
	ins := asm.Instructions{
		asm.Mov.Reg(asm.R3, asm.R7),
		asm.Add.Imm(asm.R3, int32(8*first)),
		asm.Mov.Reg(asm.R1, asm.R9),
		asm.Add.Imm(asm.R1, int32(s.keySize+8*first)),
		asm.Mov.Imm(asm.R2, int32(n)),
		body[0].WithSymbol(label),
	}
	ins = append(ins, body[1:]...)
	return append(ins,
		asm.StoreMem(asm.R1, 0, asm.R0, asm.DWord),
		asm.Add.Imm(asm.R1, 8),
		asm.Add.Imm(asm.R3, 8),
		asm.Sub.Imm(asm.R2, 1),
		asm.JNE.Imm(asm.R2, 0, label))
}
