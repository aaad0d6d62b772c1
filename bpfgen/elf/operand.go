package elf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Operand says where an argument of a probe is at its place. It is made from
// what a compiler wrote for its assembler: -4@112(%rsp), say, four bytes with a
// sign at 112 bytes above the stack pointer.
type Operand struct {
	Text string // as it stands in the note
	Type
	Kind OperandKind
	// Value is a constant, or what is added to the registers.
	Value int64
	// Register is the name that pt_regs has for a register ("rax", "x0", "a0"),
	// the instruction pointer's ("rip", "pc") for what lies at a fixed distance
	// from the probe, or "" if there is none.
	Register string
	// Shift is by how many bits to shift a register to the right: 8 for %ah.
	Shift int
	// Index is a register that is added to the address of memory, multiplied by
	// Scale. Of it, IndexSize bytes count, with or without a sign.
	Index       string
	Scale       int
	IndexSize   int
	IndexSigned bool
	// Err says why the argument cannot be had. The others can.
	Err error

	symbol string // whose address is added to Value
	got    bool   // the address is read from the global offset table
}

// OperandKind is where the value of an operand is.
type OperandKind uint8

// An operand is a constant, in a register, in memory at an address that
// registers and a constant give, or it is such an address.
const (
	Constant OperandKind = iota
	Register
	Memory
	Address
)

// Type is the type of an argument: Size bytes, an integer with or without a
// sign, or a floating-point number.
type Type struct {
	Size   int
	Signed bool
	Float  bool
}

// maxOperands bounds the arguments of a place; sys/sdt.h has macros up to 12.
const maxOperands = 64

// splitOperands divides the arguments of a place. They have blanks between
// them, and on arm64 also within brackets.
func splitOperands(text string) []string {
	var all []string
	depth, start := 0, -1
	for i, c := range text + " " {
		switch {
		case c == '[' || c == '(':
			depth++
		case c == ']' || c == ')':
			depth--
		}
		switch {
		case c != ' ' && start < 0:
			start = i
		case c == ' ' && start >= 0 && (depth <= 0 || i == len(text)):
			all, start = append(all, text[start:i]), -1
		}
	}
	return all[:min(len(all), maxOperands)]
}

// parseOperand reads [-]SIZE[f]@PLACE, SIZE in bytes, - with a sign, f for a
// floating-point number. Places look differently on each machine.
func parseOperand(machine Machine, text string) Operand {
	o := Operand{Text: text}
	size, place, ok := strings.Cut(text, "@")
	if !ok { // before SystemTap 1.0
		o.Err = errors.New("has no size")
		return o
	}
	size, o.Signed = strings.CutPrefix(size, "-")
	size, o.Float = strings.CutSuffix(size, "f")
	n, err := strconv.ParseUint(size, 10, 16)
	o.Size = int(n)
	switch {
	case err != nil:
		o.Err = fmt.Errorf("has %q instead of a size", size)
	case n != 1 && n != 2 && n != 4 && n != 8:
		o.Err = fmt.Errorf("has %d bytes: only 1, 2, 4 and 8 can be read", n)
	case o.Float && n < 4:
		o.Err = fmt.Errorf("is a floating-point number of %d bytes", n)
	default:
		o.Err = o.parsePlace(machine, strings.TrimSpace(place))
	}
	return o
}

func (o *Operand) parsePlace(machine Machine, place string) error {
	switch machine {
	case AMD64:
		return o.parseX86(place)
	case ARM64:
		return o.parseARM(place)
	case RISCV64:
		return o.parseRISCV(place)
	}
	return errUnknown
}

var (
	errUnknown = errors.New("has a form that is not known")
	errVector  = errors.New("is in a register for vectors and floating-point numbers, which the kernel does not show")
)

// constant makes a constant of the operand.
func (o *Operand) constant(digits string) error {
	v, err := number(digits)
	if err != nil {
		return err
	}
	if o.Float {
		return errors.New("is a constant for a floating-point number")
	}
	o.Kind, o.Value = Constant, v
	return nil
}

// register makes a register of the operand, of which it has so many bytes.
func (o *Operand) register(name string, size int) {
	o.Kind, o.Register = Register, name
	o.Size = min(o.Size, size)
}

// number reads a number, decimal or hexadecimal, of 64 bits with or without a
// sign.
func number(digits string) (int64, error) {
	if v, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return v, nil
	}
	v, err := strconv.ParseUint(digits, 0, 64)
	if err != nil {
		return 0, errUnknown
	}
	return int64(v), nil
}
