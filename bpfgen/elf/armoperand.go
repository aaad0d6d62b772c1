package elf

import (
	"fmt"
	"strconv"
	"strings"
)

// Operands of arm64:
//
//	12  -1  #12                                      a constant
//	x0  w0  sp  xzr                                  a register, or half of it
//	[x0]  [sp, 12]  [x0, x1]  [x0, x1, lsl 3]        memory
//	[x0, w1, sxtw 2]

func (o *Operand) parseARM(place string) error {
	inside, ok := strings.CutPrefix(place, "[")
	if !ok {
		return o.valueARM(place)
	}
	inside, ok = strings.CutSuffix(inside, "]")
	if !ok {
		return errUnknown
	}
	parts := strings.Split(inside, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	base, size, err := armRegister(parts[0])
	if err != nil {
		return err
	}
	if size != 8 || base == "" {
		return errUnknown
	}
	o.Kind, o.Register = Memory, base
	return o.offsetARM(parts[1:])
}

// valueARM reads a constant or a register.
func (o *Operand) valueARM(text string) error {
	if err := o.constant(strings.TrimPrefix(text, "#")); err != errUnknown { //nolint:errorlint // it is returned as it is
		return err
	}
	name, size, err := armRegister(text)
	switch {
	case err != nil:
		return err
	case name == "": // the register that is always zero
		return o.constant("0")
	}
	o.register(name, size)
	return nil
}

// offsetARM reads what is added to the base of memory.
func (o *Operand) offsetARM(parts []string) error {
	switch len(parts) {
	case 0:
		return nil
	case 1:
		if v, err := number(strings.TrimPrefix(parts[0], "#")); err == nil {
			o.Value = v
			return nil
		}
		return o.indexARM(parts[0], "lsl 0")
	case 2:
		return o.indexARM(parts[0], parts[1])
	}
	return errUnknown
}

// indexARM reads a register that is added, and how it is extended and shifted.
func (o *Operand) indexARM(name, extend string) error {
	name, size, err := armRegister(name)
	if err != nil {
		return err
	}
	how, digits, _ := strings.Cut(extend, " ")
	shift := int64(0)
	if digits != "" {
		if shift, err = number(strings.TrimPrefix(digits, "#")); err != nil || shift < 0 || shift > 4 {
			return errUnknown
		}
	}
	want := map[string]int{"lsl": 8, "sxtx": 8, "uxtx": 8, "uxtw": 4, "sxtw": 4}[how]
	if name == "" || want != size {
		return errUnknown
	}
	o.Index, o.Scale, o.IndexSize, o.IndexSigned = name, 1<<shift, size, how == "sxtw"
	return nil
}

// armRegister returns the name of a register and how many bytes of it are
// meant; no name for the one that is always zero.
func armRegister(text string) (string, int, error) {
	switch text {
	case "sp":
		return "sp", 8, nil
	case "wsp":
		return "sp", 4, nil
	case "fp":
		return "x29", 8, nil
	case "lr":
		return "x30", 8, nil
	case "xzr":
		return "", 8, nil
	case "wzr":
		return "", 4, nil
	case "":
		return "", 0, errUnknown
	}
	n, err := strconv.ParseUint(text[1:], 10, 8)
	if err != nil || n > 31 {
		return "", 0, errUnknown
	}
	switch text[0] {
	case 'x', 'w':
		if n == 31 {
			return "", 0, errUnknown
		}
		return fmt.Sprintf("x%d", n), map[byte]int{'x': 8, 'w': 4}[text[0]], nil
	case 'b', 'h', 's', 'd', 'q', 'v', 'z':
		return "", 0, errVector
	}
	return "", 0, errUnknown
}
