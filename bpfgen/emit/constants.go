package emit

import (
	"bytes"

	"github.com/cilium/ebpf/asm"
)

// ConstantMap is the array of one value with what programs only read.
const ConstantMap = "ply_constants"

// Constants are bytes that the programs of a script only read, and that are put into
// the map when it is made.
type Constants struct{ all []byte }

// Bytes are all of them.
func (c *Constants) Bytes() []byte { return c.all }

// place returns where data is, which is put there if it is not yet.
func (c *Constants) place(data []byte) (offset int) {
	size := Padded(len(data))
	data = append(bytes.Clone(data), make([]byte, size-len(data))...)
	for at := 0; at+size <= len(c.all); at += 8 {
		if bytes.Equal(c.all[at:at+size], data) {
			return at
		}
	}
	c.all = append(c.all, data...)
	return len(c.all) - size
}

// Constant puts the address of constant data into a register.
func (e *Emitter) Constant(reg asm.Register, data []byte) {
	e.MapValue(reg, ConstantMap, e.constants.place(data))
}
