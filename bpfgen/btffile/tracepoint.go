package btffile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/ctype"
)

// Tracepoints by their types
//
// A kernel has a type of each tracepoint's name, btf_trace_X, and a struct of each
// kind of record, trace_event_raw_Y. Where several tracepoints share a record, Y is the
// name of none of them, and nothing says which: the record is taken that is made of the
// same arguments, and if there are several such, the one whose name begins most like
// the tracepoint's. What categories there are, and which tracepoints are in one, is not told:
// each is in all of them.
//
// What a field of variable size consists of is not told either: it is taken for text,
// which it mostly is. Numbers that have names when they are printed have unknown ones, so
// that any name may be in a table of labels: each field is said to have a single flag,
// whose name is its number.

// callsCategory has the tracepoints of single system calls.
const callsCategory = "syscalls"

func (t *types) hasEvent(category, event string) bool {
	if category == callsCategory {
		_, ok := t.calls[event]
		return ok
	}
	_, ok := t.events[event]
	return ok
}

// format is a tracepoint's format as tracefs has it, without most of what all records
// begin with, and without how they are printed.
func (t *types) format(category, event string) ([]byte, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "name: %s, whose names a BTF file does not have,\nID: 1\nformat:\n", event)
	writeField(&text, "int common_pid", 4, 4, true)
	text.WriteByte('\n') // ends what all records have
	fields := t.recordFields
	if category == callsCategory {
		fields = t.callFields
	}
	if !fields(&text, event) {
		return nil, errNoFormats
	}
	return []byte(text.String()), nil
}

// recordFields writes the fields of a tracepoint's record; false when it is not known.
func (t *types) recordFields(text *strings.Builder, event string) bool {
	var record *btf.Struct
	if t.spec.TypeByName(recordType+t.recordOf(event), &record) != nil {
		return false
	}
	var names []string
	for _, m := range record.Members {
		if m.Name == "ent" || m.Name == "__data" || m.BitfieldSize != 0 {
			continue
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return false
		}
		writeField(text, declaration(m.Type, m.Name), int(m.Offset.Bytes()), size, isSigned(m.Type))
		names = append(names, fmt.Sprintf("__print_flags(REC->%s, \"|\", { 0, \"0\" })", m.Name))
	}
	fmt.Fprintf(text, "print fmt: \"\", %s\n", strings.Join(names, ", "))
	return true
}

// recordOf is the name of a tracepoint's record, "" where it is not known.
func (t *types) recordOf(event string) string {
	if _, err := t.spec.AnyTypesByName(recordType + event); err == nil {
		return event
	}
	best, most, several := "", 0, false
	for record, proto := range t.records {
		if !sameArguments(proto, t.events[event]) {
			continue
		}
		switch n := 1 + sharedPrefix(record, event); {
		case n > most:
			best, most, several = record, n, false
		case n == most:
			several = true
		}
	}
	if several {
		return ""
	}
	return best
}

func sharedPrefix(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// sameArguments says whether two functions are called alike.
func sameArguments(a, b *btf.FuncProto) bool {
	return a != nil && b != nil && slices.EqualFunc(a.Params, b.Params, func(a, b btf.FuncParam) bool {
		return ctype.Text(a.Type) == ctype.Text(b.Type)
	})
}

// callFields writes the fields of a system call's tracepoint.
func (t *types) callFields(text *strings.Builder, event string) bool {
	writeField(text, "int __syscall_nr", 8, 4, true)
	inner := t.calls[event]
	if inner == "" {
		writeField(text, "long ret", 16, 8, true)
		return true
	}
	proto := t.funcs[inner]
	if proto == nil {
		return false
	}
	if takesNothing(proto) {
		return true
	}
	for i, p := range proto.Params {
		writeField(text, declaration(p.Type, p.Name), 16+8*i, 8, false)
	}
	return true
}

func writeField(text *strings.Builder, declaration string, offset, size int, signed bool) {
	sign := 0
	if signed {
		sign = 1
	}
	fmt.Fprintf(text, "\tfield:%s;\toffset:%d;\tsize:%d;\tsigned:%d;\n", declaration, offset, size, sign)
}

// declaration declares a field as tracefs does.
func declaration(t btf.Type, name string) string {
	for _, where := range []string{"__data_loc", "__rel_loc"} {
		if field, ok := strings.CutPrefix(name, where+"_"); ok {
			return where + " char[] " + field
		}
	}
	if array, ok := t.(*btf.Array); ok {
		return fmt.Sprintf("%s %s[%d]", ctype.Text(array.Type), name, array.Nelems)
	}
	return ctype.Text(t) + " " + name
}

func isSigned(t btf.Type) bool {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Int:
		return t.Encoding == btf.Signed
	case *btf.Enum:
		return t.Signed
	case *btf.Array:
		return isSigned(t.Type)
	}
	return false
}
