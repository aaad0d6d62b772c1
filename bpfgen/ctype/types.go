// Package ctype turns the types that a kernel declares, in its BTF and in the
// formats of its tracepoints, into types of the language and into C text. It
// generates no code.
package ctype

import (
	"fmt"
	"sync"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// types are the types of one kernel that were asked for. There is one type of
// the language for each of the kernel's, so that two values have the same type
// when their types are the same pointer.
type types struct {
	sync.Mutex
	made map[btf.Type]*plylang.Type
}

type typesKey struct{}

// typesOf returns the types of a kernel.
func typesOf(k *kernel.Kernel) *types {
	return k.Memo(typesKey{}, func() any { return &types{made: map[btf.Type]*plylang.Type{}} }).(*types)
}

// Number is the integer type of a size and sign; bytes without a meaning where
// no integer has that size.
func Number(size int, signed bool) *plylang.Type {
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

// Key is equal for types that a clause cannot tell apart: its code is the same
// for all of them, and values are shown alike. A struct goes by its name.
func Key(t *plylang.Type) string {
	switch {
	case t == nil:
		return "?"
	case t.Kind == plylang.Pointer:
		return fmt.Sprint("*", t.User, Key(t.Elem))
	case t.Struct != nil:
		return t.Struct.Name()
	case t.Kind == plylang.Array:
		return fmt.Sprint(t.Len, "[]", t.Size, Key(t.Elem))
	case t.Kind == plylang.Enum:
		return fmt.Sprint("enum", t.Size, t.Signed, t.User, t.Enum)
	case t.Integer() && t.Net != 0:
		return fmt.Sprint("be", t.Size, t.User)
	case t.Integer():
		return fmt.Sprint("int", t.Size, t.Signed, t.User)
	}
	return fmt.Sprint(t.Kind, t.Size, t.Signed, t.Dyn)
}
