package elf

// LZMA
//
// A range decoder turns bytes into bits, each with a probability that adapts. The bits
// say what follows: a byte, or a copy of bytes that were before. Probabilities depend on
// the last few of such choices (the state) and on the position.

const (
	lzmaStates   = 12
	lzmaOne      = 1 << 11 // the probability 1
	lzmaAdapt    = 5
	lzmaTop      = 1 << 24
	lzmaMaxSlots = 14 // from this one on the middle bits of a distance have no probability
)

type lzmaProb = uint16

// lzmaLength are the probabilities of the length of a copy.
type lzmaLength struct {
	choice [2]lzmaProb
	low    [16][8]lzmaProb
	mid    [16][8]lzmaProb
	high   [256]lzmaProb
}

// lzma decodes to the end of out.
type lzma struct {
	out    []byte
	start  int // of what copies may be of
	count  int // of chunks
	in     []byte
	broken bool // in has ended too early

	width, code uint32
	lc, lp, pb  uint
	state       int
	reps        [4]uint32 // the last distances, less 1

	match    [lzmaStates][16]lzmaProb
	rep      [4][lzmaStates]lzmaProb // is one of the last distances; not the first, second, third
	short    [lzmaStates][16]lzmaProb
	slots    [4][64]lzmaProb
	special  [1 + 128 - lzmaMaxSlots]lzmaProb
	align    [16]lzmaProb
	lengths  [2]lzmaLength // of a new distance, of an old one
	literals []lzmaProb
}

// setProperties reads what bits of positions and of the byte before count.
func (d *lzma) setProperties(b byte) bool {
	d.lc, d.lp, d.pb = uint(b%9), uint(b/9%5), uint(b/45)
	if d.lc+d.lp > 4 || d.pb > 4 {
		return false
	}
	d.literals = make([]lzmaProb, 0x300<<(d.lc+d.lp))
	return true
}

// reset makes all choices as likely as their opposite.
func (d *lzma) reset() {
	d.state, d.reps = 0, [4]uint32{}
	even := func(probs []lzmaProb) {
		for i := range probs {
			probs[i] = lzmaOne / 2
		}
	}
	for i := range lzmaStates {
		even(d.match[i][:])
		even(d.short[i][:])
	}
	for i := range 4 {
		even(d.rep[i][:])
		even(d.slots[i][:])
	}
	for i := range d.lengths {
		l := &d.lengths[i]
		even(l.choice[:])
		for j := range 16 {
			even(l.low[j][:])
			even(l.mid[j][:])
		}
		even(l.high[:])
	}
	even(d.special[:])
	even(d.align[:])
	even(d.literals)
}

func (d *lzma) next() uint32 {
	if len(d.in) == 0 {
		d.broken = true
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return uint32(b)
}

func (d *lzma) normalize() {
	if d.width < lzmaTop {
		d.width, d.code = d.width<<8, d.code<<8|d.next()
	}
}

// bit decodes a bit with a probability.
func (d *lzma) bit(p *lzmaProb) uint32 {
	d.normalize()
	bound := (d.width >> 11) * uint32(*p)
	if d.code < bound {
		d.width = bound
		*p += (lzmaOne - *p) >> lzmaAdapt
		return 0
	}
	d.width, d.code = d.width-bound, d.code-bound
	*p -= *p >> lzmaAdapt
	return 1
}

// tree decodes a number of so many bits, of which each has probabilities by those before.
func (d *lzma) tree(probs []lzmaProb, bits int) uint32 {
	m := uint32(1)
	for range bits {
		m = m<<1 | d.bit(&probs[m])
	}
	return m - 1<<bits
}

// reverseTree is tree for a number whose lowest bit comes first.
func (d *lzma) reverseTree(probs []lzmaProb, bits int) (n uint32) {
	m := uint32(1)
	for i := range bits {
		b := d.bit(&probs[m])
		m, n = m<<1|b, n|b<<i
	}
	return n
}

// decode decodes size bytes of the chunk in.
func (d *lzma) decode(in []byte, size int) bool {
	d.in, d.broken, d.width, d.code = in, false, 1<<32-1, 0
	if d.next() != 0 {
		return false
	}
	for range 4 {
		d.code = d.code<<8 | d.next()
	}
	for end := len(d.out) + size; len(d.out) < end; {
		position := (len(d.out) - d.start) & (1<<d.pb - 1)
		if d.bit(&d.match[d.state][position]) == 0 {
			d.literal()
			continue
		}
		n, ok := d.distance(position)
		if !ok || d.broken || n > end-len(d.out) || int64(d.reps[0]) >= int64(len(d.out)-d.start) {
			return false
		}
		for from := len(d.out) - int(d.reps[0]) - 1; n > 0; n-- {
			d.out = append(d.out, d.out[from])
			from++
		}
	}
	return !d.broken
}

// literal decodes a byte. Behind a copy it is likely another one than that behind what
// was copied.
func (d *lzma) literal() {
	before := byte(0)
	if len(d.out) > d.start {
		before = d.out[len(d.out)-1]
	}
	which := (len(d.out)-d.start)&(1<<d.lp-1)<<d.lc + int(before>>(8-d.lc))
	probs := d.literals[0x300*which:][:0x300]
	symbol := uint32(1)
	if at := len(d.out) - int(d.reps[0]) - 1; d.state >= 7 && at >= d.start {
		likely := uint32(d.out[at])
		for mask := uint32(0x100); symbol < 0x100; {
			likely <<= 1
			expected := likely & mask
			b := d.bit(&probs[mask+expected+symbol])
			symbol = symbol<<1 | b
			if b == 0 {
				expected = ^expected
			}
			mask &= expected
		}
	}
	for symbol < 0x100 {
		symbol = symbol<<1 | d.bit(&probs[symbol])
	}
	d.out = append(d.out, byte(symbol))
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

// after is the state behind a choice: one of two, by whether a byte was before.
func (d *lzma) after(literal, other int) {
	if d.state >= 7 {
		literal = other
	}
	d.state = literal
}

// distance decodes how far back a copy is of, to reps[0], and how long it is.
func (d *lzma) distance(position int) (n int, ok bool) {
	if d.bit(&d.rep[0][d.state]) == 0 {
		n = d.length(&d.lengths[0], position)
		d.after(7, 10)
		copy(d.reps[1:], d.reps[:3])
		d.reps[0] = d.newDistance(n)
		return n, d.reps[0] != 1<<32-1 // the mark of an end, which is none here
	}
	which := 0
	if d.bit(&d.rep[1][d.state]) == 0 {
		if d.bit(&d.short[d.state][position]) == 0 {
			d.after(9, 11)
			return 1, true
		}
	} else if which = 1; d.bit(&d.rep[2][d.state]) == 1 {
		which = 2 + int(d.bit(&d.rep[3][d.state]))
	}
	again := d.reps[which]
	copy(d.reps[1:which+1], d.reps[:which])
	d.reps[0] = again
	n = d.length(&d.lengths[1], position)
	d.after(8, 11)
	return n, true
}

func (d *lzma) length(l *lzmaLength, position int) int {
	switch {
	case d.bit(&l.choice[0]) == 0:
		return 2 + int(d.tree(l.low[position][:], 3))
	case d.bit(&l.choice[1]) == 0:
		return 10 + int(d.tree(l.mid[position][:], 3))
	}
	return 18 + int(d.tree(l.high[:], 8))
}

// newDistance decodes a distance: its highest bits, the middle ones and the lowest.
func (d *lzma) newDistance(length int) uint32 {
	slot := d.tree(d.slots[min(length-2, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := int(slot>>1) - 1
	distance := (2 | slot&1) << bits
	if slot < lzmaMaxSlots {
		return distance + d.reverseTree(d.special[distance-slot:], bits)
	}
	middle := uint32(0)
	for range bits - 4 {
		d.normalize()
		d.width >>= 1
		b := uint32(0)
		if d.code >= d.width {
			d.code, b = d.code-d.width, 1
		}
		middle = middle<<1 | b
	}
	return distance + middle<<4 + d.reverseTree(d.align[:], 4)
}
