package object

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// A Reduce is how two values of one key become one, word by word: those of two
// CPUs, and those of two keys that read the same.
type Reduce uint8

// The reductions. Extremes are stored transformed, so that both are an unsigned
// maximum whose neutral element is 0.
const (
	ReduceSum Reduce = iota + 1
	ReduceMax
)

// reductions has a row for each: what it does here, and in the programs that
// read maps, where it joins R5 to R0 and jumps to a label when R0 is the result
// already.
var reductions = map[Reduce]struct {
	join func(x, y uint64) uint64
	code func(done string) asm.Instructions
}{
	ReduceSum: {
		func(x, y uint64) uint64 { return x + y },
		func(string) asm.Instructions { return asm.Instructions{asm.Add.Reg(asm.R0, asm.R5)} },
	},
	ReduceMax: {
		func(x, y uint64) uint64 { return max(x, y) },
		func(done string) asm.Instructions {
			return asm.Instructions{asm.JGE.Reg(asm.R0, asm.R5, done), asm.Mov.Reg(asm.R0, asm.R5)}
		},
	},
}

// Join joins value b into a.
func (r Reduce) Join(a, b []byte) {
	row, ok := reductions[r]
	if !ok {
		panic(fmt.Sprintf("object: no reduction %d", r))
	}
	for w := 0; w < len(a); w += 8 {
		x, y := binary.LittleEndian.Uint64(a[w:]), binary.LittleEndian.Uint64(b[w:])
		binary.LittleEndian.PutUint64(a[w:], row.join(x, y))
	}
}

// Code returns instructions that join R5 to R0, for a program that has the label
// done behind them.
func (r Reduce) Code(done string) asm.Instructions { return reductions[r].code(done) }
