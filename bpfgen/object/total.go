package object

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// TotalShift is what a total's last word counts in: 2^TotalShift each. It leaves
// the first word room for the first words of 2^15 CPUs and keys.
const TotalShift = 48

// total decodes a total, of which the first word of a value is the lower part and
// the last one the upper; see Values.Total.
func total(first, last uint64, signed bool) Number {
	low, high := int64(first), int64(last)
	word, carry := bits.Add64(uint64(low), uint64(high)<<TotalShift, 0)
	above := low>>63 + high>>(64-TotalShift) + int64(carry)
	n := Number{Bits: word, Signed: signed}
	if signed && above != int64(word)>>63 || !signed && above != 0 {
		n.Wide = new(big.Int).Lsh(big.NewInt(above), 64)
		n.Wide.Add(n.Wide, new(big.Int).SetUint64(word))
	}
	return n
}

// Carry moves what a total's first word has too much into the last one, so that any
// number of values can be joined one after another.
func (m *Map) Carry(value []byte) []byte {
	if first, _ := m.ends(value); !m.Total || first>>TotalShift == 0 {
		return value
	}
	stored := m.AppendStored(nil, value)
	last := len(stored) - 8
	low, high := int64(Word(stored, 0)), int64(Word(stored, last/8))
	binary.LittleEndian.PutUint64(stored, uint64(low&(1<<TotalShift-1)))
	binary.LittleEndian.PutUint64(stored[last:], uint64(high+low>>TotalShift))
	return m.AppendRead(nil, stored)
}
