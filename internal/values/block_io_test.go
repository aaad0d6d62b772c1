package values

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

func TestBlockIO(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "block_io.yaml"))
	d := newLoopDisk(t)
	compare(t, s, func() { d.use(t) }, d.comparisons()...)
}

// comparisons are those of all that a disk does with /proc/diskstats, where what
// only flushes counts as a write, too.
func (d disk) comparisons() (list []comparison) {
	flushes := d.stat(flushesCompleted, 1)
	operations := []struct {
		name      string
		completed func(*testing.T) float64
		sectors   int
	}{
		{"read", d.stat(readsCompleted, 1), sectorsRead},
		{"write", minus(d.stat(writesCompleted, 1), flushes), sectorsWritten},
		{"discard", d.stat(discardsCompleted, 1), sectorsDiscarded},
		{"flush", flushes, -1},
	}
	for _, o := range operations {
		labels := []string{"device", d.name, "operation", o.name}
		list = append(list,
			comparison{ours: ours("ply_block_io_seconds_count", labels...), source: "completed, /proc/diskstats", theirs: o.completed, least: requests},
			comparison{ours: ours("ply_block_io_device_seconds_count", labels...), source: "completed, /proc/diskstats", theirs: o.completed, least: requests})
		if o.sectors >= 0 {
			list = append(list, comparison{ours: ours("ply_block_io_bytes_sum", labels...), source: "sectors, /proc/diskstats", theirs: d.stat(o.sectors, sector), least: requests * sector})
		}
	}
	return list
}

func minus(a, b func(*testing.T) float64) func(*testing.T) float64 {
	return func(t *testing.T) float64 { return a(t) - b(t) }
}

// requests is how often use does each thing.
const requests = 50

// use reads, writes, flushes and discards. One write is larger than a request may
// be, so that the kernel splits it.
func (d disk) use(t *testing.T) {
	t.Helper()
	data := buffer(t, diskSize)
	for i := range requests {
		size, at := sector<<(i%8), int64(i*64*sector)
		if _, err := unix.Pwrite(d.fd, data[:size], at); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Pread(d.fd, data[:size], at); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fsync(d.fd); err != nil {
			t.Fatal(err)
		}
		d.discard(t, uint64(i)*4096, 4096)
	}
	if _, err := unix.Pwrite(d.fd, data, 0); err != nil {
		t.Fatal(err)
	}
}

// A disk that is over its bandwidth refuses requests, which the kernel then hands
// to it again: they are still one request each, from their first time on. From
// their last time on the disk takes a tenth of it. Later kernels hold requests
// back before the disk must refuse them.
func TestRequeuedRequests(t *testing.T) {
	need.EachKernel(t)
	need.Guest(t)
	const times, size = 64, 16 << 10 // of which one fits into what the driver allows in 20 ms
	s := serve(t, load(t, "block_io.yaml"))
	d := newNullDisk(t, map[string]string{"size": "16", "mbps": "1", "memory_backed": "1"})
	labels := []string{"device", d.name, "operation", "write"}
	count, milliseconds := d.stat(writesCompleted, 1), d.stat(writeMilliseconds, 1e-3)
	list := []comparison{
		{ours: ours("ply_block_io_seconds_count", labels...), source: "completed, /proc/diskstats", theirs: count, least: times},
		{ours: ours("ply_block_io_device_seconds_count", labels...), source: "completed, /proc/diskstats", theirs: count, least: times},
		{ours: ours("ply_block_io_bytes_sum", labels...), source: "sectors, /proc/diskstats", theirs: d.stat(sectorsWritten, sector), least: times * size},
		{ours: ours("ply_block_io_seconds_sum", labels...), source: "milliseconds, /proc/diskstats", theirs: milliseconds, slack: 0.4, least: 1},
	}
	refused := perfTracepoint(t, "block/block_rq_requeue")
	before := refused(t)
	if need.Older(need.Release(), "5.11") {
		list = append(list, comparison{ours: ours("ply_block_io_device_seconds_sum", labels...), source: "milliseconds, /proc/diskstats", theirs: milliseconds, slack: 0.6, least: 1})
	}
	compare(t, s, func() { d.write(t, size, times) }, list...)
	if refused(t) == before && need.Older(need.Release(), "5.11") {
		t.Error("the disk refused nothing")
	}
}

func (d disk) write(t *testing.T, size, times int) {
	t.Helper()
	data := buffer(t, size)
	for i := range times {
		if _, err := unix.Pwrite(d.fd, data, int64(i*size)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFailingRequests(t *testing.T) {
	need.EachKernel(t)
	need.Guest(t)
	s := serve(t, load(t, "block_io.yaml"))
	d := newNullDisk(t, map[string]string{"size": "16", "memory_backed": "1", "badblocks": "+8-15"})
	did := ledger{}
	compare(t, s, func() {
		data := buffer(t, 4096)
		for range requests {
			_, err := unix.Pread(d.fd, data, 8*sector)
			did["read"] += isEIO(err)
			_, err = unix.Pwrite(d.fd, data, 8*sector)
			did["write"] += isEIO(err)
		}
	},
		comparison{ours: ours("ply_block_io_errors_total", "device", d.name, "operation", "read", "errno", "EIO"), source: "what pread returns", theirs: did.of("read"), least: requests},
		comparison{ours: ours("ply_block_io_errors_total", "device", d.name, "operation", "write", "errno", "EIO"), source: "what pwrite returns", theirs: did.of("write"), least: requests},
		comparison{ours: ours("ply_block_io_seconds_count", "device", d.name, "operation", "read"), source: "completed, /proc/diskstats", theirs: d.stat(readsCompleted, 1), least: requests},
	)
}

func isEIO(err error) float64 {
	if errors.Is(err, unix.EIO) {
		return 1
	}
	return 0
}
