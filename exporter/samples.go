package exporter

import (
	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen/object"
)

// seriesPerSample is how many series one key of the metric is.
func (m *metric) seriesPerSample() int {
	switch m.typ {
	case dto.MetricType_HISTOGRAM:
		return len(m.bounds.les) + 3 // +Inf, sum and count
	case dto.MetricType_SUMMARY:
		return 2
	}
	return 1
}

// family returns the metric with its series of this round, nil when there are
// none. Samples are made anew for each scrape, because another one may still
// be sending the last ones; they are made in bulk, because there may be 20,000.
func (t *mapSeries) family(list []*series) *dto.MetricFamily {
	if len(list) == 0 {
		return nil
	}
	samples := make([]dto.Metric, len(list))
	f := &dto.MetricFamily{Name: &t.m.name, Help: &t.m.help, Type: t.m.typ.Enum(), Metric: make([]*dto.Metric, len(list))}
	for i, s := range list {
		samples[i].Label = s.labels
		f.Metric[i] = &samples[i]
	}
	switch t.m.typ {
	case dto.MetricType_COUNTER:
		t.fillCounters(samples, list)
	case dto.MetricType_GAUGE:
		t.fillGauges(samples, list)
	case dto.MetricType_SUMMARY:
		t.fillSummaries(samples, list)
	case dto.MetricType_HISTOGRAM:
		t.fillHistograms(samples, list)
	}
	return f
}

func (t *mapSeries) fillCounters(samples []dto.Metric, list []*series) {
	created := stamps{}
	values, counters := make([]float64, len(list)), make([]dto.Counter, len(list))
	for i, s := range list {
		values[i] = t.scalar(t.read(s))
		counters[i].Value, counters[i].CreatedTimestamp = &values[i], created.of(s)
		samples[i].Counter = &counters[i]
	}
}

func (t *mapSeries) fillGauges(samples []dto.Metric, list []*series) {
	values, gauges := make([]float64, len(list)), make([]dto.Gauge, len(list))
	for i, s := range list {
		values[i] = t.scalar(t.read(s))
		gauges[i].Value = &values[i]
		samples[i].Gauge = &gauges[i]
	}
}

func (t *mapSeries) fillSummaries(samples []dto.Metric, list []*series) {
	created := stamps{}
	sums := make([]float64, len(list))
	for i, s := range list {
		r := t.read(s)
		sums[i] = t.number(r.Number)
		samples[i].Summary = &dto.Summary{SampleCount: &r.Count, SampleSum: &sums[i], CreatedTimestamp: created.of(s)}
	}
}

func (t *mapSeries) fillHistograms(samples []dto.Metric, list []*series) {
	n, created := len(t.m.bounds.les), stamps{}
	sums, hists := make([]float64, len(list)), make([]dto.Histogram, len(list))
	counts := make([]uint64, len(list)*(n+1))
	buckets := make([]dto.Bucket, len(list)*n)
	pointers := make([]*dto.Bucket, len(list)*n)
	for i, s := range list {
		cumulative := counts[i*(n+1) : (i+1)*(n+1)]
		r := t.read(s)
		t.fill(cumulative, r)
		cumulate(cumulative)
		for b := range n {
			k := i*n + b
			buckets[k].CumulativeCount, buckets[k].UpperBound = &cumulative[b], &t.m.bounds.les[b]
			pointers[k] = &buckets[k]
		}
		sums[i] = t.number(r.Number)
		hists[i].SampleCount, hists[i].SampleSum = &cumulative[n], &sums[i]
		hists[i].Bucket, hists[i].CreatedTimestamp = pointers[i*n:(i+1)*n], created.of(s)
		samples[i].Histogram = &hists[i]
	}
}

// fill adds the counters of a map's buckets to those of the exported ones; the
// last is of what is above all bounds.
func (t *mapSeries) fill(counts []uint64, r object.Reading) {
	for i, into := range t.fold {
		counts[into] += r.In(i)
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
func (t *mapSeries) negatives(list []*series) float64 {
	var n uint64
	for _, s := range list {
		r := t.read(s)
		for i := range t.negative {
			n += r.In(i)
		}
	}
	return float64(n)
}
