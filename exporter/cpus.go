package exporter

import (
	"runtime"

	"github.com/cilium/ebpf"
)

// possibleCPUs is the number of CPUs the kernel keeps room for.
func possibleCPUs() int {
	if n, err := ebpf.PossibleCPU(); err == nil {
		return n
	}
	return runtime.NumCPU()
}
