package tracer

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
)

// Values that the programs pack
//
// The values of histograms with many buckets are packed where they are read; see
// object.Packed. The bitmap comes first, so a program goes through the value twice. It
// finds the bits without a jump: with one for each block, the verifier would follow all
// combinations of blocks that are there and blocks that are not. Where other CPUs add to
// the value meanwhile, a block that was all zeros is left out, as if it had been read
// before.

// blockSize is how many bytes a whole block has.
const blockSize = 8 * object.BlockWords

// bitmapSize is how many bytes the bitmap of a value has.
func (s shape) bitmapSize() int { return 8 * object.BitmapWords(s.packed) }

// A blockRun are blocks that have their bits in the same word, of which all but the last
// are whole.
type blockRun struct {
	whole int // so many of them
	rest  int // words of the last one, 0 if it is whole, too
}

// blockRuns are those of a value, one for each word of the bitmap.
func (s shape) blockRuns() (runs []blockRun) {
	const most = 64 * object.BlockWords
	for words := s.packed; words > 0; words -= most {
		n := min(words, most)
		runs = append(runs, blockRun{n / object.BlockWords, n % object.BlockWords})
	}
	return runs
}

// mapBlocks leaves the bitmap of the value at a register at the top of the stack. It
// uses R0 to R5.
func (s shape) mapBlocks(value asm.Register) asm.Instructions {
	ins := asm.Instructions{asm.Mov.Reg(asm.R1, value)}
	for i, run := range s.blockRuns() {
		ins = append(ins, asm.Mov.Imm(asm.R2, 0), asm.Mov.Imm(asm.R3, 0))
		if run.whole > 0 {
			bit := mapBlock(object.BlockWords)
			bit[0] = bit[0].WithSymbol(fmt.Sprint("map", i))
			ins = append(append(ins, bit...),
				asm.Add.Imm(asm.R1, blockSize),
				asm.Add.Imm(asm.R3, 1),
				asm.JNE.Imm(asm.R3, int32(run.whole), fmt.Sprint("map", i)))
		}
		if run.rest > 0 {
			ins = append(ins, mapBlock(run.rest)...)
		}
		ins = append(ins, asm.StoreMem(asm.R10, s.bitmapAt(i), asm.R2, asm.DWord))
	}
	return ins
}

// mapBlock sets bit R3 of R2 unless the words at R1 are all zeros.
func mapBlock(words int) asm.Instructions {
	ins := asm.Instructions{asm.LoadMem(asm.R0, asm.R1, 0, asm.DWord)}
	for i := 1; i < words; i++ {
		ins = append(ins, asm.LoadMem(asm.R5, asm.R1, int16(8*i), asm.DWord), asm.Or.Reg(asm.R0, asm.R5))
	}
	return append(ins,
		asm.Mov.Reg(asm.R5, asm.R0),
		asm.Neg.Imm(asm.R5, 0),
		asm.Or.Reg(asm.R0, asm.R5), // the highest bit is set now
		asm.RSh.Imm(asm.R0, 63),
		asm.LSh.Reg(asm.R0, asm.R3),
		asm.Or.Reg(asm.R2, asm.R0))
}

// bitmapAt is where on the stack a word of the bitmap is.
func (s shape) bitmapAt(word int) int16 { return int16(8*word - s.bitmapSize()) }

// eachBlock emits code for each block that is in the bitmap, of so many words. The code
// finds the block at a register, and must not use left and count.
func (s shape) eachBlock(value, left, count asm.Register, code func(words int) asm.Instructions) (ins asm.Instructions) {
	for i, run := range s.blockRuns() {
		ins = append(ins, asm.LoadMem(left, asm.R10, s.bitmapAt(i), asm.DWord))
		if run.whole > 0 {
			next, again := fmt.Sprint("next", i), fmt.Sprint("block", i)
			ins = append(ins, asm.Mov.Imm(count, int32(run.whole)), asm.Mov.Reg(asm.R1, left).WithSymbol(again))
			ins = append(append(ins, asm.And.Imm(asm.R1, 1), asm.JEq.Imm(asm.R1, 0, next)), code(object.BlockWords)...)
			ins = append(ins,
				asm.Add.Imm(value, blockSize).WithSymbol(next),
				asm.RSh.Imm(left, 1),
				asm.Sub.Imm(count, 1),
				asm.JNE.Imm(count, 0, again))
		}
		if run.rest > 0 {
			next := fmt.Sprint("rest", i)
			ins = append(append(ins, asm.And.Imm(left, 1), asm.JEq.Imm(left, 0, next)), code(run.rest)...)
			ins = append(ins, asm.Add.Imm(value, int32(8*run.rest)).WithSymbol(next))
		}
	}
	return ins
}

// writePacked emits the writing of an element that has its key at R8 and its value at R9,
// by the iterator. R6 to R9 are used up.
func (s shape) writePacked() asm.Instructions {
	ins := append(seqWrite(asm.R8, s.keySize), s.mapBlocks(asm.R9)...)
	ins = append(ins, seqWrite(asm.R10, s.bitmapSize(), -s.bitmapSize())...)
	ins = append(ins, s.eachBlock(asm.R9, asm.R8, asm.R6, func(words int) asm.Instructions { return seqWrite(asm.R9, 8*words) })...)
	if tail := s.tail(); tail > 0 {
		ins = append(ins, seqWrite(asm.R9, tail)...)
	}
	return ins
}

// listPacked emits the writing of an element that has its key at R6 and its value at R7
// into the box at R8, by the lister. Where a block goes is read from the box each time:
// for the verifier it is the same whether the block before was there or not.
func (s shape) listPacked(box *ebpf.Map) asm.Instructions {
	ins := s.roomInBox(box, s.largest())
	for at := int16(0); at < int16(s.keySize); at += 8 {
		ins = append(ins, asm.LoadMem(asm.R0, asm.R6, at, asm.DWord), asm.StoreMem(asm.R9, at, asm.R0, asm.DWord))
	}
	ins = append(ins, s.mapBlocks(asm.R7)...)
	for i := range s.blockRuns() {
		ins = append(ins, asm.LoadMem(asm.R0, asm.R10, s.bitmapAt(i), asm.DWord), asm.StoreMem(asm.R9, int16(s.keySize+8*i), asm.R0, asm.DWord))
	}
	ins = append(ins, takeRoom(s.keySize+s.bitmapSize())...)
	put := func(words int) asm.Instructions {
		ins := s.roomInBox(box, 8*words)
		for at := int16(0); at < int16(8*words); at += 8 {
			ins = append(ins, asm.LoadMem(asm.R0, asm.R7, at, asm.DWord), asm.StoreMem(asm.R9, at, asm.R0, asm.DWord))
		}
		return append(ins, takeRoom(8*words)...)
	}
	ins = append(ins, s.eachBlock(asm.R7, asm.R6, asm.R5, put)...)
	if tail := s.tail(); tail > 0 {
		ins = append(ins, put(tail/8)...)
	}
	return ins
}
