package emit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
)

// text is what was emitted, an instruction a line, labels in front.
func text(e *Emitter) string {
	var lines []string
	for _, ins := range e.Instructions() {
		line := fmt.Sprint(ins.WithSymbol("").WithReference(""))
		if ins.Symbol() != "" {
			line = ins.Symbol() + ": " + line
		}
		if ins.Reference() != "" {
			line += " " + ins.Reference()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestJumps(t *testing.T) {
	set := func(e *Emitter, v int64) { e.Imm(asm.R0, v) }
	for _, row := range []struct {
		name  string
		write func(e *Emitter, a, b string)
		want  []int64 // constants of the instructions that are left
		jumps []string
	}{
		{"a label nobody jumps to", func(e *Emitter, a, b string) { set(e, 1); e.Bind(a); set(e, 2) }, []int64{1, 2}, nil},
		{"a jump to the next instruction", func(e *Emitter, a, b string) { set(e, 1); e.Goto(a); e.Bind(a); set(e, 2) }, []int64{1, 2}, nil},
		{"code that cannot be reached", func(e *Emitter, a, b string) {
			e.Jump(asm.JEq, asm.R0, 5, a)
			e.Goto(b)
			set(e, 1)
			e.Bind(a)
			set(e, 2)
			e.Bind(b)
			set(e, 3)
		}, []int64{5, 0, 2, 3}, []string{"L1", "L2"}},
		{"two labels at one instruction", func(e *Emitter, a, b string) {
			e.Jump(asm.JEq, asm.R0, 5, a)
			e.Jump(asm.JEq, asm.R0, 6, b)
			set(e, 1)
			e.Bind(a)
			e.Bind(b)
			set(e, 2)
		}, []int64{5, 6, 1, 2}, []string{"L1", "L1"}},
	} {
		e := New(Scratch{}, &Constants{})
		row.write(e, e.Label(), e.Label())
		var constants []int64
		var jumps []string
		labels := map[string]bool{}
		for _, ins := range e.Instructions() {
			constants = append(constants, ins.Constant)
			if ins.Reference() != "" {
				jumps = append(jumps, ins.Reference())
			}
			labels[ins.Symbol()] = true
		}
		for _, to := range jumps {
			if !labels[to] {
				t.Errorf("%s: no instruction has the label %s", row.name, to)
			}
		}
		if fmt.Sprint(constants, jumps) != fmt.Sprint(row.want, row.jumps) {
			t.Errorf("%s: %v %v, want %v %v\n%s", row.name, constants, jumps, row.want, row.jumps, text(e))
		}
	}
}

// A position is carried by the first instruction that comes from it.
func TestFrom(t *testing.T) {
	e := New(Scratch{}, &Constants{})
	for _, pos := range []asm.Comment{"a", "a", "b"} {
		e.From(pos)
		e.Imm(asm.R0, 0)
	}
	var got []string
	for _, ins := range e.Instructions() {
		got = append(got, fmt.Sprint(ins.Source()))
	}
	if want := "a <nil> b"; strings.Join(got, " ") != want {
		t.Errorf("positions %q, want %s", got, want)
	}
}

// The library encodes all atomic operations as additions.
func TestAtomic(t *testing.T) {
	for _, row := range []struct {
		op   asm.AtomicOp
		want int64 // include/uapi/linux/bpf.h
	}{
		{asm.AddAtomic, 0},
		{asm.FetchAdd, 0x01},
		{asm.Xchg, 0xe0 | 0x01},
		{asm.CmpXchg, 0xf0 | 0x01},
	} {
		e := New(Scratch{}, &Constants{})
		e.Atomic(row.op, asm.R1, 8, asm.R2)
		if ins := e.Instructions()[0]; ins.Constant != row.want || ins.Offset != 8 {
			t.Errorf("%v: operation %#x at offset %d, want %#x at 8", row.op, ins.Constant, ins.Offset, row.want)
		}
	}
}

func TestSlots(t *testing.T) {
	e := New(Scratch{}, &Constants{})
	a := e.Slot(5)
	if want := (Mem{Reg: asm.R10, Off: -8, Size: 8}); a != want {
		t.Errorf("the first slot is %v, want %v", a, want)
	}
	b := e.Slot(16)
	e.Free(a)
	if c := e.Slot(8); c != a {
		t.Errorf("a freed slot is %v, the next of its size %v", a, c)
	}
	e.Scoped(func() { e.Slot(StackSize - 24) })
	if e.Overflowed() {
		t.Error("the stack is full, and said to have overflowed")
	}
	if c := e.Slot(8); c.Off >= b.Off {
		t.Errorf("slot %v overlaps %v", c, b)
	}
	if e.Slot(StackSize); !e.Overflowed() {
		t.Error("more than the stack fits on it")
	}
}

// Where there is scratch memory, what is large goes there.
func TestScratch(t *testing.T) {
	e := New(Scratch{Values: "scratch"}, &Constants{})
	small, large := e.Slot(smallSlot), e.Slot(smallSlot+8)
	if small.Reg != asm.R10 || large.Reg != asm.R8 {
		t.Errorf("%d bytes are at %v and %d at %v", small.Size, small.Reg, large.Size, large.Reg)
	}
	if n := e.ScratchBytes(); n != large.Size {
		t.Errorf("%d bytes of scratch memory are needed, want %d", n, large.Size)
	}
	if e.Slot(ScratchSize); !e.Overflowed() {
		t.Error("more than the scratch memory fits into it")
	}
}

// A program that can interrupt itself takes one of several values, and gives it
// back at its end.
func TestScratchInUse(t *testing.T) {
	e := New(Scratch{Values: "scratch", InUse: "in_use"}, &Constants{})
	end, leave := e.Label(), e.Label()
	e.FindScratch(end, leave, nil)
	kept := e.memory.inUse
	if other := e.Slot(8); other == kept {
		t.Error("the address of the word in use is overwritten")
	}
	e.Bind(leave)
	e.LeaveScratch()
	e.Exit(end, 0)
	text := text(e)
	if !strings.Contains(text, "in_use") || strings.Index(text, "in_use") > strings.Index(text, "scratch") {
		t.Errorf("the number in use is not the key of the memory:\n%s", text)
	}
	if added, taken := strings.Count(text, "AddImm dst: r1 imm: 1"), strings.Count(text, "SubImm dst: r2 imm: 1"); added != 1 || taken != 1 {
		t.Errorf("%d added, %d taken away:\n%s", added, taken, text)
	}
}
