package decode

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Scripts share a machine's names, and are read at the same time.
func TestMachineIsShared(t *testing.T) {
	k, err := kernel.OpenArch(fstest.MapFS{"proc/kallsyms": {Data: []byte(someSymbols)}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(k)
	var wg sync.WaitGroup
	for script := range 16 {
		d := New(m, []string{fmt.Sprint("script ", script)}, func(int64) []uint64 { return []uint64{0xffffffff81001210} })
		for range 4 {
			wg.Go(func() {
				for _, row := range []struct {
					display *plylang.Display
					n       int64
					want    string
				}{
					{plylang.DisplayProbe, 0, fmt.Sprint("script ", script)},
					{plylang.DisplaySymbol, -0x7effee00, "vfs_read"},
					{plylang.DisplayStack, 1, "vfs_read"},
					{plylang.DisplaySyscall, 0, "read"},
					{plylang.DisplaySyscall, 500, "sys_500"},
					{plylang.DisplaySyscall, 600, "600"},
					{plylang.DisplayFunc, 500, "sys_500"},
					{plylang.DisplayUser, 0, "root"},
					{plylang.DisplayDevice, 4000<<20 | 3, "4000:3"},
					{plylang.DisplayCgroup, 1<<62 + 1, "4611686018427387905"},
				} {
					if got := d.Text(object.Value{Type: shown(row.display), Raw: word(row.n)}); got != row.want {
						t.Errorf("%v: %s, want %s", row.display, got, row.want)
					}
				}
			})
		}
	}
	wg.Wait()
}

// Names are read for all at once, and not again for each number without one.
func TestNamesAreReadOnce(t *testing.T) {
	var reads atomic.Int32
	n := names[int64]{every: time.Hour, read: func() map[int64]string {
		reads.Add(1)
		return map[int64]string{7: "seven"}
	}}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if name, ok := n.of(7); name != "seven" || !ok {
				t.Errorf("7 is %q, %v", name, ok)
			}
			if name, ok := n.of(8); ok {
				t.Errorf("8 is %q", name)
			}
		})
	}
	wg.Wait()
	if got := reads.Load(); got != 1 {
		t.Errorf("read %d times", got)
	}
	n.every = time.Nanosecond
	time.Sleep(time.Microsecond)
	if n.of(8); reads.Load() != 2 {
		t.Error("names that come and go are not read again")
	}
}

// A decoder may give several labels of one key part.
func TestLabels(t *testing.T) {
	decoders["half"] = decoder{
		text:   func(_ *Decoder, v object.Value) string { return Number(v) },
		labels: []string{"upper", "lower"},
		texts: func(_ *Decoder, v object.Value) []string {
			return []string{fmt.Sprint(v.Int() >> 32), fmt.Sprint(uint32(v.Int()))}
		},
	}
	defer delete(decoders, "half")
	d, half := New(NewMachine(nil), nil, nil), shown(&plylang.Display{Name: "half"})
	if got := LabelNames(half); !slices.Equal(got, []string{"upper", "lower"}) {
		t.Errorf("names %v", got)
	}
	if got := d.Labels(object.Value{Type: half, Raw: word(3<<32 | 5)}); !slices.Equal(got, []string{"3", "5"}) {
		t.Errorf("labels %v", got)
	}
	if got := d.Labels(object.Value{Type: plylang.S64, Raw: word(5)}); LabelNames(plylang.S64) != nil || !slices.Equal(got, []string{"5"}) {
		t.Errorf("one label is %v", got)
	}
}

// Every display of the language has a row.
func TestDisplaysHaveDecoders(t *testing.T) {
	for _, display := range []*plylang.Display{
		plylang.DisplayTime, plylang.DisplayWalltime, plylang.DisplayFunc, plylang.DisplayProbe, plylang.DisplaySymbol,
		plylang.DisplayStack, plylang.DisplayErrno, plylang.DisplaySignal, plylang.DisplaySyscall, plylang.DisplayDevice,
		plylang.DisplayUser, plylang.DisplayCgroup, plylang.DisplayInet, plylang.DisplayHex, plylang.DisplayRecord(&object.Record{}),
	} {
		if _, ok := decoderOf(shown(display)); !ok {
			t.Errorf("no decoder %s", display.Name)
		}
	}
}
