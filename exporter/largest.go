package exporter

import (
	"slices"
	"sort"
)

// isShown says that a series is exported in this round.
func (t *mapSeries) isShown(n uint32) bool { return t.list[n].round == t.round && !t.list[n].hidden }

// largest returns the exported series whose size is largest; see rank.
func (t *mapSeries) largest(most int, size func(n uint32) float64) []uint32 {
	return t.rank(most, t.isShown, size)
}

// rank returns the series that are wanted whose size is largest, at most so many, the
// largest first, and of equal ones that whose labels come first. There may be 100,000 of
// which the page shows twelve.
func (t *mapSeries) rank(most int, wanted func(n uint32) bool, size func(n uint32) float64) []uint32 {
	list, sizes := make([]uint32, 0, most+1), make([]float64, 0, most+1)
	for _, n := range t.order {
		if !wanted(n) {
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
