package config

import (
	"cmp"
	"strings"
)

// A Native says whether a histogram has native buckets, too, and which.
type Native struct {
	On         bool
	Bits       int // of a quantize() that has none itself: 2^Bits buckets for each power of two
	MaxBuckets int // 0: the default
}

// MinMaxBuckets is the lowest bound on native buckets that can be kept whatever the
// numbers are: at the coarsest resolution 64 bits are 5 buckets of either sign.
const MinMaxBuckets = 12

const mostMaxBuckets = 10_000

// NativeOf says whether a metric has native buckets, and which: what it says itself
// comes before the defaults of its file. m may be nil.
func (s *Script) NativeOf(m *Metric) Native {
	var own, defaults Native
	if s.Native != nil {
		defaults = *s.Native
	}
	if m == nil || m.Native == nil {
		return defaults
	}
	own = *m.Native
	return Native{own.On, cmp.Or(own.Bits, defaults.Bits), cmp.Or(own.MaxBuckets, defaults.MaxBuckets)}
}

// native reads true, false, or a mapping that says more and means true.
func (v value) native() *Native {
	n := &Native{On: true}
	if v.isScalar() {
		if v.node.Tag != "!!bool" {
			v.fail("native must be true, false or {bits: 3, max_buckets: 160}, not %s", v.kind())
		}
		n.On = strings.EqualFold(v.node.Value, "true")
		return n
	}
	readMapping(v, "native", n, []field[Native]{
		{"bits", func(n *Native, v value) { n.Bits = v.count("bits", 4) }},
		{"max_buckets", func(n *Native, v value) {
			n.MaxBuckets = v.count("max_buckets", mostMaxBuckets)
			if n.MaxBuckets > 0 && n.MaxBuckets < MinMaxBuckets {
				v.fail("max_buckets must be at least %d: not every histogram can be told in fewer", MinMaxBuckets)
			}
		}},
	})
	return n
}
