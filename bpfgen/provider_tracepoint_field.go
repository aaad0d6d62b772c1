package bpfgen

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// maxDynamic is how much of a dynamic field is read: the text of a __data_loc
// string, or the bytes of another dynamic array.
const (
	maxDynamicText  = 128
	maxDynamicBytes = 64
)

// eventFields are the fields of one tracepoint; they implement plylang.Fields.
type eventFields struct {
	title  string // "tracepoint category/event"
	fields []plylang.Field

	// later reads the fields where the clause uses none, for messages about
	// names that are none; nil: they are read.
	later func() []plylang.Field
}

// laterFields are the fields of a tracepoint that the clause does not use.
func laterFields(r *Resolver, event string) *eventFields {
	return &eventFields{title: "tracepoint " + event, later: func() []plylang.Field {
		fields, err := readFields(r, event, nil)
		if err != nil {
			return nil
		}
		return fields.fields
	}}
}

func (f *eventFields) all() []plylang.Field {
	if f.later != nil {
		f.fields, f.later = f.later(), nil
	}
	return f.fields
}

// Name names the tracepoint for messages.
func (f *eventFields) Name() string { return f.title }

// Member returns a field by name.
func (f *eventFields) Member(name string) (plylang.Field, bool) {
	for _, field := range f.all() {
		if field.Name == name {
			return field, true
		}
	}
	return plylang.Field{}, false
}

// Names lists the fields in order of declaration.
func (f *eventFields) Names() []string {
	fields := f.all()
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	return names
}

// layout spells out where the used fields are and what they look like.
func (f *eventFields) layout(used map[string]bool) string {
	var b strings.Builder
	for _, name := range sortedKeys(used) {
		if field, ok := f.Member(name); ok {
			fmt.Fprintf(&b, "%s@%d:%+v;", name, field.Offset, *field.Type)
			if field.Type.Elem != nil {
				fmt.Fprintf(&b, "%+v;", *field.Type.Elem)
			}
		}
	}
	return b.String()
}

// readFields reads the fields of a tracepoint. The types of pointers to
// structs are looked up for the used ones only.
//
// Of the four common fields a program gets none: the kernel hands the registers
// over in their place. The record's type and the thread are known all the same.
func readFields(r *Resolver, event string, used map[string]bool) (*eventFields, error) {
	category, name, _ := strings.Cut(event, "/")
	format, err := r.kernel.Tracepoint(category, name)
	if err != nil {
		return nil, err
	}
	out := &eventFields{title: "tracepoint " + event, fields: []plylang.Field{
		{Name: "common_type", Type: plylang.U16, Offset: -format.ID},
		{Name: "common_pid", Type: plylang.S32, Offset: commonPID},
	}}
	syscall := category == "syscalls"
	for _, f := range format.Fields {
		if f.Common || syscall && f.Dynamic() {
			continue
		}
		t := fieldType(&f, syscall)
		if t.Kind == plylang.Pointer && used[f.Name] {
			t.Elem = pointee(r, f.Elem, t.Elem)
		}
		out.fields = append(out.fields, plylang.Field{Name: f.Name, Type: t, Offset: f.Offset})
	}
	return out, nil
}

// commonPID is the offset that stands for common_pid; common_type has its own
// value, negated. Both are below 0, where no field is.
const commonPID = -1 << 20

// fieldType returns what a field is. The pointers of a system call are what
// user space handed over.
func fieldType(f *kernel.Field, syscall bool) *plylang.Type {
	switch {
	case f.Dynamic():
		return dynamicType(f)
	case f.Array:
		return arrayType(f)
	case f.Pointer:
		return &plylang.Type{Kind: plylang.Pointer, Size: 8, User: syscall, Elem: pointeeType(f.Elem)}
	}
	size, signed := f.Scalar()
	return numberType(size, signed)
}

// dynamicType is the type of "__data_loc char[]".
func dynamicType(f *kernel.Field) *plylang.Type {
	t := &plylang.Type{Kind: plylang.Bytes, Size: maxDynamicBytes, Dyn: plylang.DataLoc}
	if isChar(f.Elem) {
		t.Kind, t.Size = plylang.String, maxDynamicText
	}
	if f.RelLoc {
		t.Dyn = plylang.RelLoc
	}
	return t
}

// arrayType is the type of "char[16]" and "unsigned long[6]".
func arrayType(f *kernel.Field) *plylang.Type {
	elem := numberType(f.ElemSize, f.Signed)
	switch {
	case isChar(f.Elem) && f.Size > 0:
		return plylang.StringType(f.Size)
	case elem.Kind != plylang.Int || f.Len == 0 || f.Len*f.ElemSize != f.Size:
		return &plylang.Type{Kind: plylang.Bytes, Size: f.Size}
	}
	return &plylang.Type{Kind: plylang.Array, Size: f.Size, Len: f.Len, Elem: elem}
}

func isChar(elem string) bool { return strings.TrimPrefix(elem, "const ") == "char" }

// numberType is the integer type of a size and sign; bytes without a meaning
// where no integer has that size.
func numberType(size int, signed bool) *plylang.Type {
	for _, t := range []*plylang.Type{
		plylang.U8, plylang.U16, plylang.U32, plylang.U64,
		plylang.S8, plylang.S16, plylang.S32, plylang.S64,
	} {
		if t.Size == size && t.Signed == signed {
			return t
		}
	}
	return &plylang.Type{Kind: plylang.Bytes, Size: size}
}

// pointeeType is what "const char *" points to, as far as its text tells.
func pointeeType(text string) *plylang.Type {
	elem := strings.TrimSpace(strings.TrimSuffix(text, "*"))
	if isChar(elem) {
		return plylang.S8
	}
	return plylang.VoidT
}

// pointee looks up the struct that a pointer's type names.
func pointee(r *Resolver, text string, known *plylang.Type) *plylang.Type {
	text = strings.TrimPrefix(text, "const ")
	if !strings.HasPrefix(text, "struct ") && !strings.HasPrefix(text, "union ") {
		return known
	}
	if t := typeNamed(r.kernel, text); t != nil && t.Elem != nil {
		return t.Elem
	}
	return known
}

// loadField leaves a scalar field in R0.
func loadField(c *Context, f plylang.Field) {
	switch {
	case f.Offset == commonPID:
		c.Call(asm.FnGetCurrentPidTgid)
		c.Extend(plylang.S32)
	case f.Offset < 0:
		c.Imm(asm.R0, int64(-f.Offset))
	case f.Offset%f.Type.Size != 0:
		loadUnaligned(c, f)
	default:
		c.LoadTyped(f.Type, asm.R6, f.Offset)
	}
}

// loadUnaligned reads a field that the verifier would not let be loaded.
func loadUnaligned(c *Context, f plylang.Field) {
	m := c.Slot(8)
	c.Zero(m)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R6), asm.Add.Imm(asm.R3, int32(f.Offset)))
	c.ProbeRead(m.At(0, f.Type.Size), false)
	c.LoadTyped(f.Type, m.Reg, m.Off)
	c.Free(m)
}

// copyField copies a string, an array or bytes out of the record to dst. Text
// is zero behind its NUL: what a record has there is left over from earlier
// text.
func copyField(c *Context, f plylang.Field, dst emit.Mem) {
	if f.Type.Dyn != plylang.NotDyn {
		locateDynamic(c, f)
	} else {
		c.Emit(asm.Mov.Reg(asm.R3, asm.R6), asm.Add.Imm(asm.R3, int32(f.Offset)))
	}
	switch {
	case f.Type.Kind == plylang.String:
		c.ReadString(dst, f.Type.Size, false)
	case f.Type.Dyn != plylang.NotDyn:
		readDynamic(c, f, dst)
	default:
		c.Zero(dst)
		c.ProbeRead(dst.At(0, f.Type.Size), false)
	}
}

// locateDynamic leaves the address of a dynamic field's value in R3, and its
// length in R2. The field holds the length in its upper 16 bits and in the
// lower ones where the value begins: counted from the record for __data_loc,
// from the end of the field for __rel_loc.
func locateDynamic(c *Context, f plylang.Field) {
	c.Emit(
		asm.LoadMem(asm.R2, asm.R6, int16(f.Offset), asm.Word),
		asm.Mov.Reg(asm.R3, asm.R2), asm.And.Imm(asm.R3, 0xffff),
		asm.RSh.Imm(asm.R2, 16),
		asm.Add.Reg(asm.R3, asm.R6),
	)
	if f.Type.Dyn == plylang.RelLoc {
		c.Emit(asm.Add.Imm(asm.R3, int32(f.Offset)+4))
	}
}

// readDynamic reads the R2 bytes at R3, as many as fit.
func readDynamic(c *Context, f plylang.Field, m emit.Mem) {
	c.Zero(m)
	fits := c.Label()
	c.Jump(asm.JLE, asm.R2, int32(f.Type.Size), fits)
	c.Emit(asm.Mov.Imm(asm.R2, int32(f.Type.Size)))
	c.Bind(fits)
	c.Address(asm.R1, m)
	c.Call(asm.FnProbeReadKernel)
}
