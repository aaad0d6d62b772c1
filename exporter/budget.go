package exporter

import (
	"cmp"
	"fmt"
	"slices"

	"ply-exporter/bpfgen/object"
)

// Limits are what all scripts may take together.
type Limits struct {
	Series int // of a scrape; 0 is no bound
	Memory int // kernel memory of the maps, in bytes; 0 is no bound
}

// limitMemory refuses each script whose maps do not fit beside those of the
// scripts before it that are not refused.
func limitMemory(scripts []*script, budget int) {
	left := budget
	for _, s := range scripts {
		if budget == 0 || s.compiled == nil {
			continue
		}
		need := s.compiled.object.Memory()
		if need > left {
			s.err, s.compiled = s.overBudget(left, budget), nil
			continue
		}
		left -= need
	}
}

// overBudget is the error of a script that is too large.
func (s *script) overBudget(left, budget int) error {
	o := s.compiled.object
	return s.conf.At.Errorf("script %s needs %s of kernel memory, %s of the %s of --bpf.memory-budget are left: %sraise the budget",
		s.conf.Name, memoryText(o.Memory()), memoryText(left), memoryText(budget), smaller(o))
}

// smaller says how to make the largest map of o smaller, if it has keys.
func smaller(o *object.Object) string {
	if len(o.Maps) == 0 {
		return ""
	}
	largest := slices.MaxFunc(o.Maps, func(a, b *object.Map) int { return cmp.Compare(a.Memory(o.CPUs), b.Memory(o.CPUs)) })
	if len(largest.Keys) == 0 {
		return ""
	}
	return fmt.Sprintf("lower max_entries (%s takes %s for %s keys) or ", largest.Name, memoryText(largest.Memory(o.CPUs)), groupDigits(uint64(largest.MaxEntries)))
}

func memoryText(n int) string { return bytesText(float64(n)) }
