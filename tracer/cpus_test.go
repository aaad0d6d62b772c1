package tracer

import (
	"io"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// An event that the kernel has ended is opened again on a CPU that is online, and one that
// is to be anywhere moves to another CPU.
func TestEventsFollowCPUs(t *testing.T) {
	need.BPF(t)
	online, err := runningKernel(t).OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	first, last := online[0], online[len(online)-1]
	enable := func(event fd) (io.Closer, error) {
		return event, unix.IoctlSetInt(int(event), unix.PERF_EVENT_IOC_ENABLE, 0)
	}
	everywhere, anywhere, only := object.PerfEvent{}, object.PerfEvent{Anywhere: true}, object.PerfEvent{Only: true}
	for _, row := range []struct {
		place  object.PerfEvent
		online []int
		ended  bool // that on the first CPU, as when the CPU goes offline
		want   []int
	}{
		{anywhere, []int{first, last}, false, []int{first}},
		{anywhere, []int{last}, true, []int{last}},
		{everywhere, []int{first}, false, []int{first}},
		{everywhere, []int{first, last}, false, []int{first, last}},
		{everywhere, []int{last}, true, []int{last}},
		{everywhere, []int{first, last}, true, []int{first, last}}, // it is back already
		{only, []int{first, last}, false, []int{first}},
		{only, []int{first, last}, true, []int{first}},
	} {
		e := object.PerfEvent{Name: "99hz", Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Freq: 99, CPUs: []int{first}, Anywhere: row.place.Anywhere, Only: row.place.Only}
		c, err := onEachCPU(e, enable)
		if err != nil {
			t.Fatal(err)
		}
		events := c.(*cpuEvents)
		before := events.on[first]
		if row.ended {
			if err := unix.IoctlSetInt(int(before.fd), unix.PERF_EVENT_IOC_DISABLE, 0); err != nil {
				t.Fatal(err)
			}
			before.goesOn() // the time at which it ended
		}
		var told []int
		events.follow(row.online, func(cpu int, err error) {
			if told = append(told, cpu); err != nil {
				t.Error(err)
			}
		})
		if got := slices.Sorted(maps.Keys(events.on)); !slices.Equal(got, slices.Compact(slices.Clone(row.want))) {
			t.Errorf("%+v: on CPUs %v, told %v", row, got, told)
		}
		if kept := events.on[first] == before; kept == row.ended {
			t.Errorf("%+v: the event of before is kept: %v", row, kept)
		}
		if err := events.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A CPU that refuses the event is asked once for each time that it is online.
func TestEventsRefusedByACPU(t *testing.T) {
	need.BPF(t)
	events := &cpuEvents{event: object.PerfEvent{Type: unix.PERF_TYPE_HARDWARE, Config: 999, Period: 1 << 20}, on: map[int]*cpuEvent{}, refused: map[int]bool{}}
	refusals := 0
	for _, online := range [][]int{{0}, {0}, {}, {0}} {
		events.follow(online, func(_ int, err error) {
			if refusals++; err == nil {
				t.Error("no machine has it")
			}
		})
	}
	if refusals != 2 {
		t.Errorf("refused %d times", refusals)
	}
}
