package object

import (
	"encoding/binary"

	"ply-exporter/plylang"
)

// A Value is some bytes of a record and what they mean.
type Value struct {
	Type *plylang.Type
	Raw  []byte // Type.Size bytes, or 8 where Type is an integer that was computed
}

// Int returns the value as 64 bits, widened by its own sign.
func (v Value) Int() int64 { return ReadInt(v.Type, v.Raw) }

// ReadInt reads an integer or pointer of type t from the beginning of raw.
func ReadInt(t *plylang.Type, raw []byte) int64 {
	switch {
	case t.Size == 1 && t.Signed:
		return int64(int8(raw[0]))
	case t.Size == 1:
		return int64(raw[0])
	case t.Size == 2 && t.Signed:
		return int64(int16(binary.LittleEndian.Uint16(raw)))
	case t.Size == 2:
		return int64(binary.LittleEndian.Uint16(raw))
	case t.Size == 4 && t.Signed:
		return int64(int32(binary.LittleEndian.Uint32(raw)))
	case t.Size == 4:
		return int64(binary.LittleEndian.Uint32(raw))
	}
	return int64(binary.LittleEndian.Uint64(raw))
}

// Split cuts a key of m into its components.
func (m *Map) Split(key []byte) []Value { return split(m.Key, key) }

// Split cuts the arguments out of a record of e.
func (e *Event) Split(record []byte) []Value { return split(e.Args, record) }

func split(parts []KeyPart, b []byte) []Value {
	out := make([]Value, len(parts))
	for i, p := range parts {
		out[i] = Value{Type: p.Type, Raw: b[p.Offset : p.Offset+p.Type.Size]}
	}
	return out
}

// Word returns 8-byte word i of a value.
func Word(value []byte, i int) uint64 { return binary.LittleEndian.Uint64(value[8*i:]) }
