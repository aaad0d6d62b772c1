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
	for _, n := range t.order {
		if !t.isShown(n) {
			continue
		}
		if most--; most < 0 {
			return
		}
		s := &t.list[n]
		sample.Labels, sample.Created, t.coarser = t.labels(n), int64(s.start), &s.coarser
		t.sample(&sample, t.value(n))
		if !yield(&sample) {
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
