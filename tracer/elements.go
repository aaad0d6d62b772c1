package tracer

import (
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// chunk is what an iterator gives in one read(2) at most: the kernel's buffer
// has 8 pages.
const chunk = 32 << 10

// openIter attaches the iterator program to the map.
func (r *mapReader) openIter() error {
	program, err := shared.program(r.shape)
	if err != nil {
		return err
	}
	r.iter, err = link.AttachIter(link.IterOptions{Program: program, Map: r.kernel})
	return err
}

// readElements appends all elements to data, some perhaps twice.
func (r *mapReader) readElements() error {
	if r.iter != nil {
		return r.iterate()
	}
	err := r.batch()
	if errors.Is(err, ebpf.ErrNotSupported) {
		r.data = r.data[:0]
		return r.walk()
	}
	return err
}

// iterate reads through the iterator, which disturbs nobody.
func (r *mapReader) iterate() error {
	it, err := r.iter.Open()
	if err != nil {
		return err
	}
	defer it.Close()
	for {
		r.data = slices.Grow(r.data, chunk)
		n, err := it.Read(r.data[len(r.data):cap(r.data)])
		r.data = r.data[:len(r.data)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// batch reads by bpf(2), many elements a call. A call whose buffer is smaller
// than one of the map's buckets fails; then all begins again with twice the
// room.
func (r *mapReader) batch() error {
	for n := 256; ; n *= 2 {
		err := r.batchBy(n)
		if !errors.Is(err, unix.ENOSPC) || n > int(r.kernel.MaxEntries()) {
			return err
		}
		r.data = r.data[:0]
	}
}

func (r *mapReader) batchBy(n int) error {
	keys := wordArrays(r.KeySize/8, n)
	values := wordArrays(r.shape.words*r.shape.cpus, n)
	var cursor ebpf.MapBatchCursor
	for {
		got, err := r.kernel.BatchLookup(&cursor, keys.Interface(), values.Interface(), nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		for i := range got {
			r.data = appendWords(r.data, keys.Index(i))
			value := appendWords(nil, values.Index(i))
			r.data = append(r.data, r.shape.reduceBytes(value)...)
		}
		if err != nil {
			return nil
		}
	}
}

// wordArrays makes a []([size]uint64) of length n, the form in which the
// library takes memory of a size known at run time only.
func wordArrays(size, n int) reflect.Value {
	array := reflect.ArrayOf(size, reflect.TypeFor[uint64]())
	return reflect.MakeSlice(reflect.SliceOf(array), n, n)
}

func appendWords(b []byte, array reflect.Value) []byte {
	for i := range array.Len() {
		b = binary.LittleEndian.AppendUint64(b, array.Index(i).Uint())
	}
	return b
}

// walk reads by bpf(2), key by key. When the key it stands on is deleted the
// kernel begins again at the front, which is why the steps have a limit.
func (r *mapReader) walk() error {
	var key []byte
	for range 2 * r.kernel.MaxEntries() {
		var from any
		if key != nil {
			from = key
		}
		next, err := r.kernel.NextKeyBytes(from)
		if next == nil || err != nil {
			return err
		}
		key = next
		value, err := r.lookup(key)
		if err != nil {
			return err
		}
		if value != nil {
			r.data = append(append(r.data, key...), value...)
		}
	}
	return nil
}
