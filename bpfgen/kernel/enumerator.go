package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"ply-exporter/plylang"
)

// Enumerators
//
// Which enums have a value of a given name is no question that a library answers
// but by decoding all types, which takes tens of megabytes. So the records of the
// types are gone through once as they lie in the file: a header, the types one
// after the other, each with a size that follows from its kind, and the names. Of
// the enums a copy is kept, about a megabyte, with a hash of each name of a value.

// An enumCache keeps the enums, and those that were found by the name of one of
// their values.
type enumCache struct {
	sync.Mutex
	index func() *enumIndex
	found map[string][]*plylang.Enumeration
}

func (k *Kernel) indexEnums() *enumIndex {
	raw, done, err := k.mapFile("sys/kernel/btf/vmlinux")
	if err != nil {
		return &enumIndex{}
	}
	defer done()
	return indexEnums(raw)
}

// mapFile returns what a file has, until done is called. A file of the running kernel
// is not copied where that can be mapped, as the types can since Linux 6.16.
func (k *Kernel) mapFile(name string) (content []byte, done func(), err error) {
	if file, err := k.files.Open(name); err == nil && k.running() {
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			mapped, err := unix.Mmap(int(file.(*os.File).Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
			if err == nil {
				return mapped, func() { _ = unix.Munmap(mapped) }, nil // fails for wrong arguments only
			}
		}
	}
	content, err = fs.ReadFile(k.files, name)
	return content, func() {}, err
}

// Enumerators returns the enums of the kernel that have a value of that name, each
// content once, in the order of the file. A kernel without type information has none.
func (k *Kernel) Enumerators(name string) []*plylang.Enumeration {
	cache := k.kept.Load().enums
	cache.Lock()
	defer cache.Unlock()
	found, ok := cache.found[name]
	if !ok {
		found = cache.index().with(name)
		if cache.found == nil {
			cache.found = map[string][]*plylang.Enumeration{}
		}
		cache.found[name] = found
	}
	return found
}

// An enumIndex has the records of the enums and where in them each value is.
type enumIndex struct {
	enums  typesFile
	hashes []uint32 // of the names of all values
	at     []uint32 // where the records of their enums are
	seed   maphash.Seed
}

// indexEnums makes an index of a file, empty if that is not type information.
func indexEnums(raw []byte) *enumIndex {
	x := &enumIndex{seed: maphash.MakeSeed()}
	f, err := readTypesFile(raw)
	if err != nil {
		return x
	}
	for {
		rest := f.types
		t, ok := f.next()
		if !ok {
			break
		}
		if t.isEnum() {
			x.add(&f, t, rest[:len(rest)-len(f.types)])
		}
	}
	return x
}

// add copies a record of f, with its names.
func (x *enumIndex) add(f *typesFile, t rawType, record []byte) {
	at := len(x.enums.types)
	x.enums.types = append(x.enums.types, record...)
	copied := x.enums.types[at:]
	x.copyName(f, copied)
	size := moreBytes[t.kind].each
	for i := range t.count {
		name := x.copyName(f, copied[12+i*size:])
		x.hashes, x.at = append(x.hashes, x.hash(name)), append(x.at, uint32(at))
	}
}

// copyName copies the name whose offset in f begins a record, and enters its new one.
func (x *enumIndex) copyName(f *typesFile, record []byte) []byte {
	name := f.name(binary.LittleEndian.Uint32(record))
	binary.LittleEndian.PutUint32(record, uint32(len(x.enums.names)))
	x.enums.names = append(append(x.enums.names, name...), 0)
	return name
}

func (x *enumIndex) hash(name []byte) uint32 { return uint32(maphash.Bytes(x.seed, name)) }

// with returns the enums that have a value of that name. To compare all hashes takes
// microseconds, and to sort them as long as some hundred such searches.
func (x *enumIndex) with(name string) (found []*plylang.Enumeration) {
	if len(x.hashes) == 0 {
		return nil
	}
	hash := x.hash([]byte(name))
	for i, other := range x.hashes {
		if other != hash {
			continue
		}
		record := typesFile{types: x.enums.types[x.at[i]:], names: x.enums.names}
		t, _ := record.next()
		if !record.hasValue(t, name) {
			continue
		}
		if e := record.enumeration(t); !hasEqual(found, e) {
			found = append(found, e)
		}
	}
	return found
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

func (t rawType) isEnum() bool { return t.kind == kindEnum || t.kind == kindEnum64 }

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
