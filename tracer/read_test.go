package tracer

import (
	"testing"

	"ply-exporter/internal/need"
)

// Keys that went away are not looked up by bpf(2), in which a CPU misses events.
func TestReadingMakesNoLookups(t *testing.T) {
	need.EachKernel(t)
	obj := compile(t, `
		tracepoint:syscalls/sys_enter_bpf /pid == PID && data->cmd == 1/ { @lookups = count(); }
		tracepoint:syscalls/sys_enter_bpf /pid == PID && data->cmd == 3/ { @deletes = count(); }
		END { @keys[0] = count(); }`)
	tr := start(t, obj, testOptions(t))
	quietly(t, tr.maps[2])
	m := tr.maps[2]
	one := make([]uint64, m.shape.cpus)
	one[0] = 1
	for key := range uint64(200) {
		if err := m.kernel.Put(key, one); err != nil {
			t.Fatal(err)
		}
	}
	for left := 200; left > 0; left -= 20 {
		rows, err := tr.Rows(m.Map)
		if err != nil || len(rows) != left {
			t.Fatalf("%d rows, want %d (%v)", len(rows), left, err)
		}
		for key := left - 20; key < left; key++ {
			if err := m.kernel.Delete(uint64(key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := [2]uint64{counts(t, tr, obj.Maps[0], 0)[0], counts(t, tr, obj.Maps[1], 0)[0]}
	if want := [2]uint64{0, 200}; got != want {
		t.Errorf("%d lookups and deletions by bpf(2), want %d", got, want)
	}
}

// A key that one reading passes over does not seem gone.
func TestKeyThatIsPassedOver(t *testing.T) {
	need.BPF(t)
	obj := compile(t, `BEGIN { @[1] = count(); @[2] = count(); @[3] = count(); }`)
	tr := start(t, obj, testOptions(t))
	m := tr.maps[0]
	m.elements = &forgetful{elements: m.elements, stride: m.shape.stride()}
	for i, want := range []int{3, 3, 3, 3} {
		rows, err := tr.Rows(m.Map)
		if err != nil || len(rows) != want {
			t.Errorf("reading %d: %d rows, want %d (%v)", i, len(rows), want, err)
		}
	}
}

// A forgetful way to read passes over an element every other time, but the first.
type forgetful struct {
	elements
	stride, reads int
}

func (f *forgetful) read(data []byte) ([]byte, error) {
	begin := len(data)
	data, err := f.elements.read(data)
	if f.reads++; f.reads%2 == 0 {
		data = append(data[:begin], data[begin+f.stride:]...)
	}
	return data, err
}
