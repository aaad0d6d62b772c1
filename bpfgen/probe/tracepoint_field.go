package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// loadField leaves a scalar field in R0.
func loadField(c *Context, f plylang.Field) {
	switch {
	case f.Offset == ctype.CommonPID:
		c.Call(asm.FnGetCurrentPidTgid)
		c.Extend(plylang.S32)
	case f.Offset < 0:
		c.Imm(asm.R0, int64(-f.Offset))
	case f.Offset%f.Type.Size != 0:
		loadUnaligned(c, f)
	default:
		c.LoadTyped(f.Type, asm.R6, f.Offset)
	}
}

// loadUnaligned reads a field that the verifier would not let be loaded.
func loadUnaligned(c *Context, f plylang.Field) {
	m := c.Slot(8)
	c.Zero(m)
	c.Emit(asm.Mov.Reg(asm.R3, asm.R6), asm.Add.Imm(asm.R3, int32(f.Offset)))
	c.ProbeRead(m.At(0, f.Type.Size), false)
	c.LoadTyped(f.Type, m.Reg, m.Off)
	c.Free(m)
}

// copyField copies a string, an array or bytes out of the record to dst. Text
// is zero behind its NUL: what a record has there is left over from earlier
// text.
func copyField(c *Context, f plylang.Field, dst emit.Mem) {
	if f.Type.Dyn != plylang.NotDyn {
		locateDynamic(c, f)
	} else {
		c.Emit(asm.Mov.Reg(asm.R3, asm.R6), asm.Add.Imm(asm.R3, int32(f.Offset)))
	}
	switch {
	case f.Type.Kind == plylang.String:
		c.Emitter.ReadString(dst, f.Type.Size, false) // it is in the record, to which R6 points
		if f.Type.Dyn != plylang.NotDyn && f.Type.Size == ctype.MaxDynamicText {
			markCut(c, f, dst)
		}
	case f.Type.Dyn != plylang.NotDyn:
		readDynamic(c, f, dst)
	default:
		c.Zero(dst)
		c.ProbeRead(dst.At(0, f.Type.Size), false)
	}
}

// locateDynamic leaves the address of a dynamic field's value in R3, and its
// length in R2. The field holds the length in its upper 16 bits and in the
// lower ones where the value begins: counted from the record for __data_loc,
// from the end of the field for __rel_loc.
func locateDynamic(c *Context, f plylang.Field) {
	c.Emit(
		asm.LoadMem(asm.R2, asm.R6, int16(f.Offset), asm.Word),
		asm.Mov.Reg(asm.R3, asm.R2), asm.And.Imm(asm.R3, 0xffff),
		asm.RSh.Imm(asm.R2, 16),
		asm.Add.Reg(asm.R3, asm.R6),
	)
	if f.Type.Dyn == plylang.RelLoc {
		c.Emit(asm.Add.Imm(asm.R3, int32(f.Offset)+4))
	}
}

// cutMark stands at the end of text that was cut because nobody said how much of
// it is wanted.
const cutMark = "…"

// markCut puts the mark to the end of a dynamic field's text in dst if there is
// more of it.
func markCut(c *Context, f plylang.Field, dst emit.Mem) {
	whole := c.Label()
	c.Emit(asm.LoadMem(asm.R2, asm.R6, int16(f.Offset), asm.Word), asm.RSh.Imm(asm.R2, 16))
	c.Jump(asm.JLE, asm.R2, int32(f.Type.Size+1), whole) // its NUL is one of them
	putCutMark(c, f.Type.Size, dst)
	c.Bind(whole)
}

// putCutMark puts the mark to the end of size bytes of text in dst.
func putCutMark(c *Context, size int, dst emit.Mem) {
	for i := range len(cutMark) {
		at := dst.Off + size - len(cutMark) + i
		c.Emit(asm.StoreImm(dst.Reg, int16(at), int64(cutMark[i]), asm.Byte))
	}
}

// readDynamic reads the R2 bytes at R3, as many as fit.
func readDynamic(c *Context, f plylang.Field, m emit.Mem) {
	c.Zero(m)
	fits := c.Label()
	c.Jump(asm.JLE, asm.R2, int32(f.Type.Size), fits)
	c.Emit(asm.Mov.Imm(asm.R2, int32(f.Type.Size)))
	c.Bind(fits)
	c.Address(asm.R1, m)
	c.Call(asm.FnProbeReadKernel)
}
