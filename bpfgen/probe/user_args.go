package probe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// Declared parameters of programs' functions
//
// Their names, types and places are those of the debug information, which is read only
// where a clause asks for args or for retval. A place is that at the function's first
// instruction: a register, or memory at one.

// userParams are the parameters of a function; they implement plylang.Fields, with the
// number of a parameter as the offset of its member.
type userParams struct {
	function string
	others   []string // functions that declare the same, as far as the clause sees
	params   []userParam
	shared   error // which file is not there in which names and types may be; nil for none
	err      error // why nothing is known of them
}

// A userParam is a parameter, or why it cannot be had.
type userParam struct {
	elf.Param
	t       *plylang.Type
	operand elf.Operand // of a string of Go its address
	length  elf.Operand // of a string of Go
	refused string
}

// textSize is how much is read of a string that says how long it is.
const textSize = ctype.MaxDynamicText

// paramsOf are the parameters of a function, of which at is where it begins.
func (f *userFile) paramsOf(fn userFunction, at uint64) *userParams {
	p := &userParams{function: fn.name}
	if at == 0 {
		p.err = fmt.Errorf("args are those of a function when it begins: leave out the offset in %q", fn.name)
		return p
	}
	params, err := f.elf.ParametersAt(at)
	if err != nil {
		p.err = err
		return p
	}
	p.shared = f.elf.SharedTypes()
	for _, param := range params {
		u := newUserParam(param, fn.calls != cConvention)
		if p.shared != nil && param.Type == nil {
			u.refused = "has a type that is " + p.shared.Error()
		}
		p.params = append(p.params, u)
	}
	return p
}

func newUserParam(param elf.Param, isGo bool) userParam {
	p := userParam{Param: param, t: ctype.OfProgram(param.Type)}
	l := param.Location
	switch {
	case l.Err != nil:
		p.refused = l.Err.Error()
	case isGo && param.Type != nil && param.Type.Kind == elf.DeclaredStruct && param.Type.Name == "string" && p.isText():
		p.t = plylang.StringType(textSize)
	case p.t.Kind == plylang.Struct || p.t.Kind == plylang.Array || p.t.Kind == plylang.String:
		p.refused = "is " + param.Type.String() + " by value, and no pointer to it"
	case !p.t.Scalar():
		p.refused = "is " + ctype.NoValue(param.Type)
	case len(l.Pieces) != 1:
		p.refused = "is in several pieces"
	default:
		p.operand = operandOf(l.Pieces[0], p.t)
	}
	return p
}

// isText finds the two words of a string of Go, which must be said to be in registers: of
// one on the stack, Go may leave out a word that the function does not use, and then says
// of the other that it is the whole.
func (p *userParam) isText() bool {
	pieces := p.Location.Pieces
	if len(pieces) != 2 || pieces[0].Kind != elf.Register || pieces[1].Kind != elf.Register {
		return false
	}
	p.operand, p.length = operandOf(pieces[0], plylang.U64), operandOf(pieces[1], plylang.U64)
	return true
}

// operandOf is a piece of a location that holds a scalar.
func operandOf(piece elf.Piece, t *plylang.Type) elf.Operand {
	return elf.Operand{Kind: piece.Kind, Register: piece.Register, Value: piece.Value, Type: elf.Type{Size: t.Size, Signed: t.Signed}}
}

// Name names the function for messages.
func (p *userParams) Name() string { return "function " + p.function }

// Functions names all functions that these are the parameters of.
func (p *userParams) Functions() []string { return append([]string{p.function}, p.others...) }

func (p *userParams) find(name string) *userParam {
	for i := range p.params {
		if p.params[i].Name == name {
			return &p.params[i]
		}
	}
	return nil
}

// Member returns a parameter by name.
func (p *userParams) Member(name string) (plylang.Field, bool) {
	for i, param := range p.params {
		if param.Name == name && param.refused == "" {
			return plylang.Field{Name: name, Type: param.t, Offset: i}, true
		}
	}
	return plylang.Field{}, false
}

// Names lists the parameters in order.
func (p *userParams) Names() (names []string) {
	for _, param := range p.params {
		if param.refused == "" {
			names = append(names, param.Name)
		}
	}
	return names
}

// Refused says why a parameter cannot be had.
func (p *userParams) Refused(name string) string {
	if param := p.find(name); param != nil && param.refused != "" {
		return fmt.Sprintf("%s of function %s %s", name, p.function, param.refused)
	}
	if p.shared != nil && p.find(name) == nil && p.find("") != nil {
		return fmt.Sprintf("function %s has no %q but parameters whose names are %v", p.function, name, p.shared)
	}
	return ""
}

// key spells out what the clause sees of p.
func (p *userParams) key(s *Scope) string {
	if p == nil || !s.wantsArgs() {
		return ""
	}
	if p.err != nil {
		return p.err.Error()
	}
	var b strings.Builder
	for _, name := range sortedKeys(s.uses.Members) {
		if param := p.find(name); param != nil {
			fmt.Fprintf(&b, "%s %s %s %v;", name, param.refused, ctype.ProgramKey(param.Type), param.Location.Pieces)
		}
	}
	return b.String()
}

// wantsArgs says whether the clause asks for parameters by name.
func (s *Scope) wantsArgs() bool { return s.wants(argsRow.Name) || s.uses.Asked[argsRow.Name] }

// variable is args with these parameters; where there are none, asking for it is an error
// that says why.
func (p *userParams) variable() *Var {
	if p == nil {
		p = &userParams{}
	}
	v := newFields(argsRow, p, p.load, p.copyText)
	if p.err != nil {
		v.Infer = func([]plylang.Expr) (*plylang.Type, error) { return nil, p.err }
	}
	return v
}

// load leaves a parameter in R0.
func (p *userParams) load(c *Context, f plylang.Field) {
	loadOperand(c, p.params[f.Offset].operand, f.Type)
}

// copyText copies a string of Go: an address, and how many bytes there are.
func (p *userParams) copyText(c *Context, f plylang.Field, dst emit.Mem) {
	param := p.params[f.Offset]
	end, fits := c.Label(), c.Label()
	length := c.Slot(8)
	c.Zero(dst)
	loadOperand(c, param.length, plylang.U64)
	c.Store(length, asm.R0)
	loadOperand(c, param.operand, plylang.U64)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R0))
	c.Load(asm.R2, length)
	c.Jump(asm.JEq, asm.R2, 0, end)
	c.Jump(asm.JLE, asm.R2, textSize, fits)
	c.Emit(asm.Mov.Imm(asm.R2, textSize))
	c.Bind(fits)
	c.Address(asm.R1, dst)
	c.CallReader(asm.FnProbeReadUser)
	c.Load(asm.R2, length)
	c.Jump(asm.JLE, asm.R2, textSize, end)
	putCutMark(c, textSize, dst)
	c.Bind(end)
	c.Free(length)
}

// withPackage adds to an error what would have the types of a file.
func (f *userFile) withPackage(err error) error {
	if !errors.Is(err, elf.ErrNoTypes) {
		return err
	}
	if f.wanted == nil {
		wanted := f.elf.DebugPackage()
		f.wanted = &wanted
	}
	return missingf("%v%s", err, *f.wanted)
}

// A userResult is what a function returns, as far as it is known.
type userResult struct {
	t        *plylang.Type
	declared *elf.Declared
	refused  error
}

// resultOf is what a function returns that begins at an address. Where there is no debug
// information it is a word, which may be an address.
func (f *userFile) resultOf(at uint64, name string) userResult {
	declared, err := f.elf.ResultAt(at)
	if err != nil {
		return userResult{t: userWord}
	}
	switch t := ctype.OfProgram(declared); {
	case declared == nil:
		return userResult{refused: fmt.Errorf("function %s returns nothing", name)}
	case t.Scalar():
		return userResult{t: t, declared: declared}
	case declared.Kind == elf.DeclaredOther:
		return userResult{t: userWord}
	default:
		return userResult{refused: fmt.Errorf("function %s returns %s, which is not in the register of results", name, declared)}
	}
}

func (r userResult) key(s *Scope) string {
	switch {
	case !s.wants(retvalRow.Name):
		return ""
	case r.refused != nil:
		return r.refused.Error()
	}
	return ctype.Key(r.t)
}

// variable is retval; asking for one that cannot be had is an error.
func (r userResult) variable() *Var {
	t := r.t
	if t == nil {
		t = userWord
	}
	v := newVar(retvalRow, t, func(c *Context) {
		loadRegister(c, c.Kernel.Arch().Return)
		c.Extend(t)
	})
	if r.refused != nil {
		v.Infer = func([]plylang.Expr) (*plylang.Type, error) { return nil, r.refused }
	}
	return v
}

// userWord is a result of which nobody has declared the type. It may be an address.
var userWord = &plylang.Type{Kind: plylang.Int, Size: 8, Signed: true, User: true}
