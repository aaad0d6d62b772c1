// Package decode turns a value and its type into text: symbols, errno names,
// addresses, devices, users. A type's display names the decoder, which is a row
// of decoders and a file. What text may hold where it is shown is in escape.go.
package decode

import (
	"encoding/hex"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A Decoder shows the values of one script. It is safe for use by several
// goroutines where stacks is, which it was made with.
type Decoder struct {
	machine *Machine
	probes  []string
	stacks  Stacks
}

// Stacks are the stacks of a script by their ids, innermost frame first, and the names
// of the probes that it has got since it started. A tracer has them.
type Stacks interface {
	Stack(id int64) []uint64           // of the kernel
	UserStack(id int64) []object.Frame // of processes
	LaterProbe(id int64) string        // "" if there is none
}

// New returns a decoder of one script's values. machine may be shared by any
// number of them. probes are the object's probe names by ID, Object.Probes;
// stacks may be nil when the script keeps none:
//
//	machine := decode.NewMachine(k)
//	d := decode.New(machine, obj.Probes, tr)
//	for _, part := range m.Split(row.Key) {
//		fmt.Println(decode.ForTerminal.Escape(d.Text(part)))
//	}
//
// It needs no particular kernel, and never fails: what has no name is shown as
// the number that it is.
func New(machine *Machine, probes []string, stacks Stacks) *Decoder {
	return &Decoder{machine: machine, probes: probes, stacks: stacks}
}

// NumbersRead is that of the machine: to be called when values have been read,
// before they are shown.
func (d *Decoder) NumbersRead() { d.machine.NumbersRead() }

// EventRead is the same for an event.
func (d *Decoder) EventRead() { d.machine.EventRead() }

// Text returns the value as a person reads it. Strings are returned as they
// are, whatever their bytes: whoever shows the text escapes it.
func (d *Decoder) Text(v object.Value) string {
	if row, ok := decoderOf(v.Type); ok {
		return row.text(d, v)
	}
	switch v.Type.Kind {
	case plylang.String:
		return cString(v.Raw)
	case plylang.Pointer:
		return hexText(d, v)
	case plylang.Int, plylang.Enum, plylang.Bool, plylang.Stack:
		return Number(v)
	}
	return "0x" + hex.EncodeToString(v.Raw)
}

// JSON returns the value as encoding/json shows it exactly: int64, uint64,
// string, or a list of strings for a stack.
func (d *Decoder) JSON(v object.Value) any {
	if row, ok := decoderOf(v.Type); ok {
		if row.json != nil {
			return row.json(d, v)
		}
		return row.text(d, v)
	}
	if v.Type.Integer() {
		return integer(d, v)
	}
	return d.Text(v)
}

// LabelNames are what labels of a key part of type t can be of, besides its text; nil
// where they are of its text only.
func LabelNames(t *plylang.Type) []string {
	row, _ := decoderOf(t)
	return row.labels
}

// Labels returns the text of each of LabelNames. They are settled when they will stay
// as they are.
func (d *Decoder) Labels(v object.Value) (texts []string, settled bool) {
	if row, _ := decoderOf(v.Type); row.labels != nil {
		return row.texts(d, v)
	}
	return nil, true
}

// Number returns an integer in decimal, by its own sign.
func Number(v object.Value) string {
	if v.Type.Signed {
		return strconv.FormatInt(v.Int(), 10)
	}
	return strconv.FormatUint(uint64(v.Int()), 10)
}

func integer(_ *Decoder, v object.Value) any {
	if v.Type.Signed {
		return v.Int()
	}
	return uint64(v.Int())
}

// cString returns the bytes up to the first NUL.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
