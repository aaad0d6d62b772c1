package values

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if work, ok := workloads[os.Getenv(asWorkload)]; ok {
		if err := work(os.Getenv(argument)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// asWorkload is the environment variable that makes this program do nothing but
// one of the workloads, and argument that of what the workload is told.
const (
	asWorkload = "PLY_VALUES_WORKLOAD"
	argument   = "PLY_VALUES_ARGUMENT"
)

// workloads are what this program can do in a process of its own.
var workloads = map[string]func(argument string) error{
	"rare calls": func(string) error { rareCalls(ledger{}); return nil },
	"files":      func(folder string) error { return useFiles(folder, ledger{}) },
	"read":       readAtLimit,
	"allocate":   allocateAtLimit,
	"goroutines": useRuntime,
	"spin":       spinFor,
}

// workload is the command of a workload.
func workload(name, arg string, before ...string) *exec.Cmd {
	argv := append(before, os.Args[0])
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), asWorkload+"="+name, argument+"="+arg)
	return cmd
}

// A memoryCgroup is a cgroup with a limit of memory, of version 2 or 1.
type memoryCgroup struct {
	folder string
	v1     bool
}

const limit = 24 << 20

func newMemoryCgroup(t *testing.T) memoryCgroup {
	t.Helper()
	c := memoryCgroup{folder: "/sys/fs/cgroup/values"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		c = memoryCgroup{"/sys/fs/cgroup/memory/values", true}
	} else if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(c.folder); err != nil {
			t.Error(err)
		}
	})
	file := map[bool]string{false: "memory.max", true: "memory.limit_in_bytes"}[c.v1]
	if err := os.WriteFile(filepath.Join(c.folder, file), []byte(strconv.Itoa(limit)), 0); err != nil {
		t.Fatal(err)
	}
	return c
}

// oomKills is a source: the processes of the cgroup that were killed.
func (c memoryCgroup) oomKills() func(*testing.T) float64 {
	file := map[bool]string{false: "memory.events", true: "memory.oom_control"}[c.v1]
	return sumOf(filepath.Join(c.folder, file), "oom_kill")
}

// enter moves this process into a cgroup.
func enter(folder string) error {
	return os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// readAtLimit reads more from a disk than the cgroup may have in memory.
func readAtLimit(folder string) error {
	if err := enter(folder); err != nil {
		return err
	}
	file, err := os.Open(os.Getenv(diskFile))
	if err != nil {
		return err
	}
	buffer := make([]byte, 1<<20)
	for n := 0; n < 2*limit; n += len(buffer) {
		if _, err := file.ReadAt(buffer, int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// diskFile is the environment variable of a large file on a disk.
const diskFile = "PLY_VALUES_DISK"

// allocateAtLimit takes more memory than the cgroup may have.
func allocateAtLimit(folder string) error {
	if err := enter(folder); err != nil {
		return err
	}
	memory, err := unix.Mmap(-1, 0, 4*limit, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return fmt.Errorf("%d bytes of memory where only %d are allowed", len(memory), limit)
}
