package elf

import (
	"fmt"
	"strings"
)

// Operands of amd64, as AT&T's assembler has them:
//
//	$12  $-1  $symbol                          a constant, an address
//	%rax  %eax  %ax  %al  %ah  %r8d            a register, or a part of it
//	(%rax)  -8(%rbp)  4(%rax,%rbx,8)           memory
//	12(,%rbx,4)
//	symbol(%rip)  symbol+4(%rip)               memory at a symbol
//	4+symbol(%rip)  symbol  symbol(,%rax,8)
//	symbol@GOTPCREL(%rip)                      the address of a symbol

// x86Register is a part of a register.
type x86Register struct {
	name        string
	size, shift int // in bytes, in bits
}

var x86Registers = func() map[string]x86Register {
	all := map[string]x86Register{"rip": {"rip", 8, 0}}
	for _, r := range []string{"ax", "bx", "cx", "dx"} {
		all[r[:1]+"l"] = x86Register{"r" + r, 1, 0}
		all[r[:1]+"h"] = x86Register{"r" + r, 1, 8}
	}
	for _, r := range []string{"ax", "bx", "cx", "dx", "si", "di", "bp", "sp"} {
		all["r"+r] = x86Register{"r" + r, 8, 0}
		all["e"+r] = x86Register{"r" + r, 4, 0}
		all[r] = x86Register{"r" + r, 2, 0}
		if r[1] != 'x' {
			all[r+"l"] = x86Register{"r" + r, 1, 0}
		}
	}
	for n := 8; n < 16; n++ {
		r := fmt.Sprintf("r%d", n)
		all[r] = x86Register{r, 8, 0}
		all[r+"d"] = x86Register{r, 4, 0}
		all[r+"w"] = x86Register{r, 2, 0}
		all[r+"b"] = x86Register{r, 1, 0}
	}
	return all
}()

func (o *Operand) parseX86(place string) error {
	if digits, ok := strings.CutPrefix(place, "$"); ok {
		if err := o.constant(digits); err != errUnknown { //nolint:errorlint // it is returned as it is
			return err
		}
		o.Kind = Address
		return o.symbolOf(digits)
	}
	name, isRegister := strings.CutPrefix(place, "%")
	switch {
	case isRegister && strings.Contains(name, ":"):
		return fmt.Errorf("is in memory of the segment %%%s, whose beginning the kernel does not show", name[:strings.Index(name, ":")])
	case isRegister:
		r, err := x86RegisterOf(name)
		if err == nil {
			o.register(r.name, r.size)
			o.Shift = r.shift
		}
		return err
	}
	o.Kind = Memory
	displacement, registers, ok := strings.Cut(place, "(")
	if place == "" {
		return errUnknown
	}
	if err := o.displacementX86(displacement); err != nil || !ok {
		return err
	}
	registers, ok = strings.CutSuffix(registers, ")")
	if !ok {
		return errUnknown
	}
	return o.memoryX86(strings.Split(registers, ","))
}

func x86RegisterOf(name string) (x86Register, error) {
	name = strings.TrimSpace(name)
	if r, ok := x86Registers[name]; ok {
		return r, nil
	}
	for _, vector := range []string{"xmm", "ymm", "zmm", "mm", "st", "k"} {
		if strings.HasPrefix(name, vector) {
			return x86Register{}, errVector
		}
	}
	return x86Register{}, fmt.Errorf("is in a register %%%s that is not known", name)
}

// displacementX86 reads what stands before the registers: nothing, a number, or
// a symbol.
func (o *Operand) displacementX86(text string) error {
	if text == "" {
		return nil
	}
	if v, err := number(text); err == nil {
		o.Value = v
		return nil
	}
	return o.symbolOf(text)
}

// symbolOf reads symbol, symbol+4, 4+symbol, symbol@GOTPCREL.
func (o *Operand) symbolOf(text string) error {
	text, o.got = strings.CutSuffix(text, "@GOTPCREL")
	if digits, symbol, ok := strings.Cut(text, "+"); ok {
		if v, err := number(digits); err == nil {
			text, o.Value = symbol, v
		}
	}
	if i := strings.LastIndexAny(text, "+-"); i > 0 {
		if v, err := number(strings.TrimPrefix(text[i:], "+")); err == nil {
			text, o.Value = text[:i], o.Value+v
		}
	}
	if strings.ContainsAny(text, " @()%$,") || text == "" || text[0] >= '0' && text[0] <= '9' {
		return errUnknown
	}
	o.symbol = text
	return nil
}

// memoryX86 reads base, index and scale.
func (o *Operand) memoryX86(parts []string) error {
	if len(parts) > 3 {
		return errUnknown
	}
	for i, part := range parts {
		part = strings.TrimSpace(part)
		switch {
		case i == 2:
			v, err := number(part)
			if err != nil || v != 1 && v != 2 && v != 4 && v != 8 {
				return errUnknown
			}
			o.Scale = int(v)
		case part == "" && i == 0 && len(parts) > 1:
		default:
			name, ok := strings.CutPrefix(part, "%")
			if !ok {
				return errUnknown
			}
			r, err := x86RegisterOf(name)
			if err != nil {
				return err
			}
			if r.size != 8 {
				return fmt.Errorf("is at an address in %%%s, which has %d bytes", name, r.size)
			}
			o.addRegister(i, r.name)
		}
	}
	if o.Register == "rip" && (o.symbol == "" || o.Index != "") {
		return errUnknown // relative to an instruction that is not known
	}
	return nil
}

// addRegister sets the base, or the index.
func (o *Operand) addRegister(i int, name string) {
	if i == 0 {
		o.Register = name
		return
	}
	o.Index, o.Scale, o.IndexSize = name, 1, 8
}
