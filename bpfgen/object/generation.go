package object

import "fmt"

// Generations
//
// What a script clears is kept in several generations, of which one is the
// map's current contents: clear() makes the next one current, which is empty,
// and everything that was in the map stays where it is until whoever runs the
// script has read it, emptied it, and allowed it to be used again. So a clear()
// happens in the kernel, at its statement; updates under way end in the old
// generation, which is complete when all programs that ran at the clear() have
// ended; and what is stored after the clear() is in the new one.
//
// A Cell has its generations side by side. A hash is an array of hashes. Which
// generation is current stands in ClearMap.

// Generations is how many a map that is cleared has: a power of two.
const Generations = 4

// Words of ClearMap for each map that is cleared.
const (
	clearStateWord = iota // a ClearState
	clearLimitWord        // the number of the last generation that is empty
	clearDrainWord        // the place of the generation that is being emptied
	ClearWords
)

// A ClearState says which generation of a map is current: its number, which
// begins with 0, times 2, plus 1 where a clear() found no empty generation and
// waits for one.
type ClearState uint64

// Number counts generations from 0.
func (s ClearState) Number() uint64 { return uint64(s) >> 1 }

// Waiting says whether a clear() waits for an empty generation.
func (s ClearState) Waiting() bool { return s&1 != 0 }

// Next is the state in which the next generation is current.
func (s ClearState) Next() ClearState { return s&^1 + 2 }

// Place is where a generation is: in the array of hashes, or among the cells.
func Place(generation uint64) int { return int(generation % Generations) }

// Cleared says whether a clear() names the map, so that it has generations.
func (m *Map) Cleared() bool { return m.ClearID > 0 }

// generations is how many copies of its memory the map has.
func (m *Map) generations() int {
	if m.Cleared() {
		return Generations
	}
	return 1
}

// ClearStateWord is the index in ClearMap of the word that is a ClearState.
func (m *Map) ClearStateWord() int { return m.clearWord(clearStateWord) }

// ClearLimitWord is the index of the number of the last generation that is empty.
func (m *Map) ClearLimitWord() int { return m.clearWord(clearLimitWord) }

// ClearDrainWord is the index of the place of the generation that is being emptied.
func (m *Map) ClearDrainWord() int { return m.clearWord(clearDrainWord) }

func (m *Map) clearWord(i int) int { return (m.ClearID-1)*ClearWords + i }

// GenerationName is the name in Object.Spec.Maps of the hash at a place.
func (m *Map) GenerationName(place int) string { return fmt.Sprintf("%s/%d", m.SpecName, place) }
