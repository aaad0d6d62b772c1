package conformance

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// What ply 2.4 gets wrong, each error with the test that finds it. The names
// say what ply 2.4 does; here it must not happen.

// outcome is a script's output, without empty lines.
func outcome(t *testing.T, s Script) (string, Result) {
	t.Helper()
	need.BPF(t)
	res, err := Run(s)
	if err != nil {
		t.Fatalf("%s\n%v", s.Prog, err)
	}
	return strings.Join(lines(res.Output), "\n"), res
}

func want(t *testing.T, s Script, output string) {
	t.Helper()
	got, res := outcome(t, s)
	if got != output || res.Errors != nil {
		t.Errorf("%s\ngot\n%s\n%s\nwant\n%s", s.Prog, got, strings.Join(res.Errors, "\n"), output)
	}
}

func wantError(t *testing.T, prog, message string) {
	t.Helper()
	if _, res := outcome(t, Script{Prog: prog}); strings.Join(res.Errors, "\n") != message {
		t.Errorf("%s\ngot\n%s\nwant\n%s", prog, strings.Join(res.Errors, "\n"), message)
	}
}

// About one update in a hundred was lost when two CPUs shared a key.
func TestPly24LosesUpdatesWhenCPUsShareAKey(t *testing.T) {
	need.OldAndNew(t)
	const copies, each = 4, 5000
	one := fmt.Sprintf("dd if=/dev/zero of=/dev/null bs=12345 count=%d 2>/dev/null & ", each)
	want(t, Script{
		Command: strings.Repeat(one, copies) + "wait; exit 0",
		Prog: `kprobe:SyS_@(read|write) / arg2 == 12345 / {
			@count["all"] = count(); @sum["all"] = sum(arg2); @n = count(); @s = sum(-1); }`,
	}, strings.Join([]string{
		"@count:", "all                " + strconv.Itoa(2*copies*each),
		"@sum:", "all             " + strconv.Itoa(2*copies*each*12345),
		"@n: " + strconv.Itoa(2*copies*each), "@s: -" + strconv.Itoa(2*copies*each),
	}, "\n"))
}

// fill is a script that counts each of n keys once, 64 at a time.
func fill(n int) string {
	return fmt.Sprintf("interval:1ms / @i < %d / { unroll (64) { @i++; @[@i] = count(); } if (@i >= %d) exit(0); }", n, n)
}

// A map had 1024 keys, and whatever came after them was dropped.
func TestPly24DropsKeysSilentlyBeyond1024(t *testing.T) {
	need.OldAndNew(t)
	got, res := outcome(t, Script{Prog: fill(2048)})
	if n := strings.Count(got, "  1"); n != 2048 || res.Status != 0 {
		t.Errorf("%d keys, status %d: want 2048 and 0", n, res.Status)
	}
}

// What a full map refuses is told, and the run fails.
func TestPly24EndsWithStatus0WhenKeysWereDropped(t *testing.T) {
	need.OldAndNew(t)
	const keys, refused = 10240, 2048
	got, res := outcome(t, Script{Prog: fill(keys + refused), Flags: []string{"-f", "json"}})
	lost := fmt.Sprintf(`{"type":"lost","events":0,"updates":%d,"missed":0}`, refused)
	if !strings.HasSuffix(got, lost) || res.Status != 1 {
		t.Errorf("status %d, output ends in %q, want 1 and %q", res.Status, got[max(0, len(got)-100):], lost)
	}
}

// Keys of one map could be of several types, and then read as each other.
func TestPly24DoesNotCheckTheTypesOfKeys(t *testing.T) {
	need.OldAndNew(t)
	wantError(t, `BEGIN { @x[1] = count(); @x["a"] = count(); }`,
		"script:1:29: the key of @x is a string here but a plain number at script:1:12")
	wantError(t, `BEGIN { @x[1] = count(); @x[1, 2] = count(); }`,
		"script:1:26: @x has 2 keys here but 1 key at script:1:9")
}

// Division, modulo and shifts to the right were unsigned whatever their
// operands.
func TestPly24DividesAndShiftsUnsigned(t *testing.T) {
	need.OldAndNew(t)
	want(t, Script{Prog: "BEGIN { a = -7; print(a / 2, a % 4, a >> 1, a / -2); }"}, "-3, -3, -4, 3")
}

// A sum below zero was printed as 2^64 less it.
func TestPly24PrintsNegativeSumsAsHugeNumbers(t *testing.T) {
	need.OldAndNew(t)
	want(t, Script{Prog: "BEGIN { @ = sum(-5); @ = sum(2); }"}, "@: -3")
	want(t, Script{Prog: `BEGIN { @k["a"] = sum(-7); }`}, "@k:\na                     -7")
}

// Two quantize of 64-bit numbers in one probe were refused by the kernel.
func TestPly24CannotLoadTwoQuantizeInOneProbe(t *testing.T) {
	need.OldAndNew(t)
	got, res := outcome(t, Script{Flags: []string{"-f", "json"},
		Prog: "BEGIN { a = nsecs; d = a - a + 5ns; @x = quantize(d); @y = quantize(d * 1000); @z = quantize(a); clear(@z); }"})
	for _, line := range []string{
		`{"type":"map","name":"@x","data":[{"key":[],"value":{"count":1,"sum":5,"buckets":[{"min":4,"max":7,"count":1}]}}]}`,
		`{"type":"map","name":"@y","data":[{"key":[],"value":{"count":1,"sum":5000,"buckets":[{"min":4096,"max":8191,"count":1}]}}]}`,
	} {
		if !strings.Contains(got, line) || res.Status != 0 {
			t.Errorf("status %d, got\n%s\nwant in it\n%s", res.Status, got, line)
		}
	}
}

// The fourth argument was read from the register of system calls' fourth.
func TestPly24ReadsArg3FromTheWrongRegister(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	file := t.TempDir() + "/f"
	want(t, Script{
		Command: "fallocate -l 777 " + file + " 2>/dev/null; exit 0",
		Prog:    "kprobe:vfs_fallocate / ppid == $target && arg2 == 0 / { @[arg3, args->len] = count(); }",
	}, "@:\n[ 777, 777 ]           1")
}

// Mistakes were answered with a bare ERR:-22.
func TestPly24ReportsBareErrorNumbers(t *testing.T) {
	need.OldAndNew(t)
	for _, row := range []struct{ prog, want string }{
		{"BEGIN { @ = quantize(comm); }", "script:1:22: x of quantize() must be a number, and this is a string"},
		{"BEGIN { @[pid] = count(); print(@[1] + 1); }", "script:1:33: @ is fed by count() at script:1:9 and cannot be read in a script: use print(@), or a second map"},
		{"kprobe:SyS_no_such { @ = count(); }", `script:1:1: there is no system call "no_such"`},
		{"tracepoint:sched/no_such { @ = count(); }", "script:1:1: this kernel has no tracepoint sched/no_such"},
	} {
		_, res := outcome(t, Script{Prog: row.prog})
		got := strings.Join(res.Errors, "\n")
		if !strings.HasPrefix(got, "script:1:") || !strings.Contains(got, row.want) || strings.Contains(got, "-22") || strings.Contains(got, "invalid argument") {
			t.Errorf("%s\ngot\n%s\nwant\n%s", row.prog, got, row.want)
		}
	}
}

// Two probes with keys of other shapes in one map wrote into each other's.
func TestPly24CorruptsKeysOfAMapThatProbesShare(t *testing.T) {
	need.OldAndNew(t)
	want(t, Script{Prog: `
BEGIN { @[pid, "from the first probe", 1] = count(); @[pid, "x", 2] = count(); }
BEGIN { p = (u64)pid; @[p, "from the first probe", (u8)1] = count(); @[p, comm, 3] = count(); }
END   { @n[@k[1]]++; @k[1] = 5; clear(@k); @[pid, "from the first probe", 1] = count(); @[pid, comm, 3] = count(); clear(@n); }`[1:]},
		firstProbeRows(t))
}

// firstProbeRows is what the script above must print: the first key three
// times, this process's name twice, x once.
func firstProbeRows(t *testing.T) string {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	key := func(text string, n int) string { return fmt.Sprintf("[ %d, %s, %d ]", os.Getpid(), text, n) }
	first, x, name := key("from the first probe", 1), key("x", 2), key(strings.TrimSpace(string(comm)), 3)
	row := func(k string, n int) string { return fmt.Sprintf("%-*s  %8d", len(first), k, n) }
	return strings.Join([]string{"@:", row(x, 1), row(name, 2), row(first, 3)}, "\n")
}

// printf("%v", @) crashed.
func TestPly24CrashesPrintingAMapWithPrintf(t *testing.T) {
	need.OldAndNew(t)
	want(t, Script{Prog: `BEGIN { @ = 5; printf("%v\n", @); }`}, "5\n@: 5")
	wantError(t, `BEGIN { @ = count(); printf("%v\n", @); }`,
		"script:1:37: @ is fed by count() at script:1:9 and cannot be read in a script: use print(@), or a second map")
	wantError(t, `BEGIN { @[1] = 2; printf("%v\n", @); }`, "script:1:34: @ has no key here but 1 key at script:1:9")
}

// An int result below zero was seen as a large positive number.
func TestPly24SeesNegativeResultsAsLargeNumbers(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	want(t, Script{
		Command: "fallocate -l 777 /dev/null 2>/dev/null; exit 0",
		Prog:    "kretprobe:vfs_fallocate / ppid == $target && retval < 0 / { @[retval] = count(); @sum = sum(retval); }",
	}, "@:\n-19                    1\n@sum: -19")
}
