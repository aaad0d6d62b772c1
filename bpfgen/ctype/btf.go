package ctype

import (
	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// Of turns a type of the kernel into one of the language, always into the same
// one. Structs keep their members in BTF until somebody asks for one, so that a
// type that refers to itself ends.
func Of(k *kernel.Kernel, t btf.Type) *plylang.Type { return typesOf(k).of(t) }

// of returns the language's type, made when it is first asked for.
func (c *types) of(t btf.Type) *plylang.Type {
	c.Lock()
	made := c.made[t]
	c.Unlock()
	if made != nil {
		return made
	}
	made = c.make(t)
	c.Lock()
	defer c.Unlock()
	if first := c.made[t]; first != nil {
		return first // another goroutine was faster
	}
	c.made[t] = made
	return made
}

func (c *types) make(t btf.Type) *plylang.Type {
	switch t := t.(type) {
	case *btf.Typedef:
		return inNetworkOrder(t.Name, c.of(t.Type))
	case *btf.Const:
		return c.of(t.Type)
	case *btf.Volatile:
		return c.of(t.Type)
	case *btf.Restrict:
		return c.of(t.Type)
	case *btf.TypeTag:
		return c.of(t.Type)
	case *btf.Int:
		return integer(t)
	case *btf.Enum:
		return enum(t)
	case *btf.Pointer:
		return pointerTo(c.of(t.Target), isUser(t.Target))
	case *btf.Array:
		return c.array(t)
	case *btf.Struct:
		return c.structType("struct ", t.Name, int(t.Size), t)
	case *btf.Union:
		return c.structType("union ", t.Name, int(t.Size), t)
	}
	return plylang.VoidT
}

// inNetworkOrder is an integer of the name that it is declared by, which may say
// that it is in network byte order.
func inNetworkOrder(name string, t *plylang.Type) *plylang.Type {
	for order, be := range map[string]*plylang.Type{"__be16": plylang.BE16, "__be32": plylang.BE32, "__be64": plylang.BE64} {
		if name == order && t.Kind == plylang.Int && t.Size == be.Size {
			return be
		}
	}
	return t
}

func integer(t *btf.Int) *plylang.Type {
	n := Number(int(t.Size), t.Encoding == btf.Signed || t.Encoding == btf.Char)
	if t.Encoding == btf.Bool && n.Size == boolean.Size {
		return boolean
	}
	return n
}

// boolean is the type of C's bool.
var boolean = &plylang.Type{Kind: plylang.Bool, Size: 1}

func enum(t *btf.Enum) *plylang.Type {
	n := Number(int(t.Size), t.Signed)
	if n.Kind != plylang.Int {
		return n
	}
	names := &plylang.Enumeration{Name: t.Name}
	for _, v := range t.Values {
		names.Values = append(names.Values, plylang.Enumerator{Name: v.Name, Value: int64(v.Value)})
	}
	return plylang.NamedType(n.Size, n.Signed, names)
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

func (c *types) array(t *btf.Array) *plylang.Type {
	n := int(t.Nelems)
	if i, ok := btf.UnderlyingType(t.Type).(*btf.Int); ok && i.Size == 1 && n > 0 && isCharInt(i) {
		return plylang.StringType(n)
	}
	elem := c.of(t.Type)
	return &plylang.Type{Kind: plylang.Array, Size: n * elem.Size, Len: n, Elem: elem}
}

func isCharInt(i *btf.Int) bool { return i.Name == "char" || i.Encoding == btf.Char }

func (c *types) structType(keyword, name string, size int, t btf.Type) *plylang.Type {
	if name == "" {
		name = "(anonymous)"
	}
	return &plylang.Type{Kind: plylang.Struct, Size: size, Struct: structFields{c, keyword + name, t}}
}

// structFields are the members of a struct or union; those of its nameless
// members count as its own.
type structFields struct {
	types *types
	name  string
	t     btf.Type
}

// Name names the struct for messages.
func (s structFields) Name() string { return s.name }

// Member returns a member by name.
func (s structFields) Member(name string) (plylang.Field, bool) { return s.types.member(s.t, name, 0) }

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

func (c *types) member(t btf.Type, name string, base btf.Bits) (plylang.Field, bool) {
	members, _ := kernel.Members(t)
	for _, m := range members {
		switch {
		case m.Name == name:
			return c.field(m, base+m.Offset), true
		case m.Name == "":
			if f, ok := c.member(m.Type, name, base+m.Offset); ok {
				return f, true
			}
		}
	}
	return plylang.Field{}, false
}

func (c *types) field(m btf.Member, at btf.Bits) plylang.Field {
	f := plylang.Field{Name: m.Name, Type: c.of(m.Type), Offset: int(at / 8)}
	if m.BitfieldSize > 0 && f.Type.Size > 0 {
		unit := btf.Bits(8 * f.Type.Size)
		f.Offset = int(at / unit * unit / 8)
		f.BitOffset, f.BitSize = int(at%unit), int(m.BitfieldSize)
		if f.Type.Net != 0 {
			f.Type = Number(f.Type.Size, false) // the kernel itself takes bits as they are
		}
	}
	return f
}
