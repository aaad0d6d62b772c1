package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// A Cost is what programs took of all CPUs.
type Cost struct {
	Runs uint64
	Time time.Duration
}

// Minus is what was added since an earlier cost.
func (c Cost) Minus(before Cost) Cost { return Cost{c.Runs - before.Runs, c.Time - before.Time} }

// Plus is both costs together.
func (c Cost) Plus(more Cost) Cost { return Cost{c.Runs + more.Runs, c.Time + more.Time} }

// A ProgramCost is what a program took, and the probe specifications that it serves, each
// once.
type ProgramCost struct {
	Specs []string
	Cost
}

// Costs returns what each of the script's programs took while the kernel kept statistics.
func (t *Tracer) Costs() (all []ProgramCost) {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed {
		return nil
	}
	for _, p := range t.programs {
		if stats, err := p.kernel.Stats(); err == nil {
			all = append(all, ProgramCost{unique(p.specTexts()), Cost{stats.RunCount, stats.Runtime}})
		}
	}
	return all
}

// unique are the names without repetitions.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// KeepStatistics has the kernel keep statistics of all BPF programs of the machine
// until they are closed, which makes each run of each take two readings of the clock
// longer. It needs CAP_SYS_ADMIN, unless the setting kernel.bpf_stats_enabled is 1.
func KeepStatistics() (io.Closer, error) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err == nil {
		return stats, nil
	}
	if isOn("/proc/sys/kernel/bpf_stats_enabled") {
		return io.NopCloser(nil), nil
	}
	return nil, refusedStatistics(err)
}

// refusedStatistics says what is missing.
func refusedStatistics(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: it takes CAP_SYS_ADMIN, or the setting kernel.bpf_stats_enabled=1", err)
	}
	return Diagnose(err)
}

// isOn says whether a setting of the kernel is known to be 1.
func isOn(file string) bool {
	text, err := os.ReadFile(file)
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// SampleEvery has a script that is sampled look at one event in n from now on, where n is
// a power of two.
func (t *Tracer) SampleEvery(n int) {
	t.life.RLock()
	defer t.life.RUnlock()
	if !t.closed && t.obj.Sampled {
		t.state.store(object.SampleWord(len(t.obj.Maps)), uint64(n-1))
	}
}

// Pause stops the script and detaches it. Its maps stay readable until Close.
func (t *Tracer) Pause() error { return errors.Join(t.Stop(), t.detach()) }
