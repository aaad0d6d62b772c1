package decode

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
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
		d := New(m, []string{fmt.Sprint("script ", script)}, kernelStacks{0xffffffff81001210})
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
					{plylang.DisplayCgroup, 1<<47 + 1, "cgroup:140737488355329"},
					{plylang.DisplayCgroup, -(0xf << 48) + 1, "cgroup:65521/1"},
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

// Names are read for all at once, and not again for each number without one:
// only when that number was read from the kernel since, or after a while.
func TestNamesAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		n := names[int64]{read: func() map[int64]string {
			reads.Add(1)
			return map[int64]string{7: "seven"}
		}}
		expect := func(when string, want int32) {
			t.Helper()
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					if name, ok := n.of(7); name != "seven" || !ok {
						t.Errorf("%s: 7 is %q, %v", when, name, ok)
					}
					for _, number := range []int64{8, 9} {
						if name, ok := n.of(number); ok {
							t.Errorf("%s: %d is %q", when, number, name)
						}
					}
				})
			}
			wg.Wait()
			if got := reads.Load(); got != want {
				t.Errorf("%s: read %d times, want %d", when, got, want)
			}
		}
		expect("first", 1)
		time.Sleep(time.Second)
		expect("again", 1)
		n.numbersRead(time.Now(), false)
		expect("the same numbers, still without names", 1)
		n.of(10)
		n.of(11)
		expect("new numbers", 2)
		time.Sleep(refresh + 1)
		expect("after a while", 3)
	})
}

// Events with ever new numbers do not have names read for each, and a number
// that came too early is looked for again.
func TestNamesAreReadForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			took  time.Duration
			reads int
		}{{0, 100}, {20 * time.Millisecond, 5}} {
			reads, there := 0, map[int64]string{}
			n := names[int64]{read: func() map[int64]string {
				reads++
				time.Sleep(row.took)
				return maps.Clone(there)
			}}
			start := time.Now()
			for number := int64(0); time.Since(start) < time.Second; number++ {
				time.Sleep(time.Millisecond)
				n.numbersRead(time.Now(), true)
				n.of(number)
			}
			if reads < row.reads-1 || reads > row.reads {
				t.Errorf("read %d times in a second, each of which took %v; want %d", reads, row.took, row.reads)
			}
			time.Sleep(time.Second)
			n.of(1 << 40)
			time.Sleep(time.Millisecond)
			there[-1] = "new"
			for range 2 {
				n.numbersRead(time.Now(), true)
				n.of(-1)
				time.Sleep(time.Second)
			}
			if name, _ := n.of(-1); name != "new" {
				t.Errorf("a number that came just after names were read is %q", name)
			}
		}
	})
}

// What comes and goes between two readings of numbers has its name in the next,
// and keeps it where its number is not used again.
func TestNamesThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, keep := range []bool{true, false} {
			var there map[int64]string
			n := names[int64]{keep: keep, read: func() map[int64]string { return maps.Clone(there) }}
			is := func(number int64, want string) {
				t.Helper()
				if got, _ := n.of(number); got != want {
					t.Errorf("keep %t: %d is %q, want %q", keep, number, got, want)
				}
			}
			there = map[int64]string{1: "/a"}
			n.numbersRead(time.Now(), false)
			is(1, "/a")
			there = map[int64]string{2: "/b"}
			time.Sleep(time.Second)
			n.numbersRead(time.Now(), false)
			is(2, "/b")
			if keep {
				is(1, "/a")
			} else {
				is(1, "")
			}
			is(3, "")
			there[3] = "/c"
			time.Sleep(refresh + 1)
			is(3, "/c")
		}
	})
}

// A name may be told before anybody asks, and what is told is bounded.
func TestNamesThatAreTold(t *testing.T) {
	reads := 0
	n := names[int64]{keep: true, read: func() map[int64]string { reads++; return map[int64]string{-1: "there"} }}
	n.learn(1, "told")
	if name, _ := n.of(1); name != "told" || reads != 0 {
		t.Errorf("1 is %q after %d readings", name, reads)
	}
	if name, _ := n.of(-1); name != "there" {
		t.Errorf("-1 is %q", name)
	}
	if name, _ := n.of(1); name != "told" {
		t.Errorf("1 is %q after a reading", name)
	}
	for number := range int64(2 * maxNames) {
		if n.learn(number, "new"); len(n.known) > maxNames {
			t.Fatalf("%d names", len(n.known))
		}
	}
	for number, want := range map[int64]string{2*maxNames - 1: "new", -1: "there"} {
		if name, _ := n.of(number); name != want {
			t.Errorf("%d is %q, want %q", number, name, want)
		}
	}
}

// A decoder may give several labels of one key part.
func TestLabels(t *testing.T) {
	decoders["half"] = decoder{
		text:   func(_ *Decoder, v object.Value) string { return Number(v) },
		labels: []string{"upper", "lower"},
		texts: func(_ *Decoder, v object.Value) ([]string, bool) {
			return []string{fmt.Sprint(v.Int() >> 32), fmt.Sprint(uint32(v.Int()))}, true
		},
	}
	defer delete(decoders, "half")
	d, half := New(NewMachine(nil), nil, nil), shown(&plylang.Display{Name: "half"})
	if got := LabelNames(half); !slices.Equal(got, []string{"upper", "lower"}) {
		t.Errorf("names %v", got)
	}
	if got, settled := d.Labels(object.Value{Type: half, Raw: word(3<<32 | 5)}); !slices.Equal(got, []string{"3", "5"}) || !settled {
		t.Errorf("labels %v, settled %t", got, settled)
	}
	if got, _ := d.Labels(object.Value{Type: plylang.S64, Raw: word(5)}); LabelNames(plylang.S64) != nil || got != nil {
		t.Errorf("a number has %v", got)
	}
}

// Every display of the language has a row.
func TestDisplaysHaveDecoders(t *testing.T) {
	for _, display := range []*plylang.Display{
		plylang.DisplayTime, plylang.DisplayWalltime, plylang.DisplayFunc, plylang.DisplayProbe, plylang.DisplaySymbol,
		plylang.DisplayStack, plylang.DisplayErrno, plylang.DisplaySignal, plylang.DisplaySyscall, plylang.DisplayDevice,
		plylang.DisplayUser, plylang.DisplayCgroup, plylang.DisplayInet, plylang.DisplayHex, plylang.DisplayMAC, plylang.DisplayInterface, plylang.DisplayPCI, plylang.DisplayPCIClass,
		plylang.DisplayRecord(&object.Record{}),
	} {
		if _, ok := decoderOf(shown(display)); !ok {
			t.Errorf("no decoder %s", display.Name)
		}
	}
}
