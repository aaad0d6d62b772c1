package tracer

import (
	"fmt"
	"math/big"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// runningKernel is the kernel of this machine. All tests share what was read of
// it: to read its types takes long in emulation.
func runningKernel(t testing.TB) *kernel.Kernel {
	t.Helper()
	k, err := sharedKernel()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var sharedKernel = sync.OnceValues(func() (*kernel.Kernel, error) {
	k, err := kernel.Running()
	if err == nil {
		Detect(k)
	}
	return k, err
})

// compile compiles a script for the running kernel. In it, PID stands for
// this process and GETPPID for the number of that system call.
func compile(t testing.TB, script string) *object.Object {
	t.Helper()
	need.BPF(t)
	src := &plylang.Source{Text: numbered(script)}
	obj, err := bpfgen.Build(src, runningKernel(t), bpfgen.Options{Run: true}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return obj
}

// numbered is a script with the numbers that PID and GETPPID stand for.
func numbered(script string) string {
	return strings.NewReplacer("GETPPID", fmt.Sprint(unix.SYS_GETPPID), "PID", fmt.Sprint(os.Getpid())).Replace(script)
}

// What the compiler makes is loaded, attached and read: the first word of
// every map's only value after 1000 calls of getppid.
func TestScripts(t *testing.T) {
	need.EachArch(t)
	for _, row := range []struct {
		script string
		want   []uint64
	}{
		{`tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @ = count(); }`, []uint64{1000}},
		{`tracepoint:syscalls/sys_enter_getppid /pid == PID/ { @[tid] = count(); @s = sum(2); }`, []uint64{1000, 2000}},
		{`kprobe:SyS_getppid /pid == PID/ { $calls[func].count() }`, []uint64{1000}},
		{`kprobe:SyS_getp?id /pid == PID/ { @[comm] = quantize(3); }`, []uint64{3000}},
		{`BEGIN { @a = count(); } END { @a = count(); @b = sum(5); }`, []uint64{2, 5}},
		{`kretprobe:SyS_getppid /pid == PID && retval > 0/ { @[probe] = count(); }`, []uint64{1000}},
	} {
		t.Run(row.script, func(t *testing.T) {
			runtime.LockOSThread() // for good: a script counts by thread
			tr := start(t, compile(t, row.script), testOptions(t))
			syscalls(unix.SYS_GETPPID, 1000, 0)
			if err := tr.Stop(); err != nil {
				t.Fatal(err)
			}
			for i, m := range tr.obj.Maps {
				rows, err := tr.Rows(m)
				if err != nil || len(rows) != 1 || object.Word(rows[0].Value, 0) != row.want[i] {
					t.Errorf("%s is %v (%v), want %d", m.Name, rows, err, row.want[i])
				}
			}
		})
	}
}

// A script as users write it loses nothing either.
func TestExactScript(t *testing.T) {
	need.EachKernel(t)
	tr := start(t, compile(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@[data->args[0]] = count(); @sizes[cpu] = quantize(data->args[0]); @all = sum(1);
	}`), testOptions(t))
	var stop atomic.Bool
	done := make(chan bool)
	go func() { readLoop(t, tr, &stop); close(done) }()
	workload(t, exactEvents)
	stop.Store(true)
	<-done
	for key, n := range wantEach(counts(t, tr, tr.obj.Maps[0], 0), 64) {
		t.Errorf("count: [%d] = %d, want %d", key, n, exactEvents/64)
	}
	sum, events := uint64(0), uint64(0)
	rows, err := tr.Rows(tr.obj.Maps[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		h := tr.obj.Maps[1].Read(r.Value)
		sum, events = sum+h.Number.Bits, events+h.Count
	}
	if events != exactEvents || sum != exactEvents/64*(63*64/2) {
		t.Errorf("quantize: %d events with sum %d, want %d and %d", events, sum, exactEvents, exactEvents/64*(63*64/2))
	}
	if n := counts(t, tr, tr.obj.Maps[2], 0)[0]; n != exactEvents {
		t.Errorf("sum: %d, want %d", n, exactEvents)
	}
}

// Sums that several CPUs add to at once are exact far beyond 64 bits.
func TestExactTotals(t *testing.T) {
	const events = 1 << 18
	tr := start(t, compile(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@cell = sum(1 << 46); @keyed[0] = sum((u64)0 - 7); @spread[data->args[0]] = quantize(1 << 50); @mean = avg(0 - (1 << 47));
	}`), testOptions(t))
	workload(t, events)
	for i, each := range []int64{1 << 46, -7, 1 << 50, -1 << 47} {
		m, x := tr.obj.Maps[i], big.NewInt(each)
		if i == 1 {
			x.Add(x, new(big.Int).Lsh(big.NewInt(1), 64))
		}
		want := x.Mul(x, big.NewInt(events))
		if got := grandTotal(t, tr, m); got.Cmp(want) != 0 {
			t.Errorf("%s: %v, want %v", m.Name, got, want)
		}
	}
}

// grandTotal adds up the totals of all keys.
func grandTotal(t *testing.T, tr *Tracer, m *object.Map) *big.Int {
	t.Helper()
	rows, err := tr.Rows(m)
	if err != nil {
		t.Fatal(err)
	}
	all := new(big.Int)
	for _, r := range rows {
		all.Add(all, m.Read(r.Value).Number.Big())
	}
	return all
}

// Specifications that share a program each count what they name.
func TestCovers(t *testing.T) {
	need.EachKernel(t)
	tr := start(t, compile(t, `kprobe:SyS_get* { @[func] = count(); } kprobe:sys_getppid, kprobe:sys_getsid { @p = count(); }`), testOptions(t))
	if len(tr.programs) != 1 {
		t.Fatalf("%d programs", len(tr.programs))
	}
	probes, all := tr.Probes(), 0
	for i, want := range []int{20, 1, 1} {
		if n := probes[i].Covers; n < want || want == 1 && n != 1 {
			t.Errorf("%s covers %d", probes[i].Spec, n)
		}
		all += probes[i].Covers
	}
	if n := tr.Active(); n != all {
		t.Errorf("%d probes active, want %d", n, all)
	}
}
