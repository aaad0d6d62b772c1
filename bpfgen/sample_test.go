package bpfgen

import (
	"strings"
	"testing"
)

// What cannot be told from a sample is refused where it stands, and what can is not.
func TestSampled(t *testing.T) {
	k := recorded(t, "7.3-amd64")
	for script, want := range map[string]string{
		`tracepoint:sched/sched_switch { @[comm] = count(); @s = sum(pid); @a[cpu] = avg(pid); @h = quantize(pid); }`:            "",
		`tracepoint:sched/sched_switch / pid > 1 / { x = pid; if (x > 5) { y[x] = 1; } @[x] = lquantize(pid, 0, 10, 1); }`:       "1:67: stores in the table y",
		`tracepoint:sched/sched_switch { @m[comm] = max(pid); }`:                                                                 "1:33: max() of a sample",
		`tracepoint:sched/sched_switch { @m = min(pid); }`:                                                                       "1:33: min() of a sample",
		`tracepoint:sched/sched_switch { s[pid] = time; @ = quantize(time - s[pid]); }`:                                          "1:33: stores in the table s",
		`kretprobe:SyS_read { @ = quantize(elapsed); }`:                                                                          "1:35: elapsed needs the beginning of each call",
		`tracepoint:sched/sched_switch { @ = count(); print(pid); }`:                                                             "1:46: print()",
		`tracepoint:sched/sched_switch { @[comm] = count(); } interval:1s { clear(@); }`:                                         "clear()",
		`tracepoint:sched/sched_switch { s[1] = 2; delete s[1]; }`:                                                               "deletes a key of s",
		`tracepoint:sched/sched_switch / s[pid] / { @ = count(); } tracepoint:sched/sched_wakeup { s[pid] = 1; }`:                "1:33: reads s",
		`BEGIN { @start = count(); } tracepoint:sched/sched_switch { unroll (3) { @[str(data->prev_comm)] = sum(3); } return; }`: "",
	} {
		_, err := build(k, script, Options{Sample: true})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n%v\nwant %q", script, err, want)
		}
	}
}
