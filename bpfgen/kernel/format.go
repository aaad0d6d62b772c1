package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Format is a tracepoint's record, as its format file tells.
type Format struct {
	Name   string
	ID     int
	Fields []Field // in the record's order, the common ones first

	print string // "print fmt", where it has names of values
}

// Field returns the field of a name, nil when there is none.
func (f *Format) Field(name string) *Field {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			return &f.Fields[i]
		}
	}
	return nil
}

// A Field is a field of a tracepoint's record.
//
// Its declared type may be narrower than its slot: every argument of a system
// call has 8 bytes, also an int; see Scalar.
type Field struct {
	Name   string
	CType  string // as declared, with what is behind the name: "pid_t", "char[16]", "__data_loc char[]", "const char *"
	Elem   string // declared type of one element: CType without brackets and __data_loc
	Offset int    // bytes from the record's start
	Size   int    // bytes of the slot
	Signed bool   // as the format file tells of the slot

	Array    bool // has a fixed number of elements, or an unknown one up to the record's end
	Len      int  // number of elements, 0 when it is unknown
	ElemSize int  // bytes of one element, 0 when it is unknown

	// DataLoc and RelLoc fields are 4 bytes in the record: a length in the
	// upper and an offset in the lower half, which counts from the record's
	// start or from the field's end.
	DataLoc, RelLoc bool

	Common  bool // in every record; programs do not get it
	Pointer bool // an address; whether in user or in kernel memory depends on the tracepoint
	Inet    bool // bytes that are an IP address
}

// Dynamic says whether the field refers to data elsewhere in the record.
func (f *Field) Dynamic() bool { return f.DataLoc || f.RelLoc }

// Scalar returns the width in bytes and the sign of the number in a field: those
// of its declared type where that is a known integer type, else those of the
// slot. On a little-endian machine the number lies at the slot's start. A size
// other than 1, 2, 4 or 8 means that it is no number but a struct such as
// uuid_t. It is not meaningful for arrays and dynamic fields.
func (f *Field) Scalar() (size int, signed bool) {
	if known, ok := integers[strings.TrimPrefix(f.CType, "const ")]; ok && known.size <= f.Size {
		return known.size, known.signed
	}
	if strings.HasPrefix(f.CType, "enum ") && f.Size > 4 {
		return 4, f.Signed // an enum in a system call's slot
	}
	return f.Size, f.Signed
}

// integers are C's integer types and those of the kernel whose width is the
// same on all 64-bit architectures.
var integers = map[string]struct {
	size   int
	signed bool
}{
	"bool": {1, false}, "signed char": {1, true}, "unsigned char": {1, false},
	"short": {2, true}, "unsigned short": {2, false},
	"int": {4, true}, "signed int": {4, true}, "unsigned int": {4, false}, "unsigned": {4, false}, "uint": {4, false},
	"long": {8, true}, "long int": {8, true}, "unsigned long": {8, false}, "unsigned long int": {8, false},
	"long long": {8, true}, "unsigned long long": {8, false},
	"s8": {1, true}, "u8": {1, false}, "__s8": {1, true}, "__u8": {1, false}, "int8_t": {1, true}, "uint8_t": {1, false},
	"s16": {2, true}, "u16": {2, false}, "__s16": {2, true}, "__u16": {2, false}, "int16_t": {2, true}, "uint16_t": {2, false},
	"s32": {4, true}, "u32": {4, false}, "__s32": {4, true}, "__u32": {4, false}, "int32_t": {4, true}, "uint32_t": {4, false},
	"s64": {8, true}, "u64": {8, false}, "__s64": {8, true}, "__u64": {8, false}, "int64_t": {8, true}, "uint64_t": {8, false},
	"pid_t": {4, true}, "uid_t": {4, false}, "gid_t": {4, false}, "qid_t": {4, false}, "dev_t": {4, false},
	"old_uid_t": {2, false}, "old_gid_t": {2, false},
	"umode_t": {2, false}, "gfp_t": {4, false}, "key_t": {4, true}, "key_serial_t": {4, true}, "mqd_t": {4, true},
	"clockid_t": {4, true}, "timer_t": {4, true}, "rwf_t": {4, true},
	"size_t": {8, false}, "ssize_t": {8, true}, "loff_t": {8, true}, "off_t": {8, true},
	"sector_t": {8, false}, "ino_t": {8, false}, "aio_context_t": {8, false}, "time64_t": {8, true},
}

// parseFormat reads a format file:
//
//	name: sched_process_exec
//	ID: 365
//	format:
//		field:int common_pid;	offset:4;	size:4;	signed:1;
//
//		field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
//
//	print fmt: …
//
// Common fields come first; an empty line ends them.
func parseFormat(r io.Reader) (*Format, error) {
	format := &Format{ID: -1}
	common := true
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // some print formats are very long
	for lines.Scan() {
		line := lines.Text()
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "name":
			format.Name = strings.TrimSpace(value)
		case "ID":
			id, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || id < 0 {
				return nil, fmt.Errorf("format: %q is not a number", line)
			}
			format.ID = id
		case "field", "field special":
			field, err := parseField(value)
			if err != nil {
				return nil, fmt.Errorf("format: %q: %w", strings.TrimSpace(line), err)
			}
			field.Common = common
			format.Fields = append(format.Fields, field)
		case "print fmt":
			format.markAddresses(strings.TrimSpace(value))
			if strings.Contains(value, "__print_") {
				format.print = value
			}
		case "":
			common = common && len(format.Fields) == 0
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	if format.ID < 0 {
		return nil, errors.New("format: has no ID")
	}
	return format, nil
}

// parseField reads "int common_pid;	offset:4;	size:4;	signed:1;".
func parseField(text string) (Field, error) {
	parts := strings.Split(text, ";")
	field := Field{}
	if err := field.declare(strings.TrimSpace(parts[0])); err != nil {
		return Field{}, err
	}
	seen := 0
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		number, err := strconv.ParseUint(value, 10, 31)
		switch key {
		case "offset":
			field.Offset = int(number)
		case "size":
			field.Size = int(number)
		case "signed":
			field.Signed = number != 0
		default:
			continue
		}
		if err != nil {
			return Field{}, fmt.Errorf("%s is %q, not a number", key, value)
		}
		seen++
	}
	if seen != 3 {
		return Field{}, errors.New("offset, size or signed is missing")
	}
	field.size()
	return field, nil
}

// declare takes a C declaration apart: "unsigned long args[6]",
// "__data_loc char[] name", "int (*fn)(void *)".
func (f *Field) declare(text string) error {
	if before, after, ok := strings.Cut(text, "(*"); ok {
		name, rest, closed := strings.Cut(after, ")")
		if !closed || name == "" {
			return errors.New("is not a declaration")
		}
		f.Name, f.CType, f.Pointer = strings.TrimSpace(name), before+"(*)"+rest, true
		f.Elem = f.CType
		return nil
	}
	decl, bracket := text, ""
	if open := strings.LastIndexByte(text, '['); open >= 0 && strings.HasSuffix(text, "]") {
		decl, bracket = strings.TrimSpace(text[:open]), text[open:]
	}
	start := 1 + strings.LastIndexFunc(decl, func(r rune) bool { return !isWord(r) })
	f.Name, f.Elem = decl[start:], strings.TrimSpace(decl[:start])
	if f.Name == "" || f.Elem == "" {
		return errors.New("is not a declaration")
	}
	f.CType = f.Elem + bracket
	f.Pointer = bracket == "" && strings.HasSuffix(f.Elem, "*")
	if bracket != "" {
		f.Array = true
		f.Len, _ = strconv.Atoi(strings.Trim(bracket, "[] ")) // sizes may be named: the slot then tells
	}
	f.dynamic()
	return nil
}

// dynamic recognizes "__data_loc char[]" and "__rel_loc u8[]".
func (f *Field) dynamic() {
	var elem string
	if elem, f.DataLoc = strings.CutPrefix(f.Elem, "__data_loc "); !f.DataLoc {
		elem, f.RelLoc = strings.CutPrefix(f.Elem, "__rel_loc ")
	}
	f.Elem = strings.TrimSpace(strings.TrimSuffix(elem, "[]"))
}

// size finds out the size of an element, and the number of them where the
// declaration names a constant that only the kernel's source knows.
func (f *Field) size() {
	switch known, ok := integers[strings.TrimPrefix(f.Elem, "const ")]; {
	case f.Elem == "char":
		f.ElemSize = 1
	case strings.HasSuffix(f.Elem, "*"):
		f.ElemSize = 8
	case ok:
		f.ElemSize = known.size
	case f.Array && f.Len > 0 && f.Size%f.Len == 0:
		f.ElemSize = f.Size / f.Len
	}
	if f.Array && f.Len <= 0 {
		f.Len = 0
		if f.ElemSize > 0 {
			f.Len = f.Size / f.ElemSize
		}
	}
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
