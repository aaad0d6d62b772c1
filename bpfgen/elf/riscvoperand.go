package elf

import (
	"strconv"
	"strings"
)

// Operands of riscv64:
//
//	12  -1          a constant
//	a0  s1  x10     a register
//	-20(s0)  0(a0)  memory

// riscvNames are the registers by number. The first is always zero.
var riscvNames = strings.Fields("zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6")

func (o *Operand) parseRISCV(place string) error {
	displacement, base, ok := strings.Cut(place, "(")
	if !ok {
		return o.valueRISCV(place)
	}
	base, ok = strings.CutSuffix(base, ")")
	if !ok {
		return errUnknown
	}
	v := int64(0)
	var err error
	if displacement != "" {
		if v, err = number(displacement); err != nil {
			return errUnknown
		}
	}
	name, err := riscvRegister(base)
	if err != nil {
		return err
	}
	if name == "zero" {
		return errUnknown
	}
	o.Kind, o.Register, o.Value = Memory, name, v
	return nil
}

// valueRISCV reads a constant or a register.
func (o *Operand) valueRISCV(text string) error {
	if err := o.constant(text); err != errUnknown { //nolint:errorlint // it is returned as it is
		return err
	}
	name, err := riscvRegister(text)
	switch {
	case err != nil:
		return err
	case name == "zero":
		return o.constant("0")
	}
	o.register(name, 8)
	return nil
}

func riscvRegister(text string) (string, error) {
	for _, name := range riscvNames {
		if text == name {
			return name, nil
		}
	}
	if text == "fp" {
		return "s0", nil
	}
	if digits, ok := strings.CutPrefix(text, "x"); ok {
		if n, err := strconv.ParseUint(digits, 10, 8); err == nil && n < 32 {
			return riscvNames[n], nil
		}
	}
	if strings.HasPrefix(text, "f") {
		return "", errVector
	}
	return "", errUnknown
}
