package object

import (
	"fmt"

	"ply-exporter/plylang"
)

// MaxText is how many bytes a text or record has at most.
const MaxText = 512

// A Record is what mem(p, "format") reads.
type Record struct {
	Format string
	Fields []RecordField
	Size   int // bytes
}

// String returns the format.
func (r *Record) String() string { return r.Format }

// A RecordField is one value of a record that mem(p, "format") reads.
type RecordField struct {
	Type   *plylang.Type
	Offset int
}

// recordTypes are the letters of a record's format, as in Python's struct:
// lower case is signed; w and p are those of 2017. Values lie side by side, without padding between them.
var recordTypes = map[byte]*plylang.Type{
	'b': plylang.S8, 'B': plylang.U8, 'h': plylang.S16, 'H': plylang.U16, 'i': plylang.S32, 'I': plylang.U32,
	'l': plylang.S64, 'L': plylang.U64, 'q': plylang.S64, 'Q': plylang.U64, 'w': plylang.S32, 'W': plylang.U32,
	'p': {Kind: plylang.Pointer, Size: 8, Elem: plylang.VoidT},
}

// ParseRecord reads the format of mem(p, "format"):
//
//	format = { [ count ] ( letter of recordTypes | "s" | "x" ) } ;
//
// A count repeats; before "s" it is the length of a text, and "x" is a byte
// that is passed over.
func ParseRecord(format string) (*Record, error) {
	r := &Record{Format: format}
	for i := 0; i < len(format); i++ {
		count, digits := 0, 0
		for ; i < len(format) && format[i] >= '0' && format[i] <= '9'; i, digits = i+1, digits+1 {
			count = min(10*count+int(format[i]-'0'), MaxText+1)
		}
		if digits == 0 {
			count = 1
		}
		if i == len(format) {
			return nil, fmt.Errorf("a letter is missing after the number in %q", format)
		}
		t, ok := recordTypes[format[i]]
		switch {
		case format[i] == 'x':
			r.Size += count
		case format[i] == 's' && count == 0:
			return nil, fmt.Errorf("%q has a text of no length", format)
		case format[i] == 's':
			r.Fields = append(r.Fields, RecordField{plylang.StringType(count), r.Size})
			r.Size += count
		case ok:
			for ; count > 0 && r.Size <= MaxText; count-- {
				r.Fields = append(r.Fields, RecordField{t, r.Size})
				r.Size += t.Size
			}
		default:
			return nil, fmt.Errorf("no letter %q in the format of a record: there are b B h H i I w W l L q Q, p for an address, s for text and x for a byte to pass over", format[i])
		}
		if r.Size > MaxText {
			return nil, fmt.Errorf("the record is larger than %d bytes", MaxText)
		}
	}
	if len(r.Fields) == 0 {
		return nil, fmt.Errorf("the format %q reads nothing", format)
	}
	return r, nil
}
