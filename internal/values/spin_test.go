package values

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spinners are processes that never stop to compute.
type spinners []int

// spin starts some on a CPU; they end with the test. They do nothing before work.
func spin(t *testing.T, n, cpu int) (all spinners) {
	t.Helper()
	for range n {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		must(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		must(t, cmd.Process.Signal(unix.SIGSTOP))
		runOn(t, cmd.Process.Pid, cpu)
		all = append(all, cmd.Process.Pid)
	}
	return all
}

// runOn has a thread, 0 is this one, run on one CPU only.
func runOn(t *testing.T, pid, cpu int) {
	t.Helper()
	var set unix.CPUSet
	set.Set(cpu)
	must(t, unix.SchedSetaffinity(pid, &set))
}

// work has them compute for a while.
func (all spinners) work(t *testing.T, length time.Duration) {
	t.Helper()
	for _, pid := range all {
		must(t, unix.Kill(pid, unix.SIGCONT))
	}
	time.Sleep(length)
	for _, pid := range all {
		must(t, unix.Kill(pid, unix.SIGSTOP))
	}
	for _, pid := range all {
		for stopped := false; !stopped; time.Sleep(time.Millisecond) {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			must(t, err)
			stopped = strings.Contains(string(text), ") T ")
		}
	}
}

// sum is a source: the sum over the processes of a number of a file of each in
// /proc, times a factor. The number is the one after the name, or, if there is no
// name, the one at a position.
func (all spinners) sum(file, name string, position int, factor float64) func(*testing.T) float64 {
	return func(t *testing.T) (sum float64) {
		t.Helper()
		for _, pid := range all {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			must(t, err)
			_, rest, _ := strings.Cut(string(text), name)
			var n float64
			_, err = fmt.Sscan(strings.Fields(rest)[position], &n)
			must(t, err)
			sum += n * factor
		}
		return sum
	}
}
