package probe

import (
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
)

// release is a kernel of which only the release is known.
func release(t *testing.T, text string) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(fstest.MapFS{"proc/sys/kernel/osrelease": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestReentries(t *testing.T) {
	old, young := release(t, "5.10.0"), release(t, "6.1.0")
	for event, want := range map[string]string{
		"exceptions/page_fault_kernel": byFault,
		"exceptions/page_fault_user":   byFault,
		"preemptirq/irq_disable":       byFault,
		"lock/contention_begin":        byLock,
		"irq/softirq_raise":            byRCU,
		"irq_vectors/irq_work_exit":    byInterrupt,
		"nmi/nmi_handler":              byNMI,
		"irq/softirq_entry":            "",
		"irq_vectors/local_timer_exit": "",
		"sched/sched_switch":           "",
	} {
		if how := reenters(old, event); how != want {
			t.Errorf("%s before 6.1: %q, want %q", event, how, want)
		}
		if how := reenters(young, event); how != "" {
			t.Errorf("%s on 6.1: %q", event, how)
		}
		if rawIsBetter(NewResolver(old, false), event) && want != "" {
			t.Errorf("%s is raw before 6.1", event)
		}
	}
	if how := rawReenters(old, "page_fault_kernel"); how != byUnknown {
		t.Errorf("without tracefs: %q", how)
	}
}
