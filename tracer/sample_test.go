package tracer

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// sampled compiles a script that is sampled; see compile.
func sampled(t testing.TB, script string) *object.Object {
	t.Helper()
	need.BPF(t)
	numbers := strings.NewReplacer("GETPPID", fmt.Sprint(unix.SYS_GETPPID), "PID", fmt.Sprint(os.Getpid()))
	obj, err := bpfgen.Build(&plylang.Source{Text: numbers.Replace(script)}, runningKernel(t), bpfgen.Options{Sample: true}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return obj
}

// near says whether a number that was estimated is within six standard deviations of what it
// should be: each of so many events counted n times with a chance of 1 in n has the variance
// n-1, for each n.
func near(t *testing.T, what string, got, want, variance float64) {
	t.Helper()
	if off, bound := math.Abs(got-want), 6*math.Sqrt(variance); off > bound {
		t.Errorf("%s is %v, want %v, at most %v off", what, got, want, bound)
	}
}

// What is counted of a sample is near what is counted of all events, though the sample
// changes, for counts, sums, means and histograms alike.
func TestSample(t *testing.T) {
	need.OneGuest(t)
	const body = `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
		@ = count(); @by[data->args[0] & 1] = count(); @sum = sum(5); @keyed[1] = sum(1 << 47);
		@mean[tid] = avg(0 - 3); @h[cpu] = quantize(9);
		@many[pid, rand & 8191] = count(); @manymeans[pid, rand & 8191] = avg(7);
	}`
	part, all := start(t, sampled(t, body), testOptions(t)), start(t, compile(t, body), testOptions(t))
	variance := 0.0
	for _, n := range []int{64, 1, 2, 256, 1} {
		part.SampleEvery(n)
		workload(t, 1<<17)
		variance += (1 << 17) * float64(n-1)
	}
	const events = 5 << 17
	if n := counts(t, all, all.obj.Maps[0], 0)[0]; n != events {
		t.Fatalf("%d events, want %d", n, events)
	}
	number := func(tr *Tracer, i int) (sum, count float64) {
		rows, err := tr.Rows(tr.obj.Maps[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			v := tr.obj.Maps[i].Read(r.Value)
			x, _ := v.Number.Big().Float64()
			sum, count = sum+x, count+float64(v.Count)
		}
		return sum, count
	}
	for i, scale := range []float64{1, 1, 5, 1 << 47, -3, 9, 1, 7} {
		sum, count := number(part, i)
		want, wantCount := number(all, i)
		name := part.obj.Maps[i].Name
		near(t, "total of "+name, sum, want, variance*scale*scale)
		near(t, "count of "+name, count, wantCount, variance)
	}
	if got, _ := number(part, 0); got == events {
		t.Error("nothing was left out")
	}
}

// At the full rate a script that is sampled is exact, and what it misses is not added
// twice.
func TestSampleOfAll(t *testing.T) {
	tr := start(t, sampled(t, `tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @ = count(); @s[1] = sum(3); }`), testOptions(t))
	tr.SampleEvery(1)
	workload(t, 5000)
	for i, want := range []uint64{5000, 15000} {
		if n := grandTotal(t, tr, tr.obj.Maps[i]).Uint64(); n != want {
			t.Errorf("%s is %d, want %d", tr.obj.Maps[i].Name, n, want)
		}
	}
	tr.Close()
	tr.SampleEvery(2) // nothing is left to change
}
