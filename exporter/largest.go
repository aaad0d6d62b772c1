package exporter

import (
	"slices"
	"sort"
)

// largest returns the exported series of this round whose size is largest, at
// most so many, the largest first, and of equal ones that whose labels come
// first. There may be 100,000 of which the page shows twelve.
func (t *mapSeries) largest(most int, size func(n uint32) float64) []uint32 {
	list, sizes := make([]uint32, 0, most+1), make([]float64, 0, most+1)
	for _, n := range t.order {
		s := &t.list[n]
		if s.round != t.round || s.hidden {
			continue
		}
		of := size(n)
		at := sort.Search(len(sizes), func(i int) bool { return sizes[i] < of })
		if at == most {
			continue
		}
		list, sizes = slices.Insert(list, at, n), slices.Insert(sizes, at, of)
		list, sizes = list[:min(len(list), most)], sizes[:min(len(sizes), most)]
	}
	return list
}
