package tracer

import (
	"fmt"
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
	program *ebpf.Program
	box     *outbox
}

// openLister loads the program for a map.
func openLister(s shape, m *ebpf.Map) (elements, error) {
	box, err := boxes.open(8 + s.stride()*int(m.MaxEntries()))
	if err != nil {
		return nil, fmt.Errorf("memory to list elements in: %w", err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "ply_list",
		Type:         ebpf.Syscall,
		Flags:        unix.BPF_F_SLEEPABLE,
		Instructions: s.listProgram(m, box.kernel),
		License:      "GPL",
	})
	if err != nil {
		return nil, fmt.Errorf("program that lists elements: %w", err)
	}
	return lister{s, p, box}, nil
}

func (l lister) read(data []byte) ([]byte, error) {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	l.box.memory.store(0, 0)
	if _, err := l.program.Run(&ebpf.RunOptions{}); err != nil {
		return data, fmt.Errorf("run the program that lists elements: %w", err)
	}
	n := int(l.box.memory.load(0)) * l.shape.stride() / 8
	return append(data, l.box.memory[1:1+n].bytes()...), nil
}

func (l lister) close() { freeProgram(l.program) }

// An outbox is memory that programs write elements into: first their number,
// then one after the other.
type outbox struct {
	mu     sync.Mutex // one program at a time
	kernel *ebpf.Map
	memory words
}

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
	room := (int(box.ValueSize()) - 8) / s.stride()
	ins := asm.Instructions{
		btf.WithFuncMetadata(asm.Mov.Reg(asm.R6, asm.R2), elementFunc).WithSymbol("element"),
		asm.Mov.Reg(asm.R7, asm.R3),
		asm.LoadMapValue(asm.R8, box.FD(), 0),
		asm.LoadMem(asm.R9, asm.R8, 0, asm.DWord),
		asm.JGE.Imm(asm.R9, int32(room), "full"),
		asm.Mul.Imm(asm.R9, int32(s.stride())),
		asm.Add.Reg(asm.R9, asm.R8),
		asm.Add.Imm(asm.R9, 8),
	}
	for at := int16(0); at < int16(s.keySize); at += 8 {
		ins = append(ins,
			asm.LoadMem(asm.R1, asm.R6, at, asm.DWord),
			asm.StoreMem(asm.R9, at, asm.R1, asm.DWord))
	}
	if s.cpus > 1 {
		ins = append(ins, s.joinCPUs(m)...)
	} else {
		ins = append(ins, s.eachWord(0, s.words, "copy", asm.LoadMem(asm.R0, asm.R3, 0, asm.DWord))...)
	}
	return append(ins,
		asm.LoadMem(asm.R1, asm.R8, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R8, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("done"),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("full"),
		asm.Return())
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
