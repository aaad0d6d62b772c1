package bpfgen

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/plylang"
)

// list is n times text, where %d counts.
func list(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "%d", fmt.Sprint(i)))
	}
	return b.String()
}

// TestLargeScripts: whatever is too much of a script is refused at once, in a
// message that people can read.
func TestLargeScripts(t *testing.T) {
	const tooLong = "probe is too long: it has more than 32767 instructions, use a smaller unroll() or several probes"
	const tooManyWords = "script has more than 100000 words and signs: make it several scripts"
	const tooManyProbes = "script has more than 1000 probes: use globs, as in kprobe:vfs_*, or make it several scripts"
	const tooManyRounds = "probe repeats too much: its loops have more than 32767 rounds in all, use a smaller unroll()"
	const tooMuchMemory = "probe needs more than 33280 bytes of memory for its values: use shorter strings"
	long := strings.Repeat("x", 1_000_000)
	k := recorded(t, "6.18-amd64")
	for _, row := range []struct{ script, want string }{
		{list(10_000, "BEGIN,"), "1:6001: " + tooManyProbes},
		{list(20_000, "kprobe:sys_read { @ = arg0; }\n"), "1001:1: " + tooManyProbes},
		{list(1000, "t:sched/nope%d { @ = 1; }\n"), `1:1: this kernel has no tracepoint sched/nope0`},
		{list(64, "BEGIN { @m%d = count(); }\n"), "1:1: what is done at one place, or for all system calls, takes 65 maps of the kernel, and 64 are allowed: make it several scripts"},
		{list(1000, "rt:sched_switc%d\n"), `1:1: this kernel has no raw tracepoint sched_switc0; did you mean "sched_switch"?`},
		{list(1000, "kprobe:sys_* { @[func, comm] = count(); }\n"), "1:1: " + tooLong},
		{list(400, "t:*/* { @[probe] = count(); }\n"), "1:1: " + tooLong},
		{"BEGIN { " + list(80_000, "v%d=1;") + " }", tooManyWords},
		{"BEGIN { " + list(20_000, "v%d=1;") + " }", "1:1: " + tooMuchMemory},
		{"BEGIN { v0=1;" + list(20_000, "w%d=v%d;") + " }", `no variable or built-in named "v1"; did you mean "v0" or "w1"?`},
		{"BEGIN { " + list(20_000, "@m%d=1;") + " }", "1:1: " + tooLong},
		{"BEGIN { " + list(7000, "@m%d=count();@m%d=sum(1);") + " }", "1:21: @m0 is fed by sum() here but by count() at script:1:9: use two maps"},
		{"BEGIN { " + list(20_000, "@=nope%d;") + " }", `1:11: no variable or built-in named "nope0"`},
		{"BEGIN { " + list(7000, "@=llquantize(pid,10,0,9,10);@=llquantize(pid,10,0,20,1000);") + " }", tooManyWords},
		{"BEGIN { " + list(2000, "@=llquantize(pid,10,0,20,1000);") + " }", "1:34: this makes more than 4096 buckets: use fewer steps"},
		{"BEGIN { " + list(20, "@="+list(900, "1+")+"1;@="+list(900, "pid*")+"pid;") + " }", tooLong},
		{"BEGIN { print(" + list(10_000, "pid,") + "pid); }", "1:1: " + tooMuchMemory},
		{"BEGIN { @[" + list(10_000, "pid,") + "pid] = 1; }", "1:9: the key of @ has 40008 bytes, the limit of this kernel is 4096: use shorter strings, as in str(p, 64)"},
		{"BEGIN { " + list(20_000, "if(pid){@=1;}") + " }", tooManyWords},
		{"BEGIN { " + list(9000, "if(pid){@=1;}") + " }", "1:1: " + tooLong},
		{"BEGIN { " + list(8, "unroll(64){") + "@=1;" + list(8, "}") + " }", "1:1: " + tooLong},
		{"BEGIN { " + list(100, "unroll(64){") + list(100, "}") + " }", "1:1: " + tooManyRounds},
		{"BEGIN { " + list(100, "unroll(64){") + "break;" + list(100, "}") + " }", "1:1: " + tooManyRounds},
		{"BEGIN { " + list(100, "unroll(64){") + "if(1==2){@=1;}" + list(100, "}") + " }", "1:1: " + tooLong},
		{list(999, "interval:%ds,") + "BEGIN { " + list(20_000, "@=pid;") + " }", "script is too long once each of its probes has its copy: shorten this one, or name fewer attach points"},
		{"BEGIN { @ = " + long + "; }", `1:13: no variable or built-in named "` + long[:59] + "…" + long[:19] + `"`},
		{"BEGIN { @ = " + long + "(1); }", `1:13: no function named "` + long[:59] + "…" + long[:19] + `"`},
		{"BEGIN { @ = @" + long + "; }", "1:13: @" + long[:59] + "…" + long[:20] + " is read but nothing is ever stored in it"},
		{"BEGIN { @ = $" + long + "; }", "1:13: nothing is stored in $" + long[:59] + "…" + long[:19] + ", and the environment has no variable " + long[:60] + "…" + long[:20]},
		{"BEGIN { @ = curtask->" + long + "; }", `1:22: struct task_struct has no member "` + long[:59] + "…" + long[:19] + `"`},
		{`BEGIN / comm < "` + long + `" / { @ = 1; }`, `1:14: strings compare with == and != only: use strcmp(comm, "` + long[:36] + "…) < 0"},
		{`BEGIN { printf("%` + strings.Repeat(" ", 900_000) + `"); }`, `1:16: the format ends within "%` + strings.Repeat(" ", 36) + `…": write %% for a percent sign`},
		{long + ":x { @ = 1; }", "1:1: probe specification of 1000002 bytes, the limit is 4096: split it with commas, or use a shorter glob"},
		{long[:4000] + ":x { @ = 1; }", `1:1: no probe provider named "` + long[:59] + "…" + long[:19] + `" (there are `},
		{"kprobe:sys_" + list(1000, "*a") + " { @ = 1; }", "1:1: glob has more than 200 wildcards and alternatives: write it as a list with commas"},
		{"t:sched/" + list(1000, "@(") + "a" + list(1000, ")") + " { @ = 1; }", "1:1: glob has groups in groups, more than 8 deep: write it as a list with commas"},
		{"t:sched/" + list(2000, "@(") + " { @ = 1; }", "1:1: this kernel has no tracepoint sched/" + list(27, "@(") + "…" + list(10, "@(")},
		{list(250_000, "# x\n"), "1:1: script is empty"},
		{`BEGIN { printf("` + list(400_000, "%%") + `", 1); }`, "the format takes no value, and 1 follows: write %v where this one goes"},
	} {
		start := cpuTime()
		_, err := build(k, row.script, Options{Run: true})
		name := row.script[:min(len(row.script), 40)]
		if took := cpuTime() - start; took > 4*time.Second {
			t.Errorf("%d bytes of %s… took %v", len(row.script), name, took)
		}
		if err == nil {
			t.Errorf("%d bytes of %s… are accepted, want %s", len(row.script), name, row.want)
			continue
		}
		text := plylang.Detail(err)
		if !strings.Contains(text, row.want) || len(text) > 60_000 {
			t.Errorf("%d bytes of %s… give %d bytes:\n%.500s\nwant %s", len(row.script), name, len(text), text, row.want)
		}
	}
}

// cpuTime is what this process has computed so far: others on a busy machine
// do not count.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano())
}
