package bpfgen

import (
	"math"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// How keys are laid out
//
// A number of a key takes the bytes that the widest of the expressions needs that
// are used for it, though it is one of 64 bits to the language. Numbers lie at
// multiples of their size, so that several share a word. Other values have words of
// their own, and so has the whole key.

func (c *compiler) layoutKey(m *object.Map) {
	ranges := c.ranges[m.Map]
	for i, t := range m.Keys {
		size, align := emit.Padded(t.Size), 8
		if t.Integer() {
			t = ranges[i].narrow(t)
			size, align = t.Size, t.Size
		}
		m.KeySize = (m.KeySize + align - 1) / align * align
		m.Key = append(m.Key, object.KeyPart{Type: t, Offset: m.KeySize})
		m.KeySize += size
	}
	m.KeySize = emit.Padded(m.KeySize)
	if limit := emit.Pick(c.kernel.AtLeast(5, 11), maxKeySize, maxOldKeySize); m.KeySize > limit {
		c.errs.Add(c.script.Src, m.Pos, "the key of %s has %d bytes, the limit of this kernel is %d: use shorter strings, as in str(p, 64)", m.Name, m.KeySize, limit)
	}
}

// A keyRange is between which numbers those of a component are.
type keyRange struct{ lo, hi int64 }

// findRanges finds the ranges of the components of all keys, over all their uses.
func (c *compiler) findRanges() {
	c.ranges = map[*plylang.Map][]keyRange{}
	see := func(n plylang.Node) bool {
		if ref, ok := n.(*plylang.MapRef); ok && len(ref.Keys) > 0 {
			if c.ranges[ref.Map] == nil {
				c.ranges[ref.Map] = make([]keyRange, len(ref.Keys))
			}
			for i, x := range ref.Keys {
				c.ranges[ref.Map][i].include(x)
			}
		}
		return true
	}
	for _, clause := range c.script.Clauses {
		if clause.Pred != nil {
			plylang.Walk(clause.Pred, see)
		}
		plylang.Walk(clause.Body, see)
	}
}

// include widens r by the values that x can have.
func (r *keyRange) include(x plylang.Expr) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if v, ok := plylang.ConstInt(x); ok {
		lo, hi = v, v
	} else if t := x.Type(); t.Integer() && t.Size < 8 {
		bits := 8 * t.Size
		lo, hi = 0, 1<<bits-1
		if t.Signed {
			lo, hi = -1<<(bits-1), 1<<(bits-1)-1
		}
	}
	r.lo, r.hi = min(r.lo, lo), max(r.hi, hi)
}

// narrow is t with the size and sign that the numbers of r need. A constant that
// needs the 64th bit of an unsigned number is negative in r: it needs all of t.
func (r keyRange) narrow(t *plylang.Type) *plylang.Type {
	if r.lo < 0 && !t.Signed {
		return t
	}
	for size := 1; size < t.Size; size *= 2 {
		bits := 8 * size
		unsigned := r.lo >= 0 && r.hi < 1<<bits
		if !unsigned && (r.lo < -1<<(bits-1) || r.hi >= 1<<(bits-1)) {
			continue
		}
		narrow := *t
		narrow.Size, narrow.Signed = size, !unsigned
		return &narrow
	}
	return t
}
