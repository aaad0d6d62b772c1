package exporter

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/encode"
	"ply-exporter/plylang"
)

// Native histograms
//
// A histogram may have native buckets besides the classic ones. The kernel then counts
// into buckets that both can be made of, see object.Exponential, with the resolution
// that quantize() asks for in bits, which is the schema. All numbers have one, also those
// that classic buckets count in +Inf.
//
// Prometheus may refuse histograms of too many buckets, and then the whole scrape. So
// a series has at most so many: beyond them its resolution halves, as often as it takes.
// It never becomes finer again while the series has the same start, because Prometheus
// takes that for a reset.
type native struct {
	schema     int
	negative   int // of negative numbers, in the kernel
	maxBuckets int
}

// defaultMaxBuckets is what client libraries are commonly given, and enough for 20
// octaves of the usual resolution, schema 3.
const defaultMaxBuckets = 160

// lowestSchema is the coarsest one that Prometheus has.
const lowestSchema = -4

// resolveNative decides which native buckets a histogram has; nil is none.
func (m *metric) resolveNative() (*native, *plylang.Error) {
	asked := m.script.NativeOf(m.given)
	if !asked.On {
		return nil, nil
	}
	var own bool // said of this metric, not of all in the file
	if m.given != nil {
		_, own = m.given.Given("native")
	}
	refuse := func(format string, args ...any) (*native, *plylang.Error) {
		if !own {
			return nil, nil
		}
		return nil, m.given.At("native").Errorf("native: "+format, args...)
	}
	if m.typ != dto.MetricType_HISTOGRAM {
		return refuse("native buckets are for histograms: %s is a %s", m.decl.Name, typeName(m.typ))
	}
	if m.decl.Agg.Name != "quantize" {
		return refuse("native buckets are of the form of quantize(): the steps of %s(…) are others", m.decl.Agg.Name)
	}
	if m.scale.factor.Cmp(pow2(-128)) < 0 {
		return refuse("with this scale numbers are below 2^-128, which native histograms take for 0")
	}
	n := &native{schema: asked.Bits, maxBuckets: cmp.Or(asked.MaxBuckets, defaultMaxBuckets)}
	if len(m.decl.Args) > 1 {
		if own && m.given.Native.Bits > 0 {
			return refuse("bits: quantize(…, %s) says them itself", m.decl.Args[1])
		}
		bits, _ := plylang.ConstInt(m.decl.Args[1])
		n.schema = int(bits)
	}
	if !m.rises {
		n.negative = n.schema
	}
	return n, nil
}

// buckets are those that the kernel counts into. Where nobody expects negative numbers,
// such as those of durations, they have a bucket for each power of two: a series that
// has any loses the finer resolution, and all others need half of the memory.
func (m *metric) buckets() object.Buckets {
	if m.native == nil {
		return object.NewBounds(m.bounds.thresholds)
	}
	return object.NewExponential(m.native.schema, m.native.negative, m.scale.factor, m.decl.Value.Signed, m.bounds.thresholds)
}

// most is how many native buckets a series can have.
func (n *native) most(b *object.Exponential) int {
	type bucket struct{ sign, index int }
	all := map[bucket]bool{}
	for i := range b.Len() {
		if sign, index := b.Native(i); sign != 0 {
			all[bucket{sign, index}] = true
		}
	}
	return min(len(all), n.maxBuckets)
}

// text is what "check" says of native buckets.
func (n *native) text(b *object.Exponential) string {
	bits := "" // what is worth saying to those who did not ask for any
	if n.schema == 0 {
		bits = ", with quantize(x, 3) 9.1%"
	}
	return fmt.Sprintf("schema %d, %s for each power of 2, at most %d, quantiles within %s%%%s",
		n.schema, plural(1<<n.schema, "bucket"), n.most(b), withinPercent(n.schema), bits)
}

// withinPercent is how much the bounds of a bucket of a schema differ: 100, 41.4 …
func withinPercent(schema int) string {
	ratio := math.Exp2(math.Ldexp(1, -schema)) - 1
	return strconv.FormatFloat(math.Round(1000*ratio)/10, 'f', -1, 64)
}

// meaning is the bound: with a larger one, series would become finer without a new start.
func (n *native) meaning() string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf(", at most %d native buckets", n.maxBuckets)
}

// A nativeBucket is where a bucket of the map goes: of a sign, -1 to 1, at an index.
type nativeBucket struct{ sign, index int32 }

// nativeBuckets are those of each of the map's.
func nativeBuckets(b *object.Exponential) []nativeBucket {
	all := make([]nativeBucket, b.Len())
	for i := range all {
		sign, index := b.Native(i)
		all[i] = nativeBucket{int32(sign), int32(index)}
	}
	return all
}

// fillNative fills in the native buckets of the series that is being written, at the
// resolution that it has now.
func (t *mapSeries) fillNative(h *encode.Native) {
	h.Zero, h.Negative, h.Positive = 0, h.Negative[:0], h.Positive[:0]
	for _, c := range t.counts {
		switch of := t.native[c.Bucket]; {
		case of.sign == 0:
			h.Zero += c.N
		case of.sign > 0:
			h.Positive = addBucket(h.Positive, of, c.N)
		default:
			h.Negative = addBucket(h.Negative, of, c.N)
		}
	}
	slices.Reverse(h.Negative)
	t.m.native.coarsen(h, t.coarser)
}

// addBucket adds to the last bucket, or one after it.
func addBucket(list []encode.Bucket, of nativeBucket, count uint64) []encode.Bucket {
	if n := len(list); n > 0 && list[n-1].Index == int(of.index) {
		list[n-1].Count += count
		return list
	}
	return append(list, encode.Bucket{Index: int(of.index), Count: count})
}

// coarsen lowers the resolution to that of the series, and the series' until the buckets
// are few enough.
func (n *native) coarsen(h *encode.Native, coarser *uint8) {
	finer := n.schema - n.negative // by so much than those of negative numbers
	if len(h.Negative) > 0 {
		*coarser = max(*coarser, uint8(finer))
		h.Negative = encode.Halve(h.Negative, int(*coarser)-finer)
	}
	h.Positive = encode.Halve(h.Positive, int(*coarser))
	for len(h.Negative)+len(h.Positive) > n.maxBuckets && n.schema-int(*coarser) > lowestSchema {
		*coarser++
		h.Negative, h.Positive = encode.Halve(h.Negative, 1), encode.Halve(h.Positive, 1)
	}
	h.Schema = n.schema - int(*coarser)
}
