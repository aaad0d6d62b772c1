package ctype

import (
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// Named returns the type a cast names ("u32", "struct sk_buff *"), nil when there
// is none.
func Named(k *kernel.Kernel, text string) *plylang.Type {
	name := unqualified(text)
	pointers := 0
	for strings.HasSuffix(name, " *") {
		name, pointers = strings.TrimSuffix(name, " *"), pointers+1
	}
	t := plylang.IntegerNamed(name)
	switch {
	case t != nil:
	case name == "void":
		t = plylang.VoidT
	default:
		t = kernelType(k, name)
	}
	for ; t != nil && pointers > 0; pointers-- {
		t = pointerTo(t, false)
	}
	return t
}

// unqualified is the text of a type without const and volatile, its words and
// stars apart.
func unqualified(text string) string {
	words := strings.Fields(strings.ReplaceAll(text, "*", " * "))
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "const" || w == "volatile" }), " ")
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
