package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// PossibleCPUs returns the number of processors the kernel may ever bring up:
// a per-CPU map has as many values.
func (k *Kernel) PossibleCPUs() (int, error) {
	if n := k.assumed.Load(); n > 0 {
		return int(n), nil
	}
	return k.possible()
}

// AssumeCPUs makes the kernel one of a machine that has so many possible
// processors: what is compiled for it from now on is what that machine would get.
func (k *Kernel) AssumeCPUs(n int) { k.assumed.Store(int64(n)) }

func (k *Kernel) readPossible() (int, error) {
	cpus, err := k.readCPUs("possible")
	return len(cpus), err
}

// OnlineCPUs returns the numbers of the processors that run now, ascending. It
// is read anew each time.
func (k *Kernel) OnlineCPUs() ([]int, error) { return k.readCPUs("online") }

func (k *Kernel) readCPUs(which string) ([]int, error) {
	name := "sys/devices/system/cpu/" + which
	text, err := fs.ReadFile(k.files, name)
	if err != nil && k.lacksSys() {
		return nil, errors.New(noSys)
	}
	if err != nil {
		return nil, fmt.Errorf("%s processors: %w", which, err)
	}
	cpus, err := parseCPUs(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", name, err)
	}
	return cpus, nil
}

// maxCPU is beyond the largest number of processors Linux can be built for.
const maxCPU = 1 << 16

// parseCPUs reads a list such as "0-3,8".
func parseCPUs(list string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		lo, err1 := strconv.ParseUint(first, 10, 16)
		hi, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || lo > hi || hi >= maxCPU {
			return nil, fmt.Errorf("%q is not a list of processors", list)
		}
		for cpu := lo; cpu <= hi; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	return cpus, nil
}

// kptrRestrict returns the sysctl kernel.kptr_restrict: 1 hides addresses from
// programs without CAP_SYSLOG, 2 from all.
func (k *Kernel) kptrRestrict() int { return k.sysctl("kptr_restrict", 0) }

func (k *Kernel) sysctl(name string, unknown int) int {
	text, err := fs.ReadFile(k.files, "proc/sys/kernel/"+name)
	if err != nil {
		return unknown
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return unknown
	}
	return n
}
