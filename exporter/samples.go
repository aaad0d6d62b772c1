package exporter

import (
	"fmt"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/encode"
)

// seriesPerSample is how many series one key of the metric is.
func (m *metric) seriesPerSample() int {
	switch m.typ {
	case dto.MetricType_HISTOGRAM:
		n := len(m.bounds.les) + 3 // +Inf, sum and count
		if m.native != nil {
			n++
		}
		return n
	case dto.MetricType_SUMMARY:
		return 2
	}
	return 1
}

// family returns the metric with its series of this round, at most so many.
// They are read as they are written, all into one sample.
func (t *mapSeries) family(most int) *encode.Family {
	f := &encode.Family{
		Name: t.m.name, Help: t.m.help, Type: t.m.typ, Bounds: t.m.bounds.les,
		Samples: func(yield func(*encode.Sample) bool) { t.samples(most, yield) },
	}
	if t.m.native != nil {
		f.Native = func(h *encode.Native) { t.fillNative(h) }
	}
	return f
}

func (t *mapSeries) samples(most int, yield func(*encode.Sample) bool) {
	var sample encode.Sample
	if t.m.typ == dto.MetricType_HISTOGRAM {
		sample.Counts = make([]uint64, len(t.m.bounds.les)+1)
	}
	t.eachShown(func(s shownSeries) bool {
		if most--; most < 0 {
			return false
		}
		sample.Labels, sample.Created, t.coarser = s.labels, int64(s.start), s.coarser
		t.sample(&sample, s.value)
		return yield(&sample)
	})
}

// A shownSeries is one that is exported.
type shownSeries struct {
	labels  []byte
	start   startTime
	value   []byte
	coarser *uint8 // see series
}

// eachShown calls yield with the series that are exported, in the order of their labels.
func (t *mapSeries) eachShown(yield func(shownSeries) bool) {
	if t.top != nil {
		t.top.each(t, yield)
		return
	}
	for _, n := range t.order {
		s := &t.list[n]
		if s.round == t.round && !s.hidden && !yield(shownSeries{t.labels(n), s.start, t.value(n), &s.coarser}) {
			return
		}
	}
}

// sample fills in the numbers of a series.
func (t *mapSeries) sample(s *encode.Sample, value []byte) {
	switch t.m.typ {
	case dto.MetricType_COUNTER, dto.MetricType_GAUGE:
		s.Value = t.scalar(t.mp.Read(value))
	case dto.MetricType_SUMMARY:
		r := t.mp.Read(value)
		s.Value, s.Count = t.number(r.Number), r.Count
	case dto.MetricType_HISTOGRAM:
		t.counts = t.mp.AppendCounts(t.counts[:0], value)
		clear(s.Counts)
		t.fill(s.Counts, t.counts)
		cumulate(s.Counts)
		s.Value = t.number(t.mp.Sum(value))
	default:
		panic(fmt.Sprintf("exporter: no metric of type %s", t.m.typ))
	}
}

// fill adds the counters of a map's buckets to those of the exported ones; the
// last is of what is above all bounds.
func (t *mapSeries) fill(counts []uint64, found []object.Count) {
	for _, c := range found {
		counts[t.fold[c.Bucket]] += c.N
	}
}

// cumulate turns counts into running totals; the last total is the count of all.
func cumulate(counts []uint64) {
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
}

// scalar is the exported number of a counter or gauge.
func (t *mapSeries) scalar(r object.Reading) float64 {
	n, ok := r.Scalar()
	if !ok {
		return 0
	}
	return t.number(n)
}

// number is a number in the exported unit.
func (t *mapSeries) number(n object.Number) float64 { return t.m.scale.apply(n.Float()) }

// negatives counts the negative values in a histogram.
func (t *mapSeries) negatives() float64 {
	sum := uint64(0)
	for n := range t.list {
		if t.list[n].round == t.round {
			sum += t.negativesOf(uint32(n))
		}
	}
	return float64(sum)
}

func (t *mapSeries) negativesOf(n uint32) uint64 {
	return t.mp.Negatives(t.value(n), t.negative)
}
