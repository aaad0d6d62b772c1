package ctype

import (
	"strings"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

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

// Named returns the type a cast names ("u32", "struct sk_buff *"), nil when there
// is none.
func Named(k *kernel.Kernel, text string) *plylang.Type {
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
			return Of(k, t)
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
