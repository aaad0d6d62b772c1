package ctype

import (
	"errors"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// Named returns the type a cast names ("u32", "struct sk_buff *"), nil when there
// is none, or none that is meant for certain.
func Named(k *kernel.Kernel, text string) *plylang.Type {
	t, err := Find(k, text)
	if err != nil {
		return nil
	}
	return t
}

// Find returns the type a cast names, nil when there is none. Of several with one
// layout it is the first; several that differ are an error, which lists them. On a
// kernel without types the error is plylang.ErrMissing.
func Find(k *kernel.Kernel, text string) (t *plylang.Type, err error) {
	name := unqualified(text)
	pointers := 0
	for strings.HasSuffix(name, " *") {
		name, pointers = strings.TrimSuffix(name, " *"), pointers+1
	}
	t = plylang.IntegerNamed(name)
	switch {
	case t != nil:
	case name == "void":
		t = plylang.VoidT
	default:
		t, err = kernelType(k, name)
	}
	for ; t != nil && pointers > 0; pointers-- {
		t = pointerTo(t, false)
	}
	return t, err
}

// unqualified is the text of a type without const and volatile, its words and
// stars apart.
func unqualified(text string) string {
	words := strings.Fields(strings.ReplaceAll(text, "*", " * "))
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "const" || w == "volatile" }), " ")
}

// kernelType looks a name up in BTF: "struct sk_buff", "union x", "enum x" or
// a typedef.
func kernelType(k *kernel.Kernel, name string) (*plylang.Type, error) {
	spec, err := k.BTF()
	if errors.Is(err, plylang.ErrMissing) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	keyword, tag, tagged := strings.Cut(name, " ")
	if !tagged {
		keyword, tag = "", name
	}
	types, err := spec.AnyTypesByName(tag)
	if err != nil {
		return nil, nil
	}
	types = differing(slices.DeleteFunc(types, func(t btf.Type) bool { return keywordOf(t) != keyword }))
	switch len(types) {
	case 0:
		return nil, nil
	case 1:
		return Of(k, types[0]), nil
	}
	return nil, severalTypes(name, types)
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

// Enumerator returns the value of a constant that a table of a tracepoint has by
// its name: one of an enum's, if all enums with that name agree.
func Enumerator(k *kernel.Kernel, name string) (value int64, ok bool) {
	if state := slices.Index(tcpStates, name); state >= 0 {
		return int64(state) + 1, true
	}
	for i, e := range k.Enumerators(name) {
		v, _ := e.Value(name)
		if i > 0 && v != value {
			return 0, false
		}
		value, ok = v, true
	}
	return value, ok
}

// tcpStates are the states of a TCP connection from 1 on. User space knows these
// numbers, so they are the same in all kernels, also in those without types.
var tcpStates = []string{
	"TCP_ESTABLISHED", "TCP_SYN_SENT", "TCP_SYN_RECV", "TCP_FIN_WAIT1", "TCP_FIN_WAIT2", "TCP_TIME_WAIT",
	"TCP_CLOSE", "TCP_CLOSE_WAIT", "TCP_LAST_ACK", "TCP_LISTEN", "TCP_CLOSING", "TCP_NEW_SYN_RECV",
}
