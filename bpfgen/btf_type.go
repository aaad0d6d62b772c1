package bpfgen

import (
	"strings"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// typeOf turns a type of the kernel into one of the language. Structs keep
// their members in BTF until somebody asks for one, so that a type that refers
// to itself ends.
func typeOf(t btf.Type) *plylang.Type {
	switch t := t.(type) {
	case *btf.Typedef:
		return typeOf(t.Type)
	case *btf.Const:
		return typeOf(t.Type)
	case *btf.Volatile:
		return typeOf(t.Type)
	case *btf.Restrict:
		return typeOf(t.Type)
	case *btf.TypeTag:
		return typeOf(t.Type)
	case *btf.Int:
		return numberType(int(t.Size), t.Encoding == btf.Signed || t.Encoding == btf.Char)
	case *btf.Enum:
		return numberType(int(t.Size), t.Signed)
	case *btf.Pointer:
		return pointerTo(typeOf(t.Target), isUser(t.Target))
	case *btf.Array:
		return arrayOf(t)
	case *btf.Struct:
		return structType("struct ", t.Name, int(t.Size), t)
	case *btf.Union:
		return structType("union ", t.Name, int(t.Size), t)
	}
	return plylang.VoidT
}

func pointerTo(elem *plylang.Type, user bool) *plylang.Type {
	return &plylang.Type{Kind: plylang.Pointer, Size: 8, Elem: elem, User: user}
}

// isUser says whether the kernel's source marks what a pointer points to as
// user memory.
func isUser(t btf.Type) bool {
	for {
		switch q := t.(type) {
		case *btf.TypeTag:
			if q.Value == "user" {
				return true
			}
			t = q.Type
		case *btf.Const:
			t = q.Type
		case *btf.Volatile:
			t = q.Type
		default:
			return false
		}
	}
}

func arrayOf(t *btf.Array) *plylang.Type {
	n := int(t.Nelems)
	if i, ok := btf.UnderlyingType(t.Type).(*btf.Int); ok && i.Size == 1 && n > 0 && isCharInt(i) {
		return plylang.StringType(n)
	}
	elem := typeOf(t.Type)
	return &plylang.Type{Kind: plylang.Array, Size: n * elem.Size, Len: n, Elem: elem}
}

func isCharInt(i *btf.Int) bool { return i.Name == "char" || i.Encoding == btf.Char }

func structType(keyword, name string, size int, t btf.Type) *plylang.Type {
	if name == "" {
		name = "(anonymous)"
	}
	return &plylang.Type{Kind: plylang.Struct, Size: size, Struct: structFields{keyword + name, t}}
}

// structFields are the members of a struct or union; those of its nameless
// members count as its own.
type structFields struct {
	name string
	t    btf.Type
}

// Name names the struct for messages.
func (s structFields) Name() string { return s.name }

// Member returns a member by name.
func (s structFields) Member(name string) (plylang.Field, bool) { return memberOf(s.t, name, 0) }

// Names lists the members in order of declaration.
func (s structFields) Names() []string {
	var names []string
	members, _ := kernel.Members(s.t)
	for _, m := range members {
		if m.Name == "" {
			names = append(names, structFields{t: m.Type}.Names()...)
			continue
		}
		names = append(names, m.Name)
	}
	return names
}

func memberOf(t btf.Type, name string, base btf.Bits) (plylang.Field, bool) {
	members, _ := kernel.Members(t)
	for _, m := range members {
		switch {
		case m.Name == name:
			return fieldOf(m, base+m.Offset), true
		case m.Name == "":
			if f, ok := memberOf(m.Type, name, base+m.Offset); ok {
				return f, true
			}
		}
	}
	return plylang.Field{}, false
}

func fieldOf(m btf.Member, at btf.Bits) plylang.Field {
	f := plylang.Field{Name: m.Name, Type: typeOf(m.Type), Offset: int(at / 8)}
	if m.BitfieldSize > 0 && f.Type.Size > 0 {
		unit := btf.Bits(8 * f.Type.Size)
		f.Offset = int(at / unit * unit / 8)
		f.BitOffset, f.BitSize = int(at%unit), int(m.BitfieldSize)
	}
	return f
}

// cTypes are the types that a cast names without looking into BTF.
var cTypes = map[string]*plylang.Type{
	"char": plylang.S8, "signed char": plylang.S8, "unsigned char": plylang.U8, "void": plylang.VoidT,
	"short": plylang.S16, "unsigned short": plylang.U16, "int": plylang.S32, "signed": plylang.S32,
	"unsigned": plylang.U32, "unsigned int": plylang.U32, "long": plylang.S64, "unsigned long": plylang.U64,
	"long long": plylang.S64, "unsigned long long": plylang.U64, "size_t": plylang.U64, "ssize_t": plylang.S64,
	"u8": plylang.U8, "u16": plylang.U16, "u32": plylang.U32, "u64": plylang.U64,
	"s8": plylang.S8, "s16": plylang.S16, "s32": plylang.S32, "s64": plylang.S64,
	"__u8": plylang.U8, "__u16": plylang.U16, "__u32": plylang.U32, "__u64": plylang.U64,
	"__s8": plylang.S8, "__s16": plylang.S16, "__s32": plylang.S32, "__s64": plylang.S64,
	"uint8_t": plylang.U8, "uint16_t": plylang.U16, "uint32_t": plylang.U32, "uint64_t": plylang.U64,
	"int8_t": plylang.S8, "int16_t": plylang.S16, "int32_t": plylang.S32, "int64_t": plylang.S64,
}

// typeNamed returns the type a cast names, nil when there is none.
func typeNamed(k *kernel.Kernel, text string) *plylang.Type {
	name := strings.Join(strings.Fields(strings.ReplaceAll(text, "*", " * ")), " ")
	name = strings.TrimPrefix(name, "const ")
	pointers := 0
	for strings.HasSuffix(name, " *") {
		name, pointers = strings.TrimSuffix(name, " *"), pointers+1
	}
	t := cTypes[name]
	if t == nil {
		t = kernelType(k, name)
	}
	for ; t != nil && pointers > 0; pointers-- {
		t = pointerTo(t, false)
	}
	return t
}

// kernelType looks a name up in BTF: "struct sk_buff", "union x", "enum x" or
// a typedef.
func kernelType(k *kernel.Kernel, name string) *plylang.Type {
	spec, err := k.BTF()
	if err != nil {
		return nil
	}
	keyword, tag, tagged := strings.Cut(name, " ")
	if !tagged {
		keyword, tag = "", name
	}
	types, err := spec.AnyTypesByName(tag)
	if err != nil {
		return nil
	}
	for _, t := range types {
		if keywordOf(t) == keyword {
			return typeOf(t)
		}
	}
	return nil
}

func keywordOf(t btf.Type) string {
	switch t.(type) {
	case *btf.Struct:
		return "struct"
	case *btf.Union:
		return "union"
	case *btf.Enum:
		return "enum"
	case *btf.Typedef, *btf.Int:
		return ""
	}
	return "none"
}
