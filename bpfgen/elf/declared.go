package elf

import (
	"debug/dwarf"
	"fmt"
	"slices"
	"strings"
)

// A Declared is a type as debug information declares it, without the qualifiers and the
// names that stand for it. What it refers to is read when it is asked for, as long as a
// File has the debug information: to keep a type does not keep that.
type Declared struct {
	Kind   DeclaredKind
	Name   string // of a struct, an enumeration or a number; "" for none
	Size   int64  // in bytes, -1 if it is not known
	Signed bool   // of numbers

	text  string
	entry entry
	elem  place   // of a pointer or an array
	outer []int64 // of an array of arrays: how many there are, outermost first

	members []Member
	listed  bool
}

// An entry is what is kept of one.
type entry struct {
	place
	tag      dwarf.Tag
	children bool
	opaque   bool // it says only that there is such a type
}

// A DeclaredKind is the broad class of a declared type.
type DeclaredKind uint8

// The kinds of declared types.
const (
	DeclaredOther DeclaredKind = iota // what has no value, or is not known
	DeclaredInteger
	DeclaredBool
	DeclaredFloat
	DeclaredEnum
	DeclaredPointer
	DeclaredStruct // also a union or a class
	DeclaredArray
)

// A Member is one of a struct.
type Member struct {
	Name     string // "" for a nameless one, whose members count as the struct's
	Type     *Declared
	Offset   int64 // in bits
	Bits     int64 // of a bit field, else 0
	Embedded bool  // its members count as the struct's, as Go has it
}

// An Enumerator is a name of a value.
type Enumerator struct {
	Name  string
	Value int64
}

// deepest is how many names and qualifiers stand for a type at most.
const deepest = 32

// String is the type as C or Go declare it.
func (d *Declared) String() string { return d.text }

// declared is the type that is declared at a place, nil if it cannot be read.
func (p place) declared() *Declared { return p.declaredWithin(0) }

func (p place) declaredWithin(depth int) *Declared {
	t := p.in.Value()
	if t == nil || p.at == 0 {
		return nil
	}
	if d, ok := t.made[p.at]; ok {
		return d
	}
	n, ok := p.node()
	if !ok || depth == deepest {
		return nil
	}
	d := n.declared(depth + 1)
	t.made[p.at] = d
	return d
}

// isElsewhere says that an entry has a type that cannot be found.
func (n node) isElsewhere() bool { return n.has(dwarf.AttrType) && n.ref(dwarf.AttrType).at == 0 }

// structTags are the words of C for what has members.
var structTags = map[dwarf.Tag]string{dwarf.TagStructType: "struct ", dwarf.TagClassType: "class ", dwarf.TagUnionType: "union "}

// declared is the type that an entry declares, or the one that it says is declared in a unit
// of its own.
func (n node) declared(depth int) *Declared {
	if d := n.ref(dwarf.AttrSignature).declaredWithin(depth); d != nil {
		return d
	}
	t := n.in
	d := &Declared{Size: -1, elem: n.ref(dwarf.AttrType)}
	d.entry = entry{place: t.place(n.Offset), tag: n.Tag, children: n.Children}
	d.entry.opaque, _ = n.Val(dwarf.AttrDeclaration).(bool)
	if n.has(dwarf.AttrSignature) { // and that unit is not there
		d.entry.opaque = true
	}
	d.Name = n.text(dwarf.AttrName)
	if size, ok := n.Val(dwarf.AttrByteSize).(int64); ok && size >= 0 {
		d.Size = size
	}
	switch n.Tag {
	case dwarf.TagTypedef, dwarf.TagConstType, dwarf.TagVolatileType, dwarf.TagRestrictType, dwarf.TagAtomicType:
		if n.isElsewhere() {
			return nil
		}
		return d.standsFor(depth)
	case dwarf.TagBaseType:
		d.base(n.Entry)
	case dwarf.TagEnumerationType:
		d.enum(t, depth)
	case dwarf.TagPointerType, dwarf.TagReferenceType, dwarf.TagRvalueReferenceType:
		d.Kind, d.Size = DeclaredPointer, 8
		if d.text = t.pointerText(d.elem, depth); n.isElsewhere() {
			d.text = "? *"
		}
	case dwarf.TagStructType, dwarf.TagClassType, dwarf.TagUnionType:
		d.Kind, d.text = DeclaredStruct, t.tagged(d.Name, structTags[n.Tag])
	case dwarf.TagArrayType:
		d.array(t, depth)
	case dwarf.TagSubroutineType:
		d.text = "func"
	default:
		d.text = "(" + strings.TrimSuffix(n.Tag.String(), "Type") + ")"
	}
	return d
}

// enum makes d an enumeration. Any value of the type that it is kept in may be there.
func (d *Declared) enum(t *types, depth int) {
	d.Kind, d.text = DeclaredEnum, t.tagged(d.Name, "enum ")
	if of := d.elem.declaredWithin(depth); of != nil {
		d.Signed = of.Signed
		return
	}
	d.Signed = slices.ContainsFunc(d.Enumerators(), func(e Enumerator) bool { return e.Value < 0 })
}

// standsFor is the type that a name or a qualifier stands for, with its text.
func (d *Declared) standsFor(depth int) *Declared {
	of := &Declared{text: "void", Size: -1}
	if d.elem.at != 0 {
		to := d.elem.declaredWithin(depth)
		if to == nil {
			return nil
		}
		copied := *to
		of = &copied
	}
	switch d.entry.tag {
	case dwarf.TagTypedef:
		of.text = d.Name
		if of.Name == "" {
			of.Name = d.Name
		}
	case dwarf.TagConstType:
		if strings.HasSuffix(of.text, "*") {
			of.text += " const" // of the pointer itself
		} else {
			of.text = "const " + of.text
		}
	}
	return of
}

// tagged is the name of a type behind the word that declares it in C.
func (t *types) tagged(name, word string) string {
	switch {
	case t.isGo && name != "":
		return name
	case name == "":
		return word + "{…}"
	}
	return word + name
}

func (t *types) pointerText(to place, depth int) string {
	text := "void"
	if to.at != 0 {
		elem := to.declaredWithin(depth)
		if elem == nil {
			return "? *"
		}
		text = elem.text
	}
	switch {
	case t.isGo:
		return "*" + text
	case strings.HasSuffix(text, "*"):
		return text + "*"
	}
	return text + " *"
}

// Encodings of numbers, DW_ATE.
const (
	encodingBoolean      = 0x02
	encodingComplex      = 0x03
	encodingFloat        = 0x04
	encodingSigned       = 0x05
	encodingSignedChar   = 0x06
	encodingUnsigned     = 0x07
	encodingUnsignedChar = 0x08
	encodingImaginary    = 0x09
	encodingDecimal      = 0x0f
	encodingUTF          = 0x10
)

// bigEndian says of a number in which order its bytes are, as
// scalar_storage_order("big-endian") has it.
const bigEndian = 1

func (d *Declared) base(e *dwarf.Entry) {
	d.text = d.Name
	if order, ok := e.Val(dwarf.AttrEndianity).(int64); ok && order == bigEndian {
		d.text = "big-endian " + d.Name
		return
	}
	encoding, _ := e.Val(dwarf.AttrEncoding).(int64)
	switch encoding {
	case encodingBoolean:
		d.Kind = DeclaredBool
	case encodingSigned, encodingSignedChar:
		d.Kind, d.Signed = DeclaredInteger, true
	case encodingUnsigned, encodingUnsignedChar, encodingUTF:
		d.Kind = DeclaredInteger
	case encodingFloat, encodingComplex, encodingImaginary, encodingDecimal:
		d.Kind = DeclaredFloat
	}
}

// array reads how many elements there are. Of an array of arrays all numbers stand in one
// entry.
func (d *Declared) array(t *types, depth int) {
	d.Kind = DeclaredArray
	elem := d.elem.declaredWithin(depth)
	for _, e := range d.entry.below(dwarf.TagSubrangeType) {
		n, ok := e.Val(dwarf.AttrCount).(int64)
		if upper, is := e.Val(dwarf.AttrUpperBound).(int64); is && !ok {
			n = upper + 1
		}
		d.outer = append(d.outer, max(n, 0))
	}
	if len(d.outer) == 0 {
		d.outer = []int64{0}
	}
	text := "?"
	if elem != nil {
		text = elem.text
	}
	lengths := ""
	for _, n := range d.outer {
		lengths += fmt.Sprintf("[%d]", n)
	}
	d.text = text + lengths
	if t.isGo {
		d.text = lengths + text
	}
}

// Elem is what a pointer points to, or an element of an array; nil where nothing is known
// of it.
func (d *Declared) Elem() *Declared {
	switch {
	case d.Kind != DeclaredPointer && d.Kind != DeclaredArray, d.elem.in.Value() == nil:
		return nil
	case len(d.outer) > 1:
		inner := *d
		inner.outer = d.outer[1:]
		return &inner
	}
	return d.elem.declared()
}

// Len is how many elements an array has; 0 if that is not known.
func (d *Declared) Len() int64 {
	if len(d.outer) == 0 {
		return 0
	}
	return d.outer[0]
}

// Members are those of a struct, in order. One that is declared only has none.
func (d *Declared) Members() []Member {
	if d.listed || d.Kind != DeclaredStruct || d.entry.in.Value() == nil {
		return d.members
	}
	d.listed = true
	for _, e := range d.entry.below(dwarf.TagMember, dwarf.TagInheritance) {
		if m, ok := e.member(d.entry.tag == dwarf.TagUnionType); ok {
			d.members = append(d.members, m)
		}
	}
	return d.members
}

const attrGoEmbedded = 0x2903 // DW_AT_go_embedded_field

// member reads a member. A static one, and a base that C++ finds when it runs, have no
// place in the struct.
func (n node) member(union bool) (m Member, ok bool) {
	m.Type = n.ref(dwarf.AttrType).declared()
	m.Name = n.text(dwarf.AttrName)
	m.Bits, _ = n.Val(dwarf.AttrBitSize).(int64)
	m.Embedded, _ = n.Val(attrGoEmbedded).(bool)
	if n.Tag == dwarf.TagInheritance {
		m.Name = ""
	}
	at, placed := n.Val(dwarf.AttrDataMemberLoc).(int64)
	bit, bits := n.Val(dwarf.AttrDataBitOffset).(int64)
	m.Offset = 8 * at
	if bits {
		m.Offset = bit
	}
	if first, ok := n.Val(dwarf.AttrBitOffset).(int64); ok && m.Type != nil { // from the highest bit of its number
		size := m.Type.Size
		if of, ok := n.Val(dwarf.AttrByteSize).(int64); ok {
			size = of
		}
		m.Offset += 8*size - first - m.Bits
	}
	if n.has(dwarf.AttrName) && m.Name == "" { // it is not nameless, but its name is elsewhere
		return m, false
	}
	return m, m.Type != nil && (placed || bits || union) && m.Offset >= 0 && m.Bits >= 0 && m.Offset < 1<<33
}

// Elsewhere says why members may be missing: their names or types are in a file that is not
// there. It is nil if all are known.
func (d *Declared) Elsewhere() error {
	if t := d.entry.in.Value(); t != nil && t.link != nil && t.link.err != nil {
		return t.link
	}
	return nil
}

// IsOpaque says that a struct is declared without its members.
func (d *Declared) IsOpaque() bool { return d.Kind == DeclaredStruct && d.entry.opaque }

// Enumerators are the names of an enumeration, in order.
func (d *Declared) Enumerators() (all []Enumerator) {
	if d.Kind != DeclaredEnum {
		return nil
	}
	for _, e := range d.entry.below(dwarf.TagEnumerator) {
		name := e.text(dwarf.AttrName)
		if v, ok := e.Val(dwarf.AttrConstValue).(int64); ok && name != "" {
			all = append(all, Enumerator{name, v})
		}
	}
	return all
}

// below are the entries below one with one of some tags.
func (of entry) below(tags ...dwarf.Tag) (all []node) {
	t := of.in.Value()
	if t == nil || !of.children {
		return nil
	}
	r := t.Reader()
	r.Seek(of.at)
	if _, err := r.Next(); err != nil {
		return nil
	}
	for depth, last := 1, of.at; depth > 0 && len(all) < maxMembers; {
		e, err := r.Next()
		if err != nil || e == nil || e.Tag != 0 && e.Offset <= last {
			break
		}
		last = e.Offset
		switch {
		case e.Tag == 0:
			depth--
			continue
		case depth == 1 && slices.Contains(tags, e.Tag):
			all = append(all, node{e, t})
		}
		if e.Children {
			depth++
		}
	}
	return all
}

// maxMembers bounds how many members and names of values a type has.
const maxMembers = 1 << 14
