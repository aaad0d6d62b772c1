package values

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

func TestMemory(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "memory.yaml"))
	group := newMemoryCgroup(t)
	disk := onDisk(t)
	list := []comparison{
		{ours: ours("ply_memory_limit_reclaim_seconds_count"), source: "perf's count of mm_vmscan_memcg_reclaim_begin", theirs: perfTracepoint(t, "vmscan/mm_vmscan_memcg_reclaim_begin"), least: 10},
		{ours: ours("ply_memory_oom_kills_total"), source: "oom_kill of the cgroup", theirs: group.oomKills(), least: 1},
		{ours: ours("ply_memory_oom_kills_total"), source: "oom_kill of /proc/vmstat", theirs: sumOf("/proc/vmstat", "oom_kill"), least: 1},
		{ours: ours("ply_memory_major_faults_total"), source: "pgmajfault of /proc/vmstat", theirs: sumOf("/proc/vmstat", "pgmajfault"), slack: faults / 10, least: faults}, // some find on a second try that the page has come
		{ours: ours("ply_memory_major_faults_total"), source: "perf's count of major-faults", theirs: perfCount(t, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ), least: faults / 2},
	}
	if !group.v1 { // from 6.14 on the cgroup counts requests that may not wait, too
		list = append(list, comparison{ours: ours("ply_memory_cgroup_reclaim_seconds_count", "cgroup", "/values"), source: "max of the cgroup's memory.events", theirs: sumOf(group.folder+"/memory.events", "max"), slack: 50, least: 100})
	}
	compare(t, s, func() {
		run(t, workload("read", group.folder))
		var killed *exec.ExitError
		if err := workload("allocate", group.folder).Run(); !errors.As(err, &killed) || killed.Exited() {
			t.Errorf("the process that takes too much memory ends with: %v", err)
		}
		majorFaults(t, disk)
	}, list...)
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, said)
	}
}

// onDisk opens a large file on a disk, nothing of which is in memory; its name is
// in the environment of workloads. In guests it is a disk.
func onDisk(t *testing.T) *os.File {
	t.Helper()
	name := "/dev/nullb0"
	if !need.InGuest() {
		name = filepath.Join(t.TempDir(), "large")
		if err := os.WriteFile(name, make([]byte, 3*limit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(diskFile, name)
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	forget(t, file)
	return file
}

// forget has the kernel drop what it holds of a file in memory.
func forget(t *testing.T, file *os.File) {
	t.Helper()
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

// faults is how many pages majorFaults needs that are on the disk only.
const faults = 100

func majorFaults(t *testing.T, disk *os.File) {
	t.Helper()
	forget(t, disk)
	page := os.Getpagesize()
	memory, err := unix.Mmap(int(disk.Fd()), 0, faults*page, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	if err := unix.Madvise(memory, unix.MADV_RANDOM); err != nil { // nothing is read ahead
		t.Fatal(err)
	}
	sum := byte(0)
	for i := 0; i < len(memory); i += page {
		sum += memory[i]
	}
	if sum != 0 {
		t.Errorf("the bytes of an empty file add up to %d", sum)
	}
}
