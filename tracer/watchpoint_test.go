package tracer

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"ply-exporter/internal/need"
)

// watchedWord is written to while it is watched; variables of packages do not move.
var watchedWord uint64

// Each write is seen, whichever thread and CPU makes it and whichever part of the memory it is
// to, also by two watchpoints for one memory, and each read and write by one for both.
func TestWatchpoint(t *testing.T) {
	need.BPF(t)
	const threads, each = 4, 2000
	watch := fmt.Sprintf("watchpoint:%#x", uintptr(unsafe.Pointer(&watchedWord)))
	script := strings.NewReplacer("WATCH", watch, "PID", fmt.Sprint(os.Getpid())).Replace(`
		WATCH:8:w / pid == PID / { @all = count(); }
		WATCH+4:4:w / pid == PID / { @upper = count(); }
		WATCH:8:rw / pid == PID / { @both = count(); }`)
	tr := start(t, compile(t, script), testOptions(t))
	halves := (*[2]uint32)(unsafe.Pointer(&watchedWord))
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			runtime.LockOSThread()
			for i := range uint32(each) {
				atomic.StoreUint32(&halves[0], i)
				atomic.StoreUint32(&halves[1], i)
				atomic.StoreUint32(&halves[1], i)
			}
		})
	}
	all.Wait()
	reads := uint64(0)
	for range each {
		reads += 1 + 0*atomic.LoadUint64(&watchedWord)
	}
	if got, want := fmt.Sprint(cells(t, tr)), fmt.Sprint([]uint64{3 * threads * each, 2 * threads * each, 3*threads*each + reads}); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

// The sum of periods is what all events together are, exactly where the period is fixed.
func TestPeriods(t *testing.T) {
	need.BPF(t)
	tr := start(t, compile(t, `
		software:page-faults:5 { @n = count(); @pages = sum(period); }
		software:cpu-clock:100hz { @ticks = count(); @clock = sum(period); }`), testOptions(t))
	for cells(t, tr)[2] < 3 {
		touchPages(t, witnessed)
	}
	if err := tr.Stop(); err != nil {
		t.Fatal(err)
	}
	n := cells(t, tr)
	if n[0] < witnessed/5 || n[1] != 5*n[0] || n[3] != 10_000_000*n[2] {
		t.Errorf("%d firings for %d page faults, %d for %d ns", n[0], n[1], n[2], n[3])
	}
}
