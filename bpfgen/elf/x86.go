package elf

// An instruction of amd64 has up to 15 bytes, and only by reading all of them
// from the beginning of a function can one know where each begins. This is all
// that is done here: what they do does not matter. golang.org/x/arch knows few
// of the instructions with vectors, of which libc is full.

// x86 is an instruction.
type x86 struct {
	length int
	opcode byte // the last byte of it
	kind   byte // which table the opcode is of: 1 for one byte, 2 for 0f, 3 for 0f 38, 4 for 0f 3a, 0 else
	// relative says that memory is addressed relative to the next instruction,
	// at this distance.
	relative bool
	distance int32
}

// maxX86 is the length of the longest instruction.
const maxX86 = 15

// The kinds of what follows an opcode.
const (
	bad   = 1 << iota // no instruction, or one of 32-bit programs
	modrm             // registers and memory
	imm8
	imm16
	immZ // 4 bytes, or 2 after the prefix 66
	imm32
	immV // 8 bytes after REX.W, else as immZ
	moffs
	prefix
)

// x86One and x86Two say what follows each opcode, of one byte and after 0f.
var (
	x86One = x86Table([]x86Range{
		{0x40, 0x4f, bad}, // REX, read before
		{0x60, 0x62, bad}, {0x63, 0x63, modrm},
		{0x64, 0x67, prefix},
		{0x68, 0x68, immZ}, {0x69, 0x69, modrm | immZ}, {0x6a, 0x6a, imm8}, {0x6b, 0x6b, modrm | imm8},
		{0x70, 0x7f, imm8},
		{0x80, 0x80, modrm | imm8}, {0x81, 0x81, modrm | immZ}, {0x82, 0x82, bad}, {0x83, 0x83, modrm | imm8},
		{0x84, 0x8f, modrm},
		{0x9a, 0x9a, bad},
		{0xa0, 0xa3, moffs}, {0xa8, 0xa8, imm8}, {0xa9, 0xa9, immZ},
		{0xb0, 0xb7, imm8}, {0xb8, 0xbf, immV},
		{0xc0, 0xc1, modrm | imm8}, {0xc2, 0xc2, imm16}, {0xc4, 0xc5, bad},
		{0xc6, 0xc6, modrm | imm8}, {0xc7, 0xc7, modrm | immZ},
		{0xc8, 0xc8, imm16 | imm8}, {0xca, 0xca, imm16}, {0xcd, 0xcd, imm8}, {0xce, 0xce, bad},
		{0xd0, 0xd3, modrm}, {0xd4, 0xd6, bad}, {0xd8, 0xdf, modrm},
		{0xe0, 0xe7, imm8}, {0xe8, 0xe9, imm32}, {0xea, 0xea, bad}, {0xeb, 0xeb, imm8},
		{0xf0, 0xf0, prefix}, {0xf2, 0xf3, prefix},
		{0xf6, 0xf7, modrm}, {0xfe, 0xff, modrm}, // test has an operand more
	}, x86Arithmetic)
	x86Two = x86Table([]x86Range{
		{0x00, 0x03, modrm}, {0x04, 0x04, bad}, {0x0a, 0x0a, bad}, {0x0c, 0x0c, bad},
		{0x0d, 0x0d, modrm}, {0x0f, 0x0f, modrm | imm8},
		{0x10, 0x23, modrm}, {0x24, 0x27, bad}, {0x28, 0x2f, modrm},
		{0x36, 0x36, bad}, {0x39, 0x39, bad}, {0x3b, 0x3f, bad},
		{0x40, 0x6f, modrm}, {0x70, 0x73, modrm | imm8}, {0x74, 0x76, modrm}, {0x78, 0x7f, modrm},
		{0x80, 0x8f, imm32},
		{0x90, 0x9f, modrm}, {0xa3, 0xa3, modrm}, {0xa4, 0xa4, modrm | imm8}, {0xa5, 0xa5, modrm}, {0xa6, 0xa7, bad},
		{0xab, 0xab, modrm}, {0xac, 0xac, modrm | imm8}, {0xad, 0xb9, modrm},
		{0xba, 0xba, modrm | imm8}, {0xbb, 0xc1, modrm}, {0xc2, 0xc2, modrm | imm8}, {0xc3, 0xc3, modrm},
		{0xc4, 0xc6, modrm | imm8}, {0xc7, 0xc7, modrm}, {0xd0, 0xff, modrm},
	}, nil)
)

type x86Range struct {
	from, to int
	what     uint16
}

func x86Table(ranges []x86Range, first func(*[256]uint16)) *[256]uint16 {
	var t [256]uint16
	if first != nil {
		first(&t)
	}
	for _, r := range ranges {
		for op := r.from; op <= r.to; op++ {
			t[op] = r.what
		}
	}
	return &t
}

// x86Arithmetic fills the first 64 opcodes: eight operations in six forms, and
// in between prefixes and what 64-bit programs lack.
func x86Arithmetic(t *[256]uint16) {
	for op := range 0x40 {
		t[op] = [8]uint16{modrm, modrm, modrm, modrm, imm8, immZ, bad, bad}[op&7]
	}
	for _, op := range []int{0x26, 0x2e, 0x36, 0x3e} {
		t[op] = prefix
	}
}

// x86Decoder reads one instruction.
type x86Decoder struct {
	code         []byte
	at           int
	wide, narrow bool // REX.W, the prefix 66
	repeat       byte // the prefix f2 or f3
	short        bool // the prefix 67
	ins          x86
}

// decodeX86 reads the instruction that code begins with. Its length is 0 if
// there is none, or if the code ends before.
func decodeX86(code []byte) x86 {
	d := x86Decoder{code: code[:min(len(code), maxX86)]}
	if !d.decode() || d.at > len(d.code) {
		return x86{}
	}
	d.ins.length = d.at
	return d.ins
}

// next returns the next byte, 0 behind the end, which decodeX86 notices.
func (d *x86Decoder) next() byte {
	d.at++
	if d.at > len(d.code) {
		return 0
	}
	return d.code[d.at-1]
}

func (d *x86Decoder) decode() bool {
	op := d.next()
	for x86One[op]&prefix != 0 && d.at <= len(d.code) {
		switch op {
		case 0x66:
			d.narrow = true
		case 0x67:
			d.short = true
		case 0xf2, 0xf3:
			d.repeat = op
		}
		op = d.next()
	}
	if op&0xf0 == 0x40 {
		d.wide = op&8 != 0
		op = d.next()
	}
	switch op {
	case 0x62:
		return d.evex()
	case 0xc4:
		table := d.next() & 0x1f
		d.next()
		return d.vector(table)
	case 0xc5:
		d.next()
		return d.vector(1)
	case 0x8f:
		if d.at < len(d.code) && d.code[d.at]&0x1f >= 8 {
			return d.xop()
		}
	case 0x0f:
		return d.two()
	}
	d.ins.kind, d.ins.opcode = 1, op
	what := x86One[op]
	if op&0xfe == 0xf6 && d.at < len(d.code) && d.code[d.at]&0x30 == 0 {
		what |= [2]uint16{imm8, immZ}[op&1]
	}
	return d.operands(what)
}

// two reads what follows 0f.
func (d *x86Decoder) two() bool {
	op := d.next()
	switch op {
	case 0x38:
		d.ins.kind, d.ins.opcode = 3, d.next()
		return d.operands(modrm)
	case 0x3a:
		d.ins.kind, d.ins.opcode = 4, d.next()
		return d.operands(modrm | imm8)
	}
	d.ins.kind, d.ins.opcode = 2, op
	if op == 0x78 && (d.narrow || d.repeat == 0xf2) { // extrq, insertq: two operands of a byte
		return d.operands(modrm | imm16)
	}
	return d.operands(x86Two[op])
}

// vector reads what follows a VEX prefix for one of its tables.
func (d *x86Decoder) vector(table byte) bool {
	op := d.next()
	switch {
	case table == 1 && op == 0x77: // vzeroupper
		return true
	case table == 1:
		return x86Two[op]&modrm != 0 && d.operands(modrm|x86Two[op]&imm8)
	case table == 2, table == 5, table == 6:
		return d.operands(modrm)
	case table == 3:
		return d.operands(modrm | imm8)
	}
	return false
}

func (d *x86Decoder) evex() bool {
	table := d.next() & 7
	d.next()
	d.next()
	return d.vector(table)
}

// xop reads the instructions that some AMD processors had.
func (d *x86Decoder) xop() bool {
	table := d.next() & 0x1f
	d.next()
	d.next()
	switch table {
	case 8:
		return d.operands(modrm | imm8)
	case 9:
		return d.operands(modrm)
	case 10:
		return d.operands(modrm | imm32)
	}
	return false
}

func (d *x86Decoder) operands(what uint16) bool {
	if what&(bad|prefix) != 0 {
		return false
	}
	if what&modrm != 0 {
		d.memory(d.next())
	}
	for _, w := range []struct {
		what uint16
		size int
	}{{imm8, 1}, {imm16, 2}, {immZ, d.immediate()}, {imm32, 4}, {immV, d.immediateV()}, {moffs, d.addressSize()}} {
		if what&w.what != 0 {
			d.at += w.size
		}
	}
	return true
}

func (d *x86Decoder) immediate() int {
	if d.narrow && !d.wide {
		return 2
	}
	return 4
}

func (d *x86Decoder) immediateV() int {
	if d.wide {
		return 8
	}
	return d.immediate()
}

func (d *x86Decoder) addressSize() int {
	if d.short {
		return 4
	}
	return 8
}

// memory reads what follows the byte that says which registers and memory.
func (d *x86Decoder) memory(m byte) {
	mod, rm := m>>6, m&7
	if mod == 3 {
		return
	}
	if rm == 4 && d.next()&7 == 5 && mod == 0 {
		d.at += 4
	}
	switch {
	case mod == 1:
		d.at++
	case mod == 2:
		d.at += 4
	case rm == 5:
		d.ins.relative = true
		if d.at+4 <= len(d.code) {
			d.ins.distance = int32(little.Uint32(d.code[d.at:]))
		}
		d.at += 4
	}
}
