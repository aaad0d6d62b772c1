package ctype

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// How much of a dynamic field is read where the script does not say: of the text
// of a __data_loc string, or of the bytes of another dynamic array.
const (
	MaxDynamicText  = 128
	maxDynamicBytes = 64
)

// A Record is what a tracepoint hands over, by its fields; it implements
// plylang.Fields.
type Record struct {
	title  string // "tracepoint category/event"
	fields []plylang.Field

	// later reads the fields where the clause uses none, for messages about
	// names that are none; nil: they are read.
	later func() []plylang.Field
}

// LaterRecord is the record of a tracepoint none of whose fields a clause uses:
// it is read only when somebody asks.
func LaterRecord(k *kernel.Kernel, event string) *Record {
	return &Record{title: "tracepoint " + event, later: func() []plylang.Field {
		fields, err := ReadRecord(k, event, nil)
		if err != nil {
			return nil
		}
		return fields.fields
	}}
}

func (r *Record) all() []plylang.Field {
	if r.later != nil {
		r.fields, r.later = r.later(), nil
	}
	return r.fields
}

// Name names the tracepoint for messages.
func (r *Record) Name() string { return r.title }

// Member returns a field by name.
func (r *Record) Member(name string) (plylang.Field, bool) {
	for _, field := range r.all() {
		if field.Name == name {
			return field, true
		}
	}
	return plylang.Field{}, false
}

// Names lists the fields in order of declaration.
func (r *Record) Names() []string {
	fields := r.all()
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	return names
}

// Layout spells out where the used fields are and what they look like.
func (r *Record) Layout(used map[string]bool) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if field, ok := r.Member(name); ok {
			fmt.Fprintf(&b, "%s@%d:%s;", name, field.Offset, Key(field.Type))
		}
	}
	return b.String()
}

// ReadRecord reads the fields of a tracepoint, "category/event". What BTF knows
// of structs and enums, and the names of values, are looked up for the used ones
// only.
//
// Of the four common fields a program gets none: the kernel hands the registers
// over in their place. The record's type and the thread are known all the same.
func ReadRecord(k *kernel.Kernel, event string, used map[string]bool) (*Record, error) {
	category, name, _ := strings.Cut(event, "/")
	format, err := k.Tracepoint(category, name)
	if err != nil {
		return nil, err
	}
	out := &Record{title: "tracepoint " + event, fields: []plylang.Field{
		{Name: "common_type", Type: plylang.U16, Offset: -format.ID},
		{Name: "common_pid", Type: plylang.S32, Offset: CommonPID},
	}}
	syscall := category == "syscalls"
	user := syscall && strings.HasPrefix(name, "sys_enter_") || event == "raw_syscalls/sys_enter"
	for _, f := range format.Fields {
		if f.Common || syscall && f.Dynamic() {
			continue
		}
		t := fieldType(&f)
		if used[f.Name] {
			t = withNames(k, format, &f, withBTF(k, &f, t))
		}
		if user {
			t = fromUser(t)
		}
		out.fields = append(out.fields, plylang.Field{Name: f.Name, Type: t, Offset: f.Offset})
	}
	return out, nil
}

// CommonPID is the offset that stands for common_pid, which a program asks the
// kernel for; that of common_type is its value, negated. Both are below 0, where
// no field is.
const CommonPID = -1 << 20

// fromUser is what user space handed to a system call, or what a program has: whatever is
// as wide as an address may be one in user memory, since many declare their pointers as
// numbers.
func fromUser(t *plylang.Type) *plylang.Type {
	u := *t
	switch {
	case t.Kind == plylang.Array:
		u.Elem = fromUser(t.Elem)
	case t.Scalar() && t.Size == 8:
		u.User = true
	default:
		return t
	}
	return &u
}

// fieldType returns what a field is.
func fieldType(f *kernel.Field) *plylang.Type {
	switch {
	case f.Dynamic():
		return dynamicType(f)
	case f.Array:
		return arrayType(f)
	case f.Pointer:
		return &plylang.Type{Kind: plylang.Pointer, Size: 8, Elem: pointeeType(f.Elem)}
	}
	size, signed := f.Scalar()
	if f.CType == "bool" && size == boolean.Size {
		return boolean
	}
	return inNetworkOrder(strings.TrimPrefix(f.CType, "const "), Number(size, signed))
}

// withBTF adds what BTF knows of the type that a field declares by its name: the
// struct that a pointer points to, and the names of an enum's values.
func withBTF(k *kernel.Kernel, f *kernel.Field, t *plylang.Type) *plylang.Type {
	switch {
	case t.Kind == plylang.Pointer:
		t.Elem = pointee(k, f.Elem, t.Elem)
	case t.Kind == plylang.Int && strings.HasPrefix(f.CType, "enum "):
		return asEnum(t, Named(k, f.CType))
	}
	return t
}

// asEnum is an integer as one of an enum's values, in the size and with the sign
// that the record has it.
func asEnum(t, enum *plylang.Type) *plylang.Type {
	switch {
	case enum == nil || enum.Kind != plylang.Enum:
		return t
	case enum.Size == t.Size && enum.Signed == t.Signed:
		return enum
	}
	return plylang.NamedType(t.Size, t.Signed, enum.Enum)
}

// withNames gives a number the names that the tracepoint prints its values with.
// They are shown also where the field is of an enum: they are the same on kernels
// without types.
func withNames(k *kernel.Kernel, format *kernel.Format, f *kernel.Field, t *plylang.Type) *plylang.Type {
	if t.Kind != plylang.Int && t.Kind != plylang.Enum {
		return t
	}
	names := format.Names(f.Name, func(name string) (int64, bool) { return Enumerator(k, name) })
	if names == nil {
		return t
	}
	names.Also = t.Enum
	return plylang.NamedType(t.Size, t.Signed, names)
}

// dynamicType is the type of "__data_loc char[]".
func dynamicType(f *kernel.Field) *plylang.Type {
	t := &plylang.Type{Kind: plylang.Bytes, Size: maxDynamicBytes, Dyn: plylang.DataLoc}
	if isChar(f.Elem) {
		t.Kind, t.Size = plylang.String, MaxDynamicText
	}
	if f.RelLoc {
		t.Dyn = plylang.RelLoc
	}
	return t
}

// arrayType is the type of "char[16]" and "unsigned long[6]".
func arrayType(f *kernel.Field) *plylang.Type {
	elem := inNetworkOrder(f.Elem, Number(f.ElemSize, f.Signed))
	switch {
	case isChar(f.Elem) && f.Size > 0:
		return plylang.StringType(f.Size)
	case elem.Kind != plylang.Int || f.Len == 0 || f.Len*f.ElemSize != f.Size:
		return &plylang.Type{Kind: plylang.Bytes, Size: f.Size}
	}
	t := &plylang.Type{Kind: plylang.Array, Size: f.Size, Len: f.Len, Elem: elem}
	if f.Inet {
		t.Display = plylang.DisplayInet
	}
	return t
}

func isChar(elem string) bool { return strings.TrimPrefix(elem, "const ") == "char" }

// pointeeType is what "const char *" points to, as far as its text tells.
func pointeeType(text string) *plylang.Type {
	elem, ok := cutPointer(text)
	switch t := plylang.IntegerNamed(elem); {
	case ok && strings.HasSuffix(elem, "*"):
		return &plylang.Type{Kind: plylang.Pointer, Size: 8, Elem: pointeeType(elem)}
	case t != nil:
		return t
	}
	return plylang.VoidT
}

// cutPointer is what a pointer's declaration says that it points to.
func cutPointer(text string) (elem string, ok bool) {
	text, ok = strings.CutSuffix(unqualified(text), "*")
	return strings.TrimSpace(text), ok
}

// pointee looks up what the text of a pointer's type names.
func pointee(k *kernel.Kernel, text string, known *plylang.Type) *plylang.Type {
	if t := Named(k, text); t != nil && t.Elem != nil {
		return t.Elem
	}
	return known
}

// From leaves only the fields from an offset on, under another title.
func (r *Record) From(offset int, title string) *Record {
	out := &Record{title: title}
	for _, field := range r.all() {
		if field.Offset >= offset {
			out.fields = append(out.fields, field)
		}
	}
	return out
}
