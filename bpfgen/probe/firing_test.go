package probe

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
)

// withFeatures is for a kernel of a release and with the given features.
func withFeatures(t *testing.T, release string, features ...kernel.Feature) *Resolver {
	t.Helper()
	k, err := kernel.Open(fstest.MapFS{"proc/sys/kernel/osrelease": {Data: []byte(release)}})
	if err != nil {
		t.Fatal(err)
	}
	k.SetProber(func(f kernel.Feature) (known, has bool) { return true, slices.Contains(features, f) })
	return NewResolver(k, false)
}

// Each context has its way of attaching on each kind of kernel.
func TestRawIsBetter(t *testing.T) {
	old := withFeatures(t, "5.10.0", kernel.RawTracepointsExact)
	exact := withFeatures(t, "6.18.0", kernel.RawTracepointsExact)
	preemptible := withFeatures(t, "7.3.0")
	for _, row := range []struct {
		event                   string
		old, exact, preemptible bool
	}{
		{"timer/hrtimer_start", true, true, true},
		{"sched/sched_wakeup_new", true, true, true},
		{"raw_syscalls/sys_enter", true, true, false},
		{"kmem/kmalloc", true, true, false},
		{"kmem/kmem_cache_free", true, true, true},
		{"ext4/ext4_da_write_begin", false, true, false},
		{"exceptions/page_fault_user", false, true, true},
		{"irq/softirq_raise", false, true, true},
		{"lock/contention_begin", false, true, true},
	} {
		got := []bool{rawIsBetter(old, row.event), rawIsBetter(exact, row.event), rawIsBetter(preemptible, row.event)}
		if want := []bool{row.old, row.exact, row.preemptible}; !slices.Equal(got, want) {
			t.Errorf("%s: before 6.1, to 6.18 and from 7.0 on %v, want %v", row.event, got, want)
		}
		if rawIsBetter(NewResolver(exact.kernel, true), row.event) {
			t.Errorf("%s is raw although the script asks for its name's way", row.event)
		}
	}
}

func TestFiringsTogether(t *testing.T) {
	for _, row := range []struct{ a, b, want firing }{
		{firesAtomic, firesAtomic, firesAtomic},
		{firesAtomic, firesInTasks, firesInBoth},
		{firesInSoftirqs, firesInBoth, firesInBoth},
		{firesInTasks, firesAnywhere, firesAnywhere},
	} {
		if got := row.a.and(row.b); got != row.want || row.b.and(row.a) != got {
			t.Errorf("%v and %v are %v, want %v", row.a, row.b, got, row.want)
		}
	}
}

// The page on exactness has each event in the row of its context.
func TestFiringsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/exactness.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[firing]string{
		firesAtomic: "| interrupts or preemption off | ", firesInTasks: "| tasks, preemptible | ",
		firesInBoth: "| both | ", firesInSoftirqs: "| both, mostly softirqs | ",
	}
	for event, f := range firings {
		_, row, _ := strings.Cut(string(page), "\n"+rows[f])
		row, _, _ = strings.Cut(row, "\n")
		if !strings.Contains(row, "`"+event+"`") {
			t.Errorf("%s is not in the row %q of docs/exactness.md", event, rows[f])
		}
	}
}
