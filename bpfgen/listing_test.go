package bpfgen

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each file of testdata/listing is a script for a recorded kernel, which the
// part of the file's name before "_" names, and its listing.
func TestGoldenListings(t *testing.T) {
	files, err := filepath.Glob("testdata/listing/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no listings: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(text), separator)
			name, _, _ := strings.Cut(filepath.Base(file), "_")
			got := listing(compile(t, recorded(t, name), script, Options{}))
			if *update {
				if err := os.WriteFile(file, []byte(script+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("the listing is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

const separator = "-- listing --\n"

// listing spells out maps and programs of an object.
func listing(o *object.Object) string {
	var b strings.Builder
	for _, m := range o.Maps {
		spec := o.Spec.Maps[m.SpecName]
		fmt.Fprintf(&b, "map %s: %s %v, key %d, value %d, %d entries\n", m.Name, m.SpecName, spec.Type, spec.KeySize, spec.ValueSize, spec.MaxEntries)
	}
	for _, p := range o.Programs {
		fmt.Fprintf(&b, "program %s, %s\n%v", p.Name, p.Attach, o.Spec.Programs[p.Name].Instructions)
	}
	return b.String()
}

// TestSpellings compiles scripts that mean the same, and wants the same code.
func TestSpellings(t *testing.T) {
	for _, same := range [][]string{
		{
			"kprobe:SyS_* { $syscalls[func].count() }",
			"kprobe:SyS_* { $syscalls[func()].count() }",
			"kprobe:sys_* { $syscalls[func] = count(); }",
		},
		{
			"kprobe:SyS_read { $sizes.quantize(arg(2)) }",
			"kprobe:SyS_read { $sizes.quantize(arg2) }",
			"kprobe:sys_read { $sizes = quantize(arg2); }",
			"k:sys_read { $sizes = quantize(arg2, 0) }",
		},
		{
			"kprobe:SyS_read { $rx[arg(0)] = nsecs; } kretprobe:SyS_read { $rx[0] = nil; }",
			"kprobe:SyS_read { $rx[arg(0)] = nsecs(); } kretprobe:SyS_read { $rx[0] = nil; }",
			"kprobe:SyS_read { $rx[arg0] = nsecs; } kretprobe:SyS_read { delete $rx[0]; }",
		},
		{
			"kprobe:__netif_receive_skb_core { $rx[arg(0)] = nsecs; } kprobe:ip_rcv / $rx[arg(0)] / { $t.quantize(nsecs - $rx[arg(0)]); $rx[arg(0)] = nil; }",
			"kprobe:__netif_receive_skb_core { $rx[arg(0)] = nsecs(); } kprobe:ip_rcv / $rx[arg(0)] / { $t.quantize(nsecs() - $rx[arg(0)]); $rx[arg(0)] = nil; }",
			"k:__netif_receive_skb_core { $rx[arg0] = nsecs; } k:ip_rcv / $rx[arg0] / { $t = quantize(nsecs - $rx[arg0]); delete $rx[arg0]; }",
		},
		{
			"tracepoint:sched/sched_switch",
			"t:sched:sched_switch { @[probe] = count() }",
			"trace:sched/sched_switch { @[probe()].count() }",
		},
		{
			`BEGIN { @[comm, pid] = sum(1); }`,
			`BEGIN { @[execname, tgid] = sum(1); }`,
			`BEGIN { @[execname(), tgid()].sum(1) }`,
		},
		{ // constants
			`BEGIN { @ = quantize(pid, 3); @l = lquantize(pid, -7, 64, 2); @x = strncmp(comm, "ab", 2) + strlen(str(0, 8)); exit(2); }`,
			`BEGIN { @ = quantize(pid, 1 + 2); @l = lquantize(pid, -(3 + 4), 1 << 6, (u8)258); @x = strncmp(comm, "ab", 4 / 2) + strlen(str(0, 2 * 4)); exit(!0 + 1); }`,
		},
	} {
		for _, name := range []string{"5.10-amd64", "7.3-amd64"} {
			k := recorded(t, name)
			first := code(t, k, same[0])
			for _, other := range same[1:] {
				if got := code(t, k, other); got != first {
					t.Errorf("%s: %s\ngives\n%s\n%s\ngives\n%s", name, same[0], first, other, got)
				}
			}
		}
	}
}

// TestEnums: what a script keeps of an enum knows the names of its values, while
// the code is that of an integer (see the listing).
func TestEnums(t *testing.T) {
	const script = "kprobe:vfs_read { r = (struct request *)arg0; last = r->state; @seen[last, last + 1] = count(); @last = last; @sum = sum(last); @flag = curtask->throttled; }"
	o := compile(t, recorded(t, "7.3-amd64"), script, Options{})
	for i, want := range []struct {
		t    *plylang.Type
		kind plylang.Kind
	}{
		{o.Maps[0].Keys[0], plylang.Enum},
		{o.Maps[0].Keys[1], plylang.Int},
		{o.Maps[1].Value, plylang.Enum},
		{o.Maps[2].Value, plylang.Int},
		{o.Maps[3].Value, plylang.Bool},
	} {
		if want.t.Kind != want.kind || want.kind == plylang.Enum && want.t.Enum.Name != "mq_rq_state" {
			t.Errorf("type %d is %+v", i, want.t)
		}
	}
}

// code is the listing without the script's text.
func code(t *testing.T, k *kernel.Kernel, script string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(listing(compile(t, k, script, Options{}))) {
		if !strings.HasPrefix(strings.TrimSpace(line), ";") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Equal scripts give equal hashes; a difference in what is counted shows.
func TestHash(t *testing.T) {
	k := recorded(t, "6.18-amd64")
	hash := func(script string, opt Options) string { return compile(t, k, script, opt).Hash }
	const script = "tracepoint:sched/sched_switch { @[data->prev_comm] = count(); }"
	same := hash(script, Options{})
	if again := hash("# comment\n"+script, Options{}); again != same {
		t.Error("a comment changes the hash")
	}
	for _, other := range []struct {
		script string
		opt    Options
	}{
		{"tracepoint:sched/sched_switch { @[data->next_comm] = count(); }", Options{}},
		{"tracepoint:sched/sched_switch { @[data->prev_comm] = sum(1); }", Options{}},
		{"tracepoint:sched/sched_switch { @x[data->prev_comm] = count(); }", Options{}},
		{script, Options{MaxEntries: 5}},
		{script, Options{Maps: map[string]MapOptions{"@": {Evict: true}}}},
	} {
		if hash(other.script, other.opt) == same {
			t.Errorf("%s %+v has the same hash", other.script, other.opt)
		}
	}
}

// Every instruction knows where in the script it comes from.
func TestSourceOf(t *testing.T) {
	const script = "BEGIN {\n\t@a = 1;\n\t@b = 2;\n}"
	o := compile(t, recorded(t, "6.18-amd64"), script, Options{})
	name := o.Programs[0].Name
	want := map[int]bool{0: true, strings.Index(script, "@a"): true, strings.Index(script, "@b"): true}
	for n := range int(o.Spec.Programs[name].Instructions.Size() / 8) {
		pos, ok := o.SourceOf(name, n)
		if !ok || !want[int(pos)] {
			t.Errorf("instruction %d comes from %d, %v", n, pos, ok)
		}
	}
	if _, ok := o.SourceOf("other", 0); ok {
		t.Error("a program that does not exist has a source")
	}
}

// An exporter does not end, and old kernels keep extremes less exactly.
func TestFindingsOfOptions(t *testing.T) {
	_, err := Build(&plylang.Source{Text: "BEGIN { exit(1); }"}, recorded(t, "6.18-amd64"), Options{}, nil)
	want := "script:1:9: exit() ends a run, and an exporter does not end: leave it out, or use return"
	if err == nil || err.Error() != want {
		t.Errorf("exit() in an exporter gives %v, want %s", err, want)
	}
	o := compile(t, recorded(t, "5.10-amd64"), "BEGIN { @ = min(pid); }", Options{})
	want = "script:1:9: @ may miss a value on this kernel when one probe interrupts another: min() is exact from Linux 5.12 on"
	if len(o.Warnings) != 1 || o.Warnings[0].Error() != want {
		t.Errorf("warnings are %v, want %s", o.Warnings, want)
	}
}

// Where the kernel does not count missed returns, the warning says for how many
// callers there is room.
func TestFindingsOfReturns(t *testing.T) {
	for _, row := range []struct {
		plain bool
		want  string
	}{
		{false, "the 1000 that there is room for"},
		{true, "the kernel has room for, as when it sleeps"},
	} {
		o := compile(t, recorded(t, "5.10-amd64"), "kretprobe:vfs_read { @ = count(); }", Options{PlainAttach: row.plain})
		want := "script:1:1: returns are missed when more callers are inside the function at a time than " + row.want + "; Linux counts them from 6.7 on"
		if len(o.Warnings) != 1 || o.Warnings[0].Error() != want {
			t.Errorf("warnings are %v, want %s", o.Warnings, want)
		}
	}
}

// What cannot be compiled is an error at its position.
func TestCompileErrors(t *testing.T) {
	for _, r := range []struct{ script, want string }{
		{"BEGIN { @[str(0, 512), str(0, 512), str(0, 512), str(0, 512), str(0, 512), str(0, 512), str(0, 512), str(0, 512), str(0, 512)] = count(); }",
			"script:1:9: the key of @ has 4608 bytes, the limit of this kernel is 4096: use shorter strings, as in str(p, 64)"},
		{"BEGIN { @ = lquantize(1, 0, 10, 0); }", "script:1:33: the step must be at least 1"},
		{"BEGIN { @[1] = lquantize(1, 0, 4092, 1); }", "script:1:9: @ needs 32776 bytes for a key and its value, the limit is 32760: use fewer buckets or shorter strings"},
		{"BEGIN { @ = lquantize(1, 0, 4091, 1); }", "script:1:9: @ needs 32768 bytes for a key and its value, the limit is 32760: use fewer buckets or shorter strings"},
		{"BEGIN { @ = lquantize((u64)1, 0, 0xffffffffffffffff, 1); }", "script:1:34: the upper limit must be below 2^63"},
		{"BEGIN { @ = lquantize(1, 5, -2, 1); }", "script:1:29: the upper limit must be above the lower one"},
		{"BEGIN { @ = lquantize(1, 0, 100000, 1); }", "script:1:37: this makes more than 4096 buckets: use a larger step"},
		{"BEGIN { @ = lquantize(1, 5, 5, 1); }", "script:1:29: the upper limit must be above the lower one"},
		{"BEGIN { @ = llquantize(1, 10, 0, 2, 7); }", "script:1:37: the number of steps must be a multiple of the factor"},
		{"BEGIN { @ = llquantize(1, 10, 0, 30, 10); }", "script:1:34: the largest magnitude does not fit 64 bits: use a smaller one"},
		{"BEGIN { @ = quantize(1, 5); }", "script:1:25: bits must be 0 to 4: every power of two is cut into 2^bits buckets"},
		{"BEGIN { @ = quantize(1, pid); }", "script:1:25: bits of quantize() must be a constant"},
		{`BEGIN { @ = strlen(str(0, 513)); }`, "script:1:27: the length must be 1 to 512"},
		{"BEGIN { exit(256); }", "script:1:14: an exit status is 0 to 255"},
		{"BEGIN { unroll (60) { unroll (60) { @[pid, tid] = count(); } } }", "script:1:1: probe is too long: it has more than 32767 instructions, use a smaller unroll() or several probes"},
	} {
		_, err := build(recorded(t, "6.18-amd64"), r.script, Options{})
		if err == nil || err.Error() != r.want {
			t.Errorf("%s\ngives %v\nwant  %s", r.script, err, r.want)
		}
	}
}
