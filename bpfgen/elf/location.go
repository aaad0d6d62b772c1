package elf

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// Location is where a parameter is at a function's first instruction.
type Location struct {
	// Pieces are its parts, in order: a string of Go has two. Without pieces and
	// without Err, it has no bytes.
	Pieces []Piece
	// Err says why the value cannot be had.
	Err error

	unset bool // it is in memory that is not written yet
}

// Piece is a part of a value: a register, memory at a register and an offset,
// such an address itself, or a constant.
type Piece struct {
	Kind     OperandKind
	Register string
	Value    int64
	Size     int // in bytes, 0 for all of the value

	late bool // in a frame that is not there yet
}

// DWARF numbers registers in its own ways.
var (
	dwarfAMD64 = []string{"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}
	stackPointers = map[Machine]string{AMD64: "rsp", ARM64: "sp", RISCV64: "sp"}
	framePointers = map[Machine]string{AMD64: "rbp", ARM64: "x29", RISCV64: "s0"}
	argRegisters  = map[Machine][]string{
		AMD64:   {"rdi", "rsi", "rdx", "rcx", "r8", "r9"},
		ARM64:   {"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"},
		RISCV64: {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"},
	}
)

// callerFrame is how far above the stack pointer the frame of the caller begins
// when a function begins (the canonical frame address): on amd64, the return
// address lies in between.
func callerFrame(m Machine) int64 {
	if m == AMD64 {
		return 8
	}
	return 0
}

// dwarfRegister returns the name of a register.
func dwarfRegister(m Machine, n uint64) (string, error) {
	switch {
	case m == AMD64 && n < 16:
		return dwarfAMD64[n], nil
	case m == ARM64 && n < 31:
		return fmt.Sprintf("x%d", n), nil
	case m == ARM64 && n == 31:
		return "sp", nil
	case m == RISCV64 && n > 0 && n < 32:
		return riscvNames[n], nil
	case m == AMD64 && n >= 17 && n < 49, m == ARM64 && n >= 64 && n < 96, m == RISCV64 && n >= 32 && n < 64:
		return "", errVector
	}
	return "", fmt.Errorf("is in register %d, which the kernel does not show", n)
}

var (
	errNowhere = errors.New("is nowhere when the function begins")
	errDamaged = errors.New("has a location that is damaged")
)

// location finds where a parameter is when the function begins.
func (p *parameters) location(e node) Location {
	switch v := e.Val(dwarf.AttrLocation).(type) {
	case []byte:
		return p.evaluate(v)
	case int64:
		return p.listed(e, v)
	case uint64: // a number of a list
		return p.listed(e, int64(min(v, 1<<40)))
	}
	if n, ok := e.with(dwarf.AttrConstValue).Val(dwarf.AttrConstValue).(int64); ok {
		return Location{Pieces: []Piece{{Kind: Constant, Value: n}}}
	}
	return Location{Err: errors.New("was optimized away")}
}

// listed is the location that a list has for the function's beginning.
func (p *parameters) listed(e node, list int64) Location {
	code, err := p.data.locationAt(p.unit, e.AttrField(dwarf.AttrLocation).Class, list, p.entry)
	if err != nil {
		return Location{Err: err}
	}
	return p.evaluate(code)
}

// The operations of location expressions that hold at a first instruction.
const (
	opAddr         = 0x03
	opConst1u      = 0x08
	opConst8s      = 0x0f
	opConstu       = 0x10
	opConsts       = 0x11
	opPlus         = 0x22
	opPlusUconst   = 0x23
	opLit0         = 0x30
	opReg0         = 0x50
	opBreg0        = 0x70
	opRegx         = 0x90
	opFbreg        = 0x91
	opBregx        = 0x92
	opPiece        = 0x93
	opNop          = 0x96
	opCallFrameCFA = 0x9c
	opStackValue   = 0x9f
	opEntryValue   = 0xa3
	opGNUEntry     = 0xf3
)

// expression is being evaluated.
type expression struct {
	*parameters
	code  []byte
	stack []Piece // an address, or a constant
	done  []Piece
	reg   *Piece // a value that is in a register, or computed
}

// evaluate evaluates an expression, as far as it describes places: there is no
// process to read from.
func (p *parameters) evaluate(code []byte) Location {
	x := expression{parameters: p, code: code}
	for len(x.code) > 0 {
		op := x.code[0]
		x.code = x.code[1:]
		if err := x.do(op); err != nil {
			return Location{Err: err}
		}
	}
	if x.reg != nil || len(x.stack) > 0 {
		if len(x.done) > 0 {
			return Location{Err: errDamaged}
		}
		if err := x.piece(0); err != nil {
			return Location{Err: err}
		}
	}
	if len(x.done) == 0 {
		return Location{Err: errNowhere}
	}
	return Location{Pieces: x.done}
}

func (x *expression) do(op byte) error {
	switch {
	case op >= opReg0 && op < opReg0+32:
		return x.register(uint64(op - opReg0))
	case op >= opBreg0 && op < opBreg0+32:
		return x.based(uint64(op - opBreg0))
	case op >= opLit0 && op < opLit0+32:
		return x.push(Piece{Kind: Constant, Value: int64(op - opLit0)})
	case op >= opConst1u && op <= opConst8s:
		return x.constant(op)
	}
	switch op {
	case opNop:
		return nil
	case opConstu, opConsts:
		v := x.number(op == opConsts)
		return x.push(Piece{Kind: Constant, Value: v})
	case opRegx:
		return x.register(uint64(x.number(false)))
	case opBregx:
		return x.based(uint64(x.number(false)))
	case opFbreg:
		return x.inFrame(x.number(true))
	case opCallFrameCFA:
		return x.push(Piece{Kind: Memory, Register: stackPointers[x.machine], Value: callerFrame(x.machine)})
	case opPlusUconst:
		return x.add(x.number(false))
	case opPlus:
		return x.plus()
	case opPiece:
		return x.piece(int(min(x.number(false), 1<<20)))
	case opStackValue:
		return x.stackValue()
	case opEntryValue, opGNUEntry:
		return x.entryValue()
	}
	return fmt.Errorf("is computed by an expression (%#x) that is not supported", op)
}

// number reads a number of variable length (LEB128).
func (x *expression) number(signed bool) int64 {
	var v uint64
	for shift := uint(0); len(x.code) > 0; shift += 7 {
		b := x.code[0]
		x.code = x.code[1:]
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			if signed && b&0x40 != 0 && shift+7 < 64 {
				v |= ^uint64(0) << (shift + 7)
			}
			break
		}
	}
	return int64(v)
}

// constant reads one of 1, 2, 4 or 8 bytes, without or with a sign.
func (x *expression) constant(op byte) error {
	n := 1 << ((op - opConst1u) / 2)
	if len(x.code) < n {
		return errDamaged
	}
	var v uint64
	for i := range n {
		v |= uint64(x.code[i]) << (8 * i)
	}
	x.code = x.code[n:]
	if (op-opConst1u)%2 == 1 {
		v = uint64(int64(v<<(64-8*n)) >> (64 - 8*n))
	}
	return x.push(Piece{Kind: Constant, Value: int64(v)})
}

func (x *expression) push(p Piece) error {
	if len(x.stack) == 16 {
		return errDamaged
	}
	x.stack = append(x.stack, p)
	return nil
}

func (x *expression) register(n uint64) error {
	name, err := dwarfRegister(x.machine, n)
	x.reg = &Piece{Kind: Register, Register: name}
	return err
}

// based is a register plus a number.
func (x *expression) based(n uint64) error {
	v := x.number(true)
	name, err := dwarfRegister(x.machine, n)
	if err != nil {
		return err
	}
	return x.push(Piece{Kind: Memory, Register: name, Value: v})
}

// inFrame is at a distance from the frame of the function.
func (x *expression) inFrame(v int64) error {
	f := x.frame
	switch {
	case f.Err != nil:
		return f.Err
	case len(f.Pieces) != 1 || f.Pieces[0].Kind != Memory && f.Pieces[0].Kind != Register:
		return errors.New("is in a frame whose place is not known")
	}
	p := f.Pieces[0]
	return x.push(Piece{Kind: Memory, Register: p.Register, Value: p.Value + v, late: x.late})
}

func (x *expression) add(v int64) error {
	if len(x.stack) == 0 {
		return errDamaged
	}
	x.stack[len(x.stack)-1].Value += v
	return nil
}

// plus adds the two topmost values, of which one must be a constant.
func (x *expression) plus() error {
	n := len(x.stack)
	if n < 2 {
		return errDamaged
	}
	a, b := x.stack[n-2], x.stack[n-1]
	if a.Kind == Constant {
		a, b = b, a
	}
	if b.Kind != Constant {
		return errors.New("is at the sum of two registers, which is not supported")
	}
	a.Value += b.Value
	x.stack = append(x.stack[:n-2], a)
	return nil
}

// piece ends a part of the value of so many bytes; 0 for all of it.
func (x *expression) piece(size int) error {
	if len(x.done) == 64 {
		return errDamaged
	}
	var p Piece
	switch {
	case x.reg != nil:
		p = *x.reg
	case len(x.stack) > 0:
		if p = x.stack[len(x.stack)-1]; p.Kind == Constant {
			return errors.New("is at a fixed address, which is not supported")
		}
	default:
		return errors.New("was optimized away in part")
	}
	p.Size = size
	x.done, x.reg, x.stack = append(x.done, p), nil, x.stack[:0]
	return nil
}

// stackValue says that what was computed is not where the value is, but the
// value.
func (x *expression) stackValue() error {
	if len(x.stack) == 0 {
		return errDamaged
	}
	p := x.stack[len(x.stack)-1]
	switch {
	case p.Kind == Memory && p.Value == 0:
		p.Kind = Register
	case p.Kind == Memory:
		p.Kind = Address
	}
	x.reg = &p
	return nil
}

// entryValue is what an expression was when the function began, and this is when
// it begins.
func (x *expression) entryValue() error {
	n := x.number(false)
	if n < 0 || n > int64(len(x.code)) {
		return errDamaged
	}
	l := x.evaluate(x.code[:n])
	x.code = x.code[n:]
	if l.Err != nil {
		return l.Err
	}
	if len(l.Pieces) != 1 || l.Pieces[0].Kind != Register {
		return errDamaged
	}
	return x.push(Piece{Kind: Memory, Register: l.Pieces[0].Register}) // DW_OP_stack_value follows
}
