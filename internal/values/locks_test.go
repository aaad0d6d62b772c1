package values

import (
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// Two threads read from one open file: the second waits for the lock of its
// position until the first, which waits for a line, has read it. This happens as
// often as the test likes, and takes as long.
func TestLocks(t *testing.T) {
	need.EachKernel(t)
	need.Kernel(t, "5.19", "events of waits for locks")
	s := serve(t, load(t, "locks.yaml"))
	p := newPipeOfLines(t)
	p.readTwice(t)
	caller := someCaller(t, s, "fdget_pos", "__fdget_pos")
	did := ledger{}
	ends := perfTracepoint(t, "lock/contention_end")
	compare(t, s, func() {
		for range lockWaits {
			did["seconds"] += p.readTwice(t)
			did["waits"]++
		}
	},
		comparison{ours: ours("ply_locks_caller_wait_seconds_count", "caller", caller), source: "reads that wait", theirs: did.of("waits"), least: lockWaits},
		comparison{ours: ours("ply_locks_caller_wait_seconds_sum", "caller", caller), source: "a clock beside them", theirs: did.of("seconds"), slack: 0.2, least: 0.5},
		// others wait for mutexes, too, but not for long
		comparison{ours: ours("ply_locks_wait_seconds_sum", "kind", "mutex"), source: "a clock beside them", theirs: did.of("seconds"), slack: 0.2, least: 0.5},
		// what a program itself waits for has no program, and perf leaves out what happens while it handles another event
		comparison{ours: ours("ply_locks_wait_seconds_count"), source: "perf's count of contention_end", theirs: ends, slack: lockWaits, least: lockWaits},
		comparison{ours: ours("ply_locks_caller_wait_seconds_count"), source: "perf's count of contention_end", theirs: ends, slack: lockWaits, least: lockWaits},
	)
}

// someCaller is the one of these names that a caller has.
func someCaller(t *testing.T, s *server, names ...string) string {
	t.Helper()
	now := s.scrape(t)
	for _, name := range names {
		if ours("ply_locks_caller_wait_seconds_count", "caller", name).of(now) > 0 {
			return name
		}
	}
	for _, m := range now["ply_locks_caller_wait_seconds"].GetMetric() {
		t.Log("waited:", m.Label[0].GetValue())
	}
	t.Fatalf("none of %q has waited", names)
	return ""
}

const lockWaits = 10

// A pipeOfLines is a file of tracefs: who reads it waits for a line.
type pipeOfLines struct {
	fd     int
	marker string
}

func newPipeOfLines(t *testing.T) pipeOfLines {
	t.Helper()
	instance := "/sys/kernel/tracing/instances/values"
	if err := os.Mkdir(instance, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(instance) })
	fd, err := unix.Open(instance+"/trace_pipe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return pipeOfLines{fd, instance + "/trace_marker"}
}

func (p pipeOfLines) write(t *testing.T) {
	if err := os.WriteFile(p.marker, []byte("values\n"), 0); err != nil {
		t.Error(err)
	}
}

// read waits for a line, and says for how many seconds.
func (p pipeOfLines) read(t *testing.T) float64 {
	begin := time.Now()
	if _, err := unix.Read(p.fd, make([]byte, 4096)); err != nil {
		t.Error(err)
	}
	return time.Since(begin).Seconds()
}

// readTwice reads in two threads, and says for how long the second waits for the
// first.
func (p pipeOfLines) readTwice(t *testing.T) float64 {
	const wait = 100 * time.Millisecond
	first := make(chan time.Time, 1)
	var both sync.WaitGroup
	both.Go(func() {
		p.read(t)
		first <- time.Now()
	})
	time.Sleep(wait)
	begin := time.Now()
	both.Go(func() { p.read(t) })
	time.Sleep(wait)
	p.write(t)
	end := <-first
	p.write(t)
	both.Wait()
	return end.Sub(begin).Seconds()
}
