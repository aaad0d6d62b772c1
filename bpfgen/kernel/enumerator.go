package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"sync"

	"ply-exporter/plylang"
)

// Enumerators
//
// Which enums have a value of a given name is no question that a library answers
// but by decoding all types, which takes tens of megabytes. So the records of the
// types are gone through as they lie in the file: a header, the types one after
// the other, each with a size that follows from its kind, and the names.

// An enumCache keeps the enums by the name of one of their values.
type enumCache struct {
	sync.Mutex
	found map[string][]*plylang.Enumeration
}

// Enumerators returns the enums of the kernel that have a value of that name, each
// content once. A kernel without type information has none.
func (k *Kernel) Enumerators(name string) []*plylang.Enumeration {
	cache := &k.kept.Load().enums
	cache.Lock()
	defer cache.Unlock()
	if found, ok := cache.found[name]; ok {
		return found
	}
	if cache.found == nil {
		cache.found = map[string][]*plylang.Enumeration{}
	}
	raw, err := fs.ReadFile(k.files, "sys/kernel/btf/vmlinux")
	if err == nil {
		cache.found[name], err = enumsWith(raw, name)
	}
	if err != nil {
		cache.found[name] = nil
	}
	return cache.found[name]
}

var errNotTypes = errors.New("is not type information")

// A typesFile is BTF as it lies in its file.
type typesFile struct {
	types, names []byte
}

func readTypesFile(raw []byte) (f typesFile, err error) {
	const header = 24
	if len(raw) < header || binary.LittleEndian.Uint16(raw) != 0xeb9f {
		return f, errNotTypes
	}
	part := func(at int) []byte {
		begin := uint64(binary.LittleEndian.Uint32(raw[4:])) + uint64(binary.LittleEndian.Uint32(raw[at:]))
		end := begin + uint64(binary.LittleEndian.Uint32(raw[at+4:]))
		if end > uint64(len(raw)) {
			err = errNotTypes
			return nil
		}
		return raw[begin:end]
	}
	return typesFile{types: part(8), names: part(16)}, err
}

// name is the text at an offset.
func (f typesFile) name(at uint32) []byte {
	if uint64(at) >= uint64(len(f.names)) {
		return nil
	}
	text, _, _ := bytes.Cut(f.names[at:], []byte{0})
	return text
}

// Kinds of types that have more than their 12 bytes: a fixed number, and one for
// each of what they list.
const (
	kindEnum   = 6
	kindEnum64 = 19
	kindLast   = 19
)

var moreBytes = [kindLast + 1]struct{ fixed, each int }{
	1: {fixed: 4}, 3: {fixed: 12}, 4: {each: 12}, 5: {each: 12}, kindEnum: {each: 8}, 13: {each: 8},
	14: {fixed: 4}, 15: {each: 12}, 17: {fixed: 4}, kindEnum64: {each: 12},
}

// A rawType is a type's record.
type rawType struct {
	name   uint32
	kind   int
	signed bool
	count  int
	more   []byte
}

// next takes a record from the front of the types.
func (f *typesFile) next() (t rawType, ok bool) {
	if len(f.types) < 12 {
		return t, false
	}
	info := binary.LittleEndian.Uint32(f.types[4:])
	t = rawType{
		name: binary.LittleEndian.Uint32(f.types), kind: int(info >> 24 & 31), signed: info>>31 != 0, count: int(info & 0xffff),
	}
	if t.kind > kindLast {
		return t, false
	}
	more := moreBytes[t.kind]
	end := 12 + more.fixed + t.count*more.each
	if end > len(f.types) {
		return t, false
	}
	t.more, f.types = f.types[12:end], f.types[end:]
	return t, true
}

// enumsWith returns the enums that have a value of that name.
func enumsWith(raw []byte, name string) ([]*plylang.Enumeration, error) {
	f, err := readTypesFile(raw)
	if err != nil {
		return nil, err
	}
	var found []*plylang.Enumeration
	for {
		t, ok := f.next()
		if !ok {
			return found, nil
		}
		if t.kind != kindEnum && t.kind != kindEnum64 || !f.hasValue(t, name) {
			continue
		}
		if e := f.enumeration(t); !hasEqual(found, e) {
			found = append(found, e)
		}
	}
}

func hasEqual(list []*plylang.Enumeration, e *plylang.Enumeration) bool {
	for _, other := range list {
		if other.Equal(e) {
			return true
		}
	}
	return false
}

func (f *typesFile) hasValue(t rawType, name string) bool {
	size := moreBytes[t.kind].each
	for i := range t.count {
		if string(f.name(binary.LittleEndian.Uint32(t.more[i*size:]))) == name {
			return true
		}
	}
	return false
}

func (f *typesFile) enumeration(t rawType) *plylang.Enumeration {
	e := &plylang.Enumeration{Name: string(f.name(t.name))}
	size := moreBytes[t.kind].each
	for i := range t.count {
		raw := t.more[i*size:]
		low := binary.LittleEndian.Uint32(raw[4:])
		value := int64(low)
		switch {
		case t.kind == kindEnum64:
			value |= int64(binary.LittleEndian.Uint32(raw[8:])) << 32
		case t.signed:
			value = int64(int32(low))
		}
		e.Values = append(e.Values, plylang.Enumerator{Name: string(f.name(binary.LittleEndian.Uint32(raw))), Value: value})
	}
	return e
}
