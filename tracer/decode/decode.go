// Package decode turns a value and its type into text: symbols, errno names,
// addresses, devices, users. It reads what it needs of this machine when a
// value asks for it, never before, and keeps what it read.
package decode

import (
	"encoding/hex"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A Decoder shows the values of one script. It is safe for use by one
// goroutine at a time.
type Decoder struct {
	kernel *kernel.Kernel
	probes []string
	stacks func(id int64) []uint64

	symbols *kernel.Symbols // nil until a symbol is asked for
	noSyms  bool            // reading symbols failed; do not try again
	users   map[int64]string
	devices *devices
	cgroups *cgroups
}

// New returns a decoder. probes are the object's probe names by id; stacks
// returns the addresses of a stack, innermost first, and may be nil when the
// script keeps none.
func New(k *kernel.Kernel, probes []string, stacks func(id int64) []uint64) *Decoder {
	return &Decoder{kernel: k, probes: probes, stacks: stacks}
}

// A show is one row: how values whose type has the display of that name become text. json is
// nil where the text is what JSON shows too.
type show struct {
	text func(d *Decoder, v object.Value) string
	json func(d *Decoder, v object.Value) any
}

var shows map[string]show

// The rows refer to methods that refer to the table, so it is filled here.
func init() {
	shows = map[string]show{
		plylang.DisplayTime.Name:     {timeText, integer},
		plylang.DisplayWalltime.Name: {walltime, integer},
		plylang.DisplayFunc.Name:     {(*Decoder).function, nil},
		plylang.DisplayProbe.Name:    {(*Decoder).probe, nil},
		plylang.DisplaySymbol.Name:   {(*Decoder).symbol, nil},
		plylang.DisplayStack.Name:    {(*Decoder).foldedStack, (*Decoder).stackList},
		plylang.DisplayErrno.Name:    {errnoName, nil},
		plylang.DisplaySignal.Name:   {signalName, nil},
		plylang.DisplaySyscall.Name:  {(*Decoder).syscall, nil},
		plylang.DisplayDevice.Name:   {(*Decoder).device, nil},
		plylang.DisplayUser.Name:     {(*Decoder).user, nil},
		plylang.DisplayCgroup.Name:   {(*Decoder).cgroup, nil},
		plylang.DisplayInet.Name:     {inet, nil},
		plylang.DisplayHex.Name:      {hexText, nil},
		"mem":                        {(*Decoder).record, (*Decoder).recordList},
	}
}

func rowOf(t *plylang.Type) (show, bool) {
	if t.Display == nil {
		return show{}, false
	}
	row, ok := shows[t.Display.Name]
	return row, ok
}

// Text returns the value as a person reads it. Strings are returned as they
// are, whatever their bytes; escaping is the caller's business.
func (d *Decoder) Text(v object.Value) string {
	if row, ok := rowOf(v.Type); ok {
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
	if row, ok := rowOf(v.Type); ok {
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

func hexText(_ *Decoder, v object.Value) string {
	return "0x" + strconv.FormatUint(uint64(v.Int()), 16)
}

// cString returns the bytes up to the first NUL.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func (d *Decoder) probe(v object.Value) string {
	id := v.Int()
	if id < 0 || id >= int64(len(d.probes)) {
		return "probe " + strconv.FormatInt(id, 10)
	}
	return d.probes[id]
}
