package ctype

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Several types of one name
//
// Each source file of a kernel may have its own struct of some name, and BTF has
// them all: Debian's 6.12 has two structs console and two typedefs u8. What a
// script can do with a type follows from its layout, so types with one layout are
// one. Which of several layouts is meant nobody knows, and the first would read
// wrong members.

// differing leaves of several types one of each layout.
func differing(types []btf.Type) []btf.Type {
	if len(types) == 1 {
		return types // to spell out a large struct takes as long as to compile a script
	}
	var out []btf.Type
	known := map[string]bool{}
	for _, t := range types {
		if l := layout(t, true); !known[l] {
			known[l] = true
			out = append(out, t)
		}
	}
	return out
}

// layout spells out all of a type that a script can see. A struct within another
// goes by its name and size, unless it has none.
func layout(t btf.Type, outermost bool) string {
	switch t := t.(type) {
	case *btf.Typedef:
		return layout(t.Type, outermost)
	case *btf.Const:
		return layout(t.Type, outermost)
	case *btf.Volatile:
		return layout(t.Type, outermost)
	case *btf.Restrict:
		return layout(t.Type, outermost)
	case *btf.TypeTag:
		return t.Value + " " + layout(t.Type, outermost)
	case *btf.Int:
		return fmt.Sprint("int ", t.Size, t.Encoding)
	case *btf.Pointer:
		return "*" + Text(t.Target)
	case *btf.Array:
		return fmt.Sprintf("[%d]%s", t.Nelems, layout(t.Type, false))
	case *btf.Enum:
		return fmt.Sprint("enum ", t.Size, t.Signed, t.Values)
	case *btf.Struct:
		return recordLayout("struct "+t.Name, t.Size, t.Members, outermost || t.Name == "")
	case *btf.Union:
		return recordLayout("union "+t.Name, t.Size, t.Members, outermost || t.Name == "")
	}
	return Text(t)
}

func recordLayout(name string, size uint32, members []btf.Member, whole bool) string {
	var b strings.Builder
	fmt.Fprint(&b, name, " ", size)
	for _, m := range members {
		if whole {
			fmt.Fprintf(&b, ";%s@%d:%d %s", m.Name, m.Offset, m.BitfieldSize, layout(m.Type, false))
		}
	}
	return b.String()
}

// severalTypes is the error for a name that stands for types that differ.
func severalTypes(name string, types []btf.Type) error {
	var list []string
	for _, t := range types {
		list = append(list, outline(t))
	}
	last := len(list) - 1
	return fmt.Errorf("this kernel has %d types %q that differ: %s and %s", len(types), name, strings.Join(list[:last], ", "), list[last])
}

// outline tells a type from others of its name.
func outline(t btf.Type) string {
	const most = 4
	var names []string
	add := func(name string) {
		if name != "" && len(names) <= most {
			names = append(names, name)
		}
	}
	switch u := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		for _, m := range u.Members {
			add(m.Name)
		}
	case *btf.Union:
		for _, m := range u.Members {
			add(m.Name)
		}
	case *btf.Enum:
		for _, v := range u.Values {
			add(fmt.Sprintf("%s=%d", v.Name, int64(v.Value)))
		}
	default:
		add(Text(u))
	}
	if len(names) > most {
		names[most] = "…"
	}
	size, _ := btf.Sizeof(t)
	unit := "bytes"
	if size == 1 {
		unit = "byte"
	}
	return fmt.Sprintf("one of %d %s (%s)", size, unit, strings.Join(names, ", "))
}
