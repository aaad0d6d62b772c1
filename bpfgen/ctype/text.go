package ctype

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Text is a type as C writes it.
func Text(t btf.Type) string {
	switch t := t.(type) {
	case *btf.Pointer:
		return strings.ReplaceAll(Text(t.Target)+" *", "* *", "**")
	case *btf.Const:
		return "const " + Text(t.Type)
	case *btf.Volatile:
		return Text(t.Type)
	case *btf.Restrict:
		return Text(t.Type)
	case *btf.TypeTag:
		return Text(t.Type)
	case *btf.Struct:
		return "struct " + t.Name
	case *btf.Union:
		return "union " + t.Name
	case *btf.Enum:
		return "enum " + t.Name
	case *btf.Array:
		return fmt.Sprintf("%s[%d]", Text(t.Type), t.Nelems)
	case *btf.FuncProto:
		return "function"
	case *btf.Void:
		return "void"
	}
	return t.TypeName()
}
