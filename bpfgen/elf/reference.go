package elf

import (
	"debug/dwarf"
	"weak"
)

// A place is where an entry is: in the debug information of which file, and where there. The
// zero place is nowhere. It does not keep the debug information.
type place struct {
	in weak.Pointer[types]
	at dwarf.Offset
}

// A node is an entry and the debug information that it was read from. What it says may be in
// another file, or in a unit of a type.
type node struct {
	*dwarf.Entry
	in *types
}

// node reads the entry at a place, false if there is none.
func (p place) node() (node, bool) {
	t := p.in.Value()
	if t == nil || p.at == 0 {
		return node{}, false
	}
	e := t.entryAt(p.at)
	return node{e, t}, e != nil
}

// entryAt reads an entry, nil if there is none.
func (t *types) entryAt(at dwarf.Offset) *dwarf.Entry {
	r := t.Reader()
	r.Seek(at)
	e, err := r.Next()
	if err != nil || e == nil || e.Tag == 0 {
		return nil
	}
	return e
}

// ref is the place that an attribute refers to; nowhere if it cannot be found. A reference
// has another type for each way to refer.
func (n node) ref(attr dwarf.Attr) place {
	f := n.AttrField(attr)
	if f == nil {
		return place{}
	}
	switch v := f.Val.(type) {
	case dwarf.Offset:
		return n.in.place(v)
	case int64:
		if f.Class == dwarf.ClassReferenceAlt {
			return n.in.sharedPlace(uint64(v))
		}
	case uint32:
		return n.in.sharedPlace(uint64(v))
	case uint64:
		if f.Class == dwarf.ClassReferenceSig {
			return n.in.signedPlace(v)
		}
		return n.in.sharedPlace(v)
	}
	return place{}
}

// has says whether there is an attribute, whether it can be followed or not.
func (n node) has(attr dwarf.Attr) bool { return n.AttrField(attr) != nil }

// text is an attribute that is a string; "" if it cannot be found.
func (n node) text(attr dwarf.Attr) string {
	f := n.AttrField(attr)
	if f == nil {
		return ""
	}
	switch v := f.Val.(type) {
	case string:
		return v
	case int64:
		if f.Class == dwarf.ClassStringAlt {
			return n.in.sharedText(uint64(v))
		}
	case uint32:
		return n.in.sharedText(uint64(v))
	case uint64:
		return n.in.sharedText(v)
	}
	return ""
}

// place is where the entry at an offset is.
func (t *types) place(at dwarf.Offset) place { return place{weak.Make(t), at} }
