package elf

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// Param is a parameter of a function, as the debug information (DWARF) has it.
type Param struct {
	Name string
	// Type is nil if it is not known.
	Type dwarf.Type
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
	defer func() {
		// debug/dwarf is not made for damaged files.
		if r := recover(); r != nil {
			params, err = nil, fmt.Errorf("%s: its debug information is damaged: %v", f.name, r)
		}
	}()
	d, err := f.types()
	if err != nil {
		return nil, err
	}
	u, entry, r, err := d.function(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	p := parameters{data: d, unit: u, machine: f.machine, entry: address, isGo: f.IsGo()}
	p.frame = p.frameBase(entry)
	return p.read(entry, r)
}

// function finds the function that begins at an address: its unit, its entry,
// and a reader at what the entry contains.
func (d *types) function(address uint64) (unit, *dwarf.Entry, *dwarf.Reader, error) {
	r := d.Reader()
	cu, err := r.SeekPC(address)
	if errors.Is(err, dwarf.ErrUnknownPC) {
		return unit{}, nil, nil, fmt.Errorf("%w of the function at %#x", ErrNoTypes, address)
	}
	if err != nil {
		return unit{}, nil, nil, err
	}
	// Every entry is looked at: entries say where the one after their children is,
	// but a damaged file leads back to where one was.
	for {
		e, err := r.Next()
		if err != nil {
			return unit{}, nil, nil, err
		}
		if e == nil || e.Tag == dwarf.TagCompileUnit {
			return unit{}, nil, nil, fmt.Errorf("%w of the function at %#x", ErrNoTypes, address)
		}
		if low, ok := e.Val(dwarf.AttrLowpc).(uint64); ok && low == address && e.Tag == dwarf.TagSubprogram {
			return newUnit(cu), e, r, nil
		}
	}
}

// parameters reads those of one function.
type parameters struct {
	data    *types
	unit    unit
	machine Machine
	entry   uint64   // address of the function
	frame   Location // what DW_OP_fbreg is relative to
	isGo    bool
}

// frameBase is where the frame of a function is when it begins.
func (p *parameters) frameBase(entry *dwarf.Entry) Location {
	code, ok := entry.Val(dwarf.AttrFrameBase).([]byte)
	if !ok {
		return Location{Err: errors.New("is in a frame whose place is not known")}
	}
	return p.evaluate(code)
}

// read reads the parameters below a function's entry, up to its end.
func (p *parameters) read(entry *dwarf.Entry, r *dwarf.Reader) ([]Param, error) {
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
			all = append(all, p.parameter(e))
		}
		switch {
		case e.Tag == 0:
			depth--
		case e.Children:
			depth++
		}
	}
	if !p.isGo {
		p.conventional(all)
	}
	return all, nil
}

// parameter reads one. What is said of a function once for all of its copies
// stands in another entry.
func (p *parameters) parameter(e *dwarf.Entry) Param {
	var param Param
	param.Name, _ = p.value(e, dwarf.AttrName).(string)
	if at, ok := p.value(e, dwarf.AttrType).(dwarf.Offset); ok {
		if t, err := p.data.Type(at); err == nil {
			param.Type = t
		}
	}
	param.Location = p.location(e)
	if p.isUnset(e, param.Location) {
		param.Location = Location{unset: true, Err: errors.New("is stored to memory only after the first instructions")}
	}
	return param
}

// value returns an attribute of an entry, or of the one that it is a copy of.
func (p *parameters) value(e *dwarf.Entry, attr dwarf.Attr) any {
	for range 8 { // copies of copies; a damaged file may have circles
		if v := e.Val(attr); v != nil {
			return v
		}
		at, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			at, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if !ok {
			return nil
		}
		r := p.data.Reader()
		r.Seek(at)
		next, err := r.Next()
		if err != nil || next == nil {
			return nil
		}
		e = next
	}
	return nil
}

// isUnset says whether a location is in the function's own frame for all of the
// function, as in programs that are not optimized: the first instructions put
// the parameter there.
func (p *parameters) isUnset(e *dwarf.Entry, l Location) bool {
	_, always := e.Val(dwarf.AttrLocation).([]byte)
	if !always || len(l.Pieces) != 1 || l.Pieces[0].Kind != Memory {
		return false
	}
	piece := l.Pieces[0]
	return piece.Register == framePointers[p.machine] || piece.Register == stackPointers[p.machine] && piece.Value < callerFrame(p.machine)
}

// conventional finds the parameters of a function in C that is not optimized
// where its caller puts them: integers and pointers in registers, in order.
// Behind a struct, which may take any number of them, nothing is known.
func (p *parameters) conventional(all []Param) {
	registers := argRegisters[p.machine]
	for i := range all {
		size, class := classify(all[i].Type)
		if class == classOther || class == classInteger && len(registers) == 0 {
			return
		}
		if class == classFloat {
			if all[i].Location.unset {
				all[i].Location = Location{Err: errVector}
			}
			continue
		}
		if all[i].Location.unset {
			all[i].Location = Location{Pieces: []Piece{{Kind: Register, Register: registers[0], Size: size}}}
		}
		registers = registers[1:]
	}
}

type class uint8

const (
	classOther class = iota
	classInteger
	classFloat
)

// classify says how C passes a type, and how large it is.
func classify(t dwarf.Type) (int, class) {
	for range 32 {
		switch u := t.(type) {
		case *dwarf.TypedefType:
			t = u.Type
		case *dwarf.QualType:
			t = u.Type
		case *dwarf.IntType, *dwarf.UintType, *dwarf.CharType, *dwarf.UcharType, *dwarf.BoolType, *dwarf.EnumType, *dwarf.PtrType, *dwarf.AddrType:
			if n := int(u.Size()); n >= 1 && n <= 8 {
				return n, classInteger
			}
			return 8, map[bool]class{true: classInteger}[u.Size() == -1] // a pointer without a size
		case *dwarf.FloatType:
			if n := u.Size(); n == 4 || n == 8 {
				return int(n), classFloat
			}
			return 0, classOther
		default:
			return 0, classOther
		}
	}
	return 0, classOther
}
