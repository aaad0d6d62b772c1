package exporter

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// enumOf has the names of a key's values, nil where they are shown otherwise.
func enumOf(t *plylang.Type) *plylang.Enumeration {
	if t == nil || t.Display == nil {
		return nil
	}
	e, _ := t.Display.Arg.(*plylang.Enumeration)
	return e
}

// enumNames is valueNames for values that have names. A key is a name, also one
// that is not the one shown, or a number.
func enumNames(t *plylang.Type, m *config.Metric, l config.Label) (map[string]string, *plylang.Error) {
	names, written := map[string]string{}, map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(l.Map)) {
		text := key
		if value, ok := enumKey(enumOf(t), key); ok {
			text = enumText(t, value)
		}
		if first, twice := written[text]; twice {
			return nil, m.At("labels").Errorf("key %s of a label table can never match: it is %s again", key, first)
		}
		names[text], written[text] = l.Map[key], key
	}
	return names, nil
}

// enumKey is the value that a table's key stands for.
func enumKey(e *plylang.Enumeration, key string) (value int64, ok bool) {
	if r, isNumber := config.ParseInteger(key); isNumber {
		return r.Int64(), r.IsInt64()
	}
	return e.Value(key)
}

// enumText is the text of a value's label.
func enumText(t *plylang.Type, value int64) string {
	raw := binary.LittleEndian.AppendUint64(nil, uint64(value))
	return fixedText(object.Value{Type: t, Raw: raw})
}

// noMachine decodes values whose text is the same on every machine.
var noMachine = sync.OnceValue(func() *decode.Decoder { return decode.New(decode.NewMachine(nil), nil, nil) })

// fixedText is the label of such a value.
func fixedText(v object.Value) string { return decode.ForLabel.Escape(noMachine().Text(v)) }

// tableWarnings are about the keys of label tables that may mean something else on
// another kernel: numbers of values that have names, and names that this one does
// not have.
func (m *metric) tableWarnings() plylang.ErrorList {
	var list plylang.ErrorList
	if m.given == nil {
		return nil
	}
	parts := labelsFor(m.decl, m.given)
	if len(m.given.Labels) != len(parts) {
		return nil
	}
	for i, l := range m.given.Labels {
		e := enumOf(m.decl.Keys[parts[i].part])
		if e == nil || l.Regexp != nil { // with an expression, keys are texts that it leaves
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(l.Map)) {
			if doubt := doubtfulKey(e, key); doubt != "" {
				list = append(list, m.given.At("labels").Errorf("key %s of a label table %s", key, doubt))
			}
		}
	}
	return list
}

func doubtfulKey(e *plylang.Enumeration, key string) string {
	value, ok := enumKey(e, key)
	_, isNumber := config.ParseInteger(key)
	switch name := e.NameOf(value); {
	case ok && isNumber && name != "":
		return fmt.Sprintf("is %s on this kernel, and may be another one's number elsewhere: write %s", name, name)
	case !ok && !e.Flags:
		return fmt.Sprintf("is no name in %s of this kernel%s", e.What(), plylang.DidYouMean(key, e.Names()))
	}
	return ""
}
