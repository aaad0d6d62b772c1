package tracer

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// exactEvents is the size of the workload: losses that a reader causes are
// rare enough to need millions of events to show. An emulated CPU is slower, so that
// more happens beside each of them.
var exactEvents = func() uint64 {
	if need.InGuest() {
		return 2 << 20
	}
	return 4 << 20
}()

// threadsPerCPU of the workload, so that they preempt each other.
const threadsPerCPU = 3

// workload makes n calls of getppid in all, from threads pinned to CPUs, with
// arguments that go around from 0 to 63.
func workload(t testing.TB, n uint64) {
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		t.Fatal(err)
	}
	threads := uint64(cpus.Count() * threadsPerCPU)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(int(threads) + 2))
	var wg sync.WaitGroup
	i := uint64(0)
	for cpu := range len(cpus) * 64 {
		if !cpus.IsSet(cpu) {
			continue
		}
		for range threadsPerCPU {
			first, last := n*i/threads, n*(i+1)/threads
			i++
			wg.Add(1)
			go func() {
				defer wg.Done()
				runtime.LockOSThread() // for good: the thread ends with its affinity
				var one unix.CPUSet
				one.Set(cpu)
				if err := unix.SchedSetaffinity(0, &one); err != nil {
					t.Error(err)
				}
				for j := first; j < last; j++ {
					getppid(uintptr(j & 63))
				}
			}()
		}
	}
	wg.Wait()
}

// getppid makes the system call, with an argument that it ignores. As a call
// of its own it is where Go's scheduler can stop the loop around it.
//
//go:noinline
func getppid(arg uintptr) { unix.RawSyscall(unix.SYS_GETPPID, arg, 0, 0) }

// readLoop reads all maps until stop is closed, and checks that no count ever
// falls.
func readLoop(t testing.TB, tr *Tracer, stop *atomic.Bool) (rounds int, longest time.Duration) {
	last := make([]map[uint64]uint64, len(tr.obj.Maps))
	for ; !stop.Load(); rounds++ {
		begin := time.Now()
		for i, m := range tr.obj.Maps {
			got := counts(t, tr, m, 0)
			for key, n := range last[i] {
				if got[key] < n {
					t.Errorf("map %d: [%d] fell from %d to %d", i, key, n, got[key])
				}
			}
			last[i] = got
		}
		longest = max(longest, time.Since(begin))
	}
	return rounds, longest
}

// Nothing is lost: threads that preempt each other, on all CPUs, count into
// maps of all kinds while a reader reads them without a pause.
func TestExact(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	kinds := []object.AttachKind{object.AttachTracepoint}
	if k := runningKernel(t); k.Has(kernel.RawTracepointsExact) {
		kinds = append(kinds, object.AttachRawTracepoint)
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			b := newObject("")
			perCPU := b.addMap(countMap(object.PerCPUHash))
			histogram := b.addMap(histogramMap())
			cell := b.addMap(cellMap())
			site, here := object.Site(sysEnter), onlySyscall(unix.SYS_GETPPID)
			if kind == object.AttachRawTracepoint {
				site, here = object.RawTracepoint{Event: "sys_enter"}, onlySyscallRaw(unix.SYS_GETPPID)
			}
			b.program(kind, site.String(), points(site),
				here, keyArg(63), element(perCPU), addOne(0),
				keyArg(7), element(histogram), observe(), cellAdd(cell))
			tr := start(t, b.build(), testOptions(t))
			quietly(t, tr.maps[perCPU.ID])
			quietly(t, tr.maps[histogram.ID])

			var stop atomic.Bool
			done := make(chan string)
			go func() {
				rounds, longest := readLoop(t, tr, &stop)
				done <- fmt.Sprintf("read %d times beside it, in %v at most", rounds, longest)
			}()
			begin := time.Now()
			workload(t, exactEvents)
			took := time.Since(begin)
			stop.Store(true)
			t.Logf("%d events in %v, %s", exactEvents, took, <-done)
			if n := counts(t, tr, cell, 0)[0]; n != exactEvents {
				t.Errorf("cell: %d, want %d", n, exactEvents)
			}
			for key, n := range wantEach(counts(t, tr, perCPU, 0), 64) {
				t.Errorf("per-CPU hash: [%d] = %d, want %d", key, n, exactEvents/64)
			}
			for key := range uint64(8) {
				sum, bucket := counts(t, tr, histogram, 0)[key], counts(t, tr, histogram, 1+int(key))[key]
				if sum != key*exactEvents/8 || bucket != exactEvents/8 {
					t.Errorf("histogram: [%d] has sum %d and count %d, want %d and %d", key, sum, bucket, key*exactEvents/8, exactEvents/8)
				}
			}
		})
	}
}

// wantEach returns the counts that are not their share of exactEvents.
func wantEach(got map[uint64]uint64, keys uint64) map[uint64]uint64 {
	wrong := map[uint64]uint64{}
	for key := range keys {
		if n := got[key]; n != exactEvents/keys {
			wrong[key] = n
		}
	}
	return wrong
}

// A key that is never deleted is in every reading, once, however busily
// others come and go around it.
func TestChurn(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	const stable, churning, rounds = 2000, 2000, 150
	b := newObject("")
	m := b.addMap(countMap(object.SharedHash))
	tr := start(t, b.build(), testOptions(t))
	quietly(t, tr.maps[m.ID])
	k := tr.maps[m.ID].kernel
	for i := range uint64(stable) {
		if err := k.Put(i, i+1); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	done := make(chan error)
	go func() { done <- churn(k.Put, k.Delete, stable, churning, &stop) }()
	for range rounds {
		got := counts(t, tr, m, 0)
		for i := range uint64(stable) {
			if n, ok := got[i]; !ok || n != i+1 {
				t.Fatalf("[%d] = %d, %t", i, n, ok)
			}
		}
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(counts(t, tr, m, 0)); n != stable {
		t.Errorf("%d keys at the end, want %d", n, stable)
	}
	if n := tr.maps[m.ID].known.Len(); n != stable {
		t.Errorf("%d keys remembered at the end, want %d", n, stable)
	}
}

// Nothing is lost while keys come and go in the kernel and a reader notices that
// they do: it asks for none of those that went away.
func TestExactBesideChurn(t *testing.T) {
	need.EachKernel(t)
	events := exactEvents / 4
	obj := compile(t, fmt.Sprintf(`
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ { @n = count(); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == %d/ { @[data->args[0]] = count(); }
		tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == %d/ { delete @[data->args[0]]; }`, unix.SYS_GETPGID, unix.SYS_GETSID))
	tr := start(t, obj, testOptions(t))
	quietly(t, tr.maps[1])
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := uintptr(0); !stop.Load(); i++ {
			_, _, _ = unix.RawSyscall(unix.SYS_GETPGID, i%1500, 0, 0)
			_, _, _ = unix.RawSyscall(unix.SYS_GETSID, (i+750)%1500, 0, 0)
		}
	})
	rounds := 0
	wait.Go(func() {
		for ; !stop.Load(); rounds++ {
			if _, err := tr.Rows(obj.Maps[1]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	workload(t, events)
	stop.Store(true)
	wait.Wait()
	if n := counts(t, tr, obj.Maps[0], 0)[0]; n != events {
		t.Errorf("%d events counted beside %d readings, want %d", n, rounds, events)
	}
}

// churn stores and deletes n keys from first on, again and again.
func churn(put func(key, value any) error, del func(key any) error, first, n uint64, stop *atomic.Bool) error {
	for !stop.Load() {
		for i := first; i < first+n; i++ {
			if err := put(i, i); err != nil {
				return fmt.Errorf("put: %w", err)
			}
		}
		for i := first; i < first+n; i++ {
			if err := del(i); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
	}
	return nil
}
