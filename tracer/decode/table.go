package decode

import (
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A decoder is one row: how values whose type has the display of that name
// become text. Each has a file of its own.
type decoder struct {
	text func(d *Decoder, v object.Value) string

	// json is nil where the text is what JSON shows too.
	json func(d *Decoder, v object.Value) any

	// symbols says that the text is of kernel symbols.
	symbols bool

	// shared says that values may have the same text, at a time or one after the other:
	// names are given again, addresses lie in one function, and 2 and -2 are ENOENT.
	shared bool

	// labels are what labels of a key part can be of, where that is more than its
	// text, and texts makes what they hold, in the same order. Both are nil for most.
	labels []string
	texts  func(d *Decoder, v object.Value) (texts []string, settled bool)
}

var decoders map[string]decoder

// Rows refer to methods that refer to the table, so it is filled here.
func init() {
	decoders = map[string]decoder{
		"time":     {text: timeText, json: integer, shared: true},
		"walltime": {text: walltime, json: integer, shared: true},
		"func":     {text: (*Decoder).function, symbols: true, shared: true},
		"userfunc": {text: (*Decoder).userFunction, shared: true},
		"probe":    {text: (*Decoder).probe},
		"symbol":   {text: (*Decoder).symbol, symbols: true, shared: true},
		"stack":    {text: (*Decoder).foldedStack, json: (*Decoder).stackList, symbols: true, shared: true},
		"ustack":   {text: (*Decoder).foldedStack, json: (*Decoder).stackList, shared: true},
		"usym":     {text: (*Decoder).userSymbol, shared: true},
		"errno":    {text: errnoName, shared: true},
		"enum":     {text: enumName},
		"signal":   {text: signalName},
		"syscall":  {text: (*Decoder).syscall},
		"device":   {text: (*Decoder).device, shared: true},
		"username": {text: (*Decoder).user, shared: true},
		"cgroup":   {text: (*Decoder).cgroup, labels: groupLabels, texts: (*Decoder).groupTexts, shared: true},
		"ntop":     {text: inet},
		"hex":      {text: hexText},
		"mac":      {text: macText},
		"pci":      {text: (*Decoder).pciDevice, shared: true},
		"pciclass": {text: (*Decoder).pciClass, shared: true},
		"ifname":   {text: (*Decoder).networkInterface, shared: true},
		"mem":      {text: (*Decoder).record, json: (*Decoder).recordList, shared: true},
	}
}

// SharesText says whether values of type t that differ may have the same text.
func SharesText(t *plylang.Type) bool {
	row, _ := decoderOf(t)
	return row.shared
}

func decoderOf(t *plylang.Type) (decoder, bool) {
	if t.Display == nil {
		return decoder{}, false
	}
	row, ok := decoders[t.Display.Name]
	return row, ok
}
