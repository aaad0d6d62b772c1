package probe

import (
	"ply-exporter/bpfgen/kernel"
)

// A convention is where a function of a program has its arguments.
type convention uint8

// The conventions. Go passes the words of arguments in registers of its own, and
// before them, in a function with type parameters, a word that tells the types. Its
// assembly has all of them on the stack.
const (
	cConvention convention = iota
	goConvention
	goGeneric
	goAssembly
)

// key tells conventions apart where the clause uses an argument.
func (c convention) key(s *Scope) string {
	for _, row := range argRows {
		if s.wants(row.Name) || s.uses.Asked[row.Name] {
			return string('0' + rune(c))
		}
	}
	return ""
}

// registers are those of the first arguments; rest says whether the others are on
// the stack.
func (c convention) registers(arch *kernel.Arch) (names []string, rest bool) {
	switch c {
	case goConvention:
		return arch.GoArgs, false
	case goGeneric:
		return arch.GoArgs[1:], false
	case goAssembly:
		return nil, true
	}
	return arch.Args, true
}

// vars are the arguments. All of them are addresses in the memory of the process, or
// whatever the function takes.
func (c convention) vars(k *kernel.Kernel) []*Var {
	registers, onStack := c.registers(k.Arch())
	var vars []*Var
	for i, row := range argRows {
		switch {
		case i < len(registers):
			vars = append(vars, newVar(row, userArg, func(c *Context) { loadRegister(c, registers[i]) }))
		case onStack:
			vars = append(vars, newVar(row, userArg, func(c *Context) { loadStackArg(c, i-len(registers), true) }))
		}
	}
	return vars
}
