package exporter

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// textsOfNumbers are the displays whose text depends on the number alone.
var textsOfNumbers = []*plylang.Display{nil, plylang.DisplayHex, plylang.DisplayErrno, plylang.DisplaySignal}

// valueNames returns a label table by the texts that values of type t have.
// Keys of numbers are matched by value, however they are written. A key that
// no value can have is an error.
func valueNames(t *plylang.Type, m *config.Metric, l config.Label) (map[string]string, *plylang.Error) {
	if l.Regexp != nil {
		return l.Map, nil // of the texts that it leaves
	}
	if enumOf(t) != nil {
		return enumNames(t, m, l)
	}
	if t.Kind == plylang.String {
		for key := range l.Map {
			if len(key) > t.Size {
				return nil, m.At("labels").Errorf("key %s of a label table can never match: the values have at most %d bytes", key, t.Size)
			}
		}
	}
	number := t.Kind == plylang.Int || t.Kind == plylang.Pointer
	if l.Map == nil || !number || !slices.Contains(textsOfNumbers, t.Display) {
		return l.Map, nil
	}
	names, written := map[string]string{}, map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(l.Map)) {
		text, why := valueText(t, key)
		if first, twice := written[text]; twice && why == "" {
			why = "it is " + first + " again"
		}
		if why != "" {
			return nil, m.At("labels").Errorf("key %s of a label table can never match: %s", key, why)
		}
		names[text], written[text] = l.Map[key], key
	}
	return names, nil
}

// valueText returns the text of the value that a table's key stands for, or
// why none has it.
func valueText(t *plylang.Type, key string) (text, why string) {
	named := t.Display == plylang.DisplayErrno || t.Display == plylang.DisplaySignal
	r, ok := config.ParseInteger(key)
	if !ok {
		if named {
			return key, ""
		}
		return "", "the values are numbers"
	}
	raw := make([]byte, 8)
	bits := r.Uint64()
	if r.Sign() < 0 {
		bits = uint64(r.Int64())
	}
	binary.LittleEndian.PutUint64(raw, bits)
	v := object.Value{Type: t, Raw: raw}
	fits := r.IsInt64() && v.Int() == r.Int64()
	if !t.Signed {
		fits = r.IsUint64() && uint64(v.Int()) == r.Uint64()
	}
	if !fits {
		return "", "the values do not have that number"
	}
	text = fixedText(v)
	if named && !strings.ContainsAny(text[:1], "-0123456789") {
		return "", "the text of that value is " + text
	}
	return text, ""
}
