package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// What is exported and says something else than it seems to.
func TestMisleadingValues(t *testing.T) {
	const exported = `{map: t, export: true}`
	for _, row := range []struct{ script, metrics, want string }{
		{"kretprobe:SyS_read { @[uid] = sum(retval); }", "", "c.yaml:1:65: retval is negative where the call fails, and the error number is then subtracted: if (retval > 0) or a predicate keeps it out"},
		{"tracepoint:syscalls/sys_exit_read { @ = avg(data->ret / 512); }", "", "data->ret / 512 is negative where the call fails"},
		{"kretprobe:SyS_read { @ = sum(retval); }", `{map: "@", type: counter}`, "if (retval > 0)"},
		{"kretprobe:SyS_read / retval > 0 / { @[uid] = sum(retval); }", "", ""},
		{"kretprobe:SyS_read { if (retval >= 0) { @ = avg(retval); } }", "", ""},
		{"kretprobe:SyS_read { @ = min(retval); }", "", ""},
		{on(`@ = sum((s32)pid);`), "", ""},

		{on(`t[cpu] = nsecs;`), exported, "c.yaml:1:72: nsecs counts from the start of the machine: walltime is the time of day, from which time() in PromQL can be subtracted"},
		{on(`now = time; t[cpu] = now;`), exported, "now counts from the start of the machine"},
		{on(`t[cpu] = nsecs / 1000000000;`), exported, "nsecs counts from"},
		{on(`@last[cpu] = max(secs);`), "", "secs counts from"},
		{on(`t[cpu] = walltime; @last = max(walltime);`), exported, ""},
		{on(`t[cpu] = time - start[cpu]; start[cpu] = time;`), exported, "start[cpu] may be missing"},
		{on(`t[cpu] = time; @ = count();`), "", ""},
		{on(`@ = quantize(secs);`), "", ""},
		{on(`@[cpu] = quantize(nsecs);`), "", "c.yaml:1:81: nsecs is a point in time, and no duration: subtract when it began, as in time - @begin[tid], or use elapsed where a call returns"},
		{on(`@ = sum(time / 1000000);`), "", "time is a point in time"},
		{on(`took = time - pid * 1ns; @ = sum(time - pid * 1ns); @q = quantize(took);`), "", ""},
		{on(`@ = avg(walltime);`), "", "walltime is a point in time"},
		{on(`was = start[cpu]; start[cpu] = time; if (was) { @ = sum(time - was); }`), "", ""},
		{on(`@[cpu, walltime] = count();`), "", "c.yaml:1:70: label \"walltime\" is a point in time, and each event has its own, so that there is a new series for each: leave it out, Prometheus knows when it scraped"},
		{on(`@[walltime, cpu] = count();`), `{map: "@", labels: [{drop: true}, cpu]}`, ""},

		{on(`@ = quantize((u32)pid, 3);`), "", "c.yaml:1:86: the buckets of ply_net stay powers of two, these bits divide them in \"run\" only: add native: true in the configuration, list bounds with buckets:, or write llquantize()"},
		{on(`@ = quantize((u32)pid, 3);`), `{map: "@", native: true}`, ""},
		{on(`@ = quantize((u32)pid, 3);`), `{map: "@", buckets: [1, 10, 100]}`, ""},
		{on(`@ = quantize((u32)pid, 0);`), "", ""},
		{on(`@ = llquantize((u32)pid, 10, 0, 2, 10);`), "", ""},
		{on(`@ = quantize((time - time) / 1000);`), "", "drops the unit of a duration"},
		{on(`@ = quantize((time - time) / 1us);`), "", "drops the unit of a duration"},
		{on(`@ = max((time - time) / (time - time));`), "", ""},

		{on(`@ = sum((u64)pid);`), `{map: "@", unit: seconds}`, "unit: the plain numbers of @ are called seconds, and exported as they are: x * 1ns in the script makes a duration of nanoseconds, scale: 1e-9 does the same, and scale: 1 says that they are seconds"},
		{on(`@ = count();`), `{map: "@", unit: seconds}`, "the plain numbers of @"},
		{on(`@ = sum((u64)pid);`), `{map: "@", unit: seconds, scale: 1e-9}`, ""},
		{on(`@ = sum(pid * 1ns);`), `{map: "@", unit: seconds}`, ""},
		{on(`@ = sum((u64)pid);`), `{map: "@", unit: bytes}`, ""},

		{on(`@n = count();`) + " interval:1s { clear(@n); }", "", "ply_net_n_total begins at 0 again here, and what was counted since the last scrape is in none: leave it out, rate() in PromQL does it"},
		{on(`@n = max((u32)pid);`) + " interval:1s { clear(@n); }", "", ""},

		{"tracepoint:workqueue/workqueue_execute_start { @[data->function] = count(); }", "", "c.yaml:1:86: label \"function\" is an address, which is another one after each start of the machine: ksym() shows the name of a function, str() a text"},
		{"tracepoint:workqueue/workqueue_execute_start { @[ksym(data->function)] = count(); }", "", ""},

		{on(`@calls[cpu]++; was[cpu] = cpu;`), "", "c.yaml:1:63: nothing of this script is exported: @calls is a table; write @calls[cpu] = count(), or export: true in metrics: for a gauge"},
		{on(`calls[cpu] += pid;`), "", "write calls[cpu] = sum(pid)"},
		{on(`was[cpu] = time; @took[cpu] += time - was[cpu];`), "", "write @took[cpu] = sum(time - was[cpu])"},
		{on(`last[cpu] = pid;`), "", "last is a table; write export: true in metrics: for a gauge"},
		{on(`@calls[cpu]++; @ = count();`), "", ""},
		{on(`@calls[cpu]++; print(@calls[cpu]);`), "", ""},
		{on(`calls[cpu]++;`), `{map: calls, export: true}`, ""},
	} {
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(row.metrics)))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		scripts, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": row.script}})
		if len(fatal) > 0 || scripts[0].err != nil {
			t.Errorf("%s: %s %v", row.script, fatal.Detail(), scripts[0].err)
			continue
		}
		said := scripts[0].warnings
		if row.want == "" && len(said) > 0 || row.want != "" && (len(said) != 1 || !strings.Contains(said.Error(), row.want)) {
			t.Errorf("%s: got\n%v\nwant %q", row.script, said, row.want)
		}
	}
}
