package elf

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"slices"
)

// Param is a parameter of a function, as the debug information (DWARF) has it.
type Param struct {
	Name string
	// Type is nil if it is not known.
	Type *Declared
	// Location is where the value is when the function begins.
	Location Location
}

// ErrNoTypes says that neither a file nor its debug file has the types of its
// functions.
var ErrNoTypes = errors.New("no debug information")

// Parameters returns the parameters of a function, by one of its names. Of
// several functions of the name, it takes the first that debug information has.
func (f *File) Parameters(function string) ([]Param, error) {
	all, err := f.Lookup(function)
	if err != nil {
		return nil, err
	}
	for _, fn := range all {
		var params []Param
		if params, err = f.ParametersAt(fn.Address); err == nil {
			return params, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", function, err)
}

// ParametersAt returns the parameters of the function that begins at an address.
// The debug information is read when it is first asked for.
func (f *File) ParametersAt(address uint64) (params []Param, err error) {
	err = f.describe(address, func(p *parameters, entry node, r *dwarf.Reader) error {
		params, err = p.read(entry, r)
		return err
	})
	return params, err
}

// ResultAt returns the type of what the function returns that begins at an address. It
// is nil if the function returns nothing; one of Kind DeclaredOther is not known.
func (f *File) ResultAt(address uint64) (result *Declared, err error) {
	err = f.describe(address, func(p *parameters, entry node, _ *dwarf.Reader) error {
		result = p.result(entry)
		return nil
	})
	return result, err
}

// result is what the function returns that has an entry, as ResultAt has it.
func (p *parameters) result(entry node) (result *Declared) {
	e := entry.with(dwarf.AttrType) // one that is a copy of another still is one of what cannot be read
	result = e.ref(dwarf.AttrType).declared()
	if result == nil && (e.has(dwarf.AttrType) || e.has(dwarf.AttrAbstractOrigin) || e.has(dwarf.AttrSpecification)) {
		result = &Declared{Size: -1}
	}
	return result
}

// describe calls do with the entry of the function that begins at an address.
func (f *File) describe(address uint64, do func(*parameters, node, *dwarf.Reader) error) (err error) {
	defer func() {
		// debug/dwarf is not made for damaged files.
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: its debug information is damaged: %v", f.name, r)
		}
	}()
	d, err := f.types()
	if err != nil {
		return err
	}
	u, entry, r, err := d.function(address)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	p := &parameters{data: entry.in, unit: u, machine: f.machine, entry: address, isGo: f.IsGo()}
	p.frame, p.late = p.frameBase(entry)
	return do(p, entry, r)
}

// parameters reads those of one function.
type parameters struct {
	data    *types
	unit    unit
	machine Machine
	entry   uint64   // address of the function
	frame   Location // what DW_OP_fbreg is relative to
	late    bool     // that is where the first instructions lead
	isGo    bool
}

// frameBase is where the frame of a function is when it begins. LLVM's compilers, as that
// of Rust, say which register has its address, but only the first instructions put it there.
func (p *parameters) frameBase(entry node) (base Location, late bool) {
	code, ok := entry.Val(dwarf.AttrFrameBase).([]byte)
	if !ok {
		return Location{Err: errors.New("is in a frame whose place is not known")}, false
	}
	return p.evaluate(code), len(code) != 1 || code[0] != opCallFrameCFA
}

// read reads the parameters below a function's entry, up to its end.
func (p *parameters) read(entry node, r *dwarf.Reader) ([]Param, error) {
	var all []Param
	if !entry.Children {
		return nil, nil
	}
	for depth := 1; depth > 0; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}
		result, _ := e.Val(dwarf.AttrVarParam).(bool) // Go's results
		if depth == 1 && e.Tag == dwarf.TagFormalParameter && !result {
			all = append(all, p.parameter(node{e, p.data}))
		}
		switch {
		case e.Tag == 0:
			depth--
		case e.Children:
			depth++
		}
	}
	if !p.isGo {
		p.conventional(all, p.result(entry))
	}
	return all, nil
}

// parameter reads one. What is said of a function once for all of its copies
// stands in another entry.
func (p *parameters) parameter(e node) Param {
	var param Param
	param.Name = e.with(dwarf.AttrName).text(dwarf.AttrName)
	param.Type = e.with(dwarf.AttrType).ref(dwarf.AttrType).declared()
	param.Location = p.location(e)
	if set, always := p.isSet(e, param.Location); !set {
		param.Location = Location{unset: always, Err: errors.New("is stored to memory only after the first instructions")}
	}
	return param
}

// with is the entry itself, or the one that it is a copy of, that has an attribute; the last
// of them if none has.
func (n node) with(attr dwarf.Attr) node {
	for range 8 { // copies of copies; a damaged file may have circles
		if n.has(attr) {
			break
		}
		next, ok := n.ref(dwarf.AttrAbstractOrigin).node()
		if !ok {
			next, ok = n.ref(dwarf.AttrSpecification).node()
		}
		if !ok {
			break
		}
		n = next
	}
	return n
}

// isSet says whether a location is one of the function's beginning. It is not where it is
// in the function's own frame always, that is for all of the function, as in programs that
// are not optimized: the first instructions put the parameter there.
func (p *parameters) isSet(e node, l Location) (set, always bool) {
	_, always = e.Val(dwarf.AttrLocation).([]byte)
	own := func(piece Piece) bool {
		return piece.late || always && piece.Kind == Memory && (piece.Register == framePointers[p.machine] ||
			piece.Register == stackPointers[p.machine] && piece.Value < callerFrame(p.machine))
	}
	return !slices.ContainsFunc(l.Pieces, own), always
}

// conventional finds the parameters of a function in C that is not optimized where its
// caller puts them: integers and pointers in registers, in order. Behind a struct, which
// may take any number of them, nothing is known, nor behind one that is elsewhere: then the
// function was changed. The address for a large result comes before all of them.
func (p *parameters) conventional(all []Param, result *Declared) {
	registers := argRegisters[p.machine]
	taken, known := p.takenByResult(result)
	if !known {
		return
	}
	registers = registers[taken:]
	for i := range all {
		l := &all[i].Location
		size, class := classify(all[i].Type)
		if class == classFloat {
			if l.unset {
				*l = Location{Err: errVector}
			}
			continue
		}
		if class == classOther || len(registers) == 0 {
			return
		}
		if l.unset {
			*l = Location{Pieces: []Piece{{Kind: Register, Register: registers[0], Size: size}}}
		} else if len(l.Pieces) != 1 || l.Pieces[0].Kind != Register || l.Pieces[0].Register != registers[0] {
			return
		}
		registers = registers[1:]
	}
}

// takenByResult is how many registers of arguments have the address of where the result is
// to be: one for a struct that does not fit into two registers. For a smaller one it
// depends on its members, and in C++ on its functions.
func (p *parameters) takenByResult(result *Declared) (n int, known bool) {
	if p.machine == ARM64 || result == nil { // ARM64 has another register for it
		return 0, true
	}
	if result.Kind == DeclaredStruct && result.Size > 16 {
		return 1, true
	}
	_, class := classify(result)
	return 0, class != classOther || result.Kind == DeclaredFloat || result.Kind == DeclaredInteger
}

type class uint8

const (
	classOther class = iota
	classInteger
	classFloat
)

// classify says how C passes a type, and how large it is.
func classify(t *Declared) (int, class) {
	if t == nil {
		return 0, classOther
	}
	switch t.Kind {
	case DeclaredInteger, DeclaredBool, DeclaredEnum, DeclaredPointer:
		if t.Size >= 1 && t.Size <= 8 {
			return int(t.Size), classInteger
		}
	case DeclaredFloat:
		if t.Size == 4 || t.Size == 8 {
			return int(t.Size), classFloat
		}
	}
	return 0, classOther
}
