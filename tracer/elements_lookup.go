package tracer

import (
	"encoding/binary"
	"errors"
	"reflect"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// lookups read a map by bpf(2), which keeps its CPU from running perf-attached
// programs for so long. All kernels have it.
type lookups struct {
	shape  shape
	kernel *ebpf.Map
}

func (l lookups) read(data []byte) ([]byte, error) {
	all, err := l.batch(data)
	if errors.Is(err, ebpf.ErrNotSupported) {
		return l.walk(data)
	}
	return all, err
}

func (l lookups) close() {}

// batch reads by bpf(2), many elements a call. A call whose buffer is smaller
// than one of the map's buckets fails; then all begins again with twice the
// room.
func (l lookups) batch(data []byte) ([]byte, error) {
	begin := len(data)
	for n := 256; ; n *= 2 {
		data, err := l.batchBy(n, data[:begin])
		if !errors.Is(err, unix.ENOSPC) || n > int(l.kernel.MaxEntries()) {
			return data, err
		}
	}
}

func (l lookups) batchBy(n int, data []byte) ([]byte, error) {
	keys := wordArrays(l.shape.keySize/8, n)
	values := wordArrays(l.shape.words*l.shape.cpus, n)
	var cursor ebpf.MapBatchCursor
	for {
		got, err := l.kernel.BatchLookup(&cursor, keys.Interface(), values.Interface(), nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return data, err
		}
		for i := range got {
			data = appendWords(data, keys.Index(i))
			data = l.shape.appendRead(data, l.shape.reduceBytes(appendWords(nil, values.Index(i))))
		}
		if err != nil {
			return data, nil
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
func (l lookups) walk(data []byte) ([]byte, error) {
	var key []byte
	for range 2 * l.kernel.MaxEntries() {
		var from any
		if key != nil {
			from = key
		}
		next, err := l.kernel.NextKeyBytes(from)
		if next == nil || err != nil {
			return data, err
		}
		key = next
		value, err := l.lookup(key)
		if err != nil {
			return data, err
		}
		if value != nil {
			data = l.shape.appendRead(append(data, key...), value)
		}
	}
	return data, nil
}

// lookup reads one key; nil when it is not there.
func (l lookups) lookup(key []byte) ([]byte, error) {
	value, err := l.kernel.LookupBytes(key)
	if value == nil || err != nil {
		return nil, err
	}
	return l.shape.reduceBytes(value), nil
}

// appendRead appends a value that is stored, as read does.
func (s shape) appendRead(data, value []byte) []byte {
	if s.packed == 0 {
		return append(data, value...)
	}
	return append(object.AppendPacked(data, value[:8*s.packed]), value[8*s.packed:]...)
}

// reduceBytes joins the values of several CPUs as the programs do: in place,
// into the first.
func (s shape) reduceBytes(value []byte) []byte {
	size := 8 * s.words
	joined := 8 * s.joined()
	for cpu := 1; cpu < s.cpus; cpu++ {
		s.reduce.Join(value[:joined], value[cpu*size:])
		if s.timed {
			object.ReduceMax.Join(value[joined:size], value[cpu*size+joined:])
		}
	}
	return value[:size:size]
}
