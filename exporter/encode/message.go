package encode

import (
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Message returns the family as a message, for formats that are rarely asked for.
func (f *Family) Message() *dto.MetricFamily {
	out := &dto.MetricFamily{Name: &f.Name, Help: &f.Help, Type: f.Type.Enum()}
	for s := range f.Samples {
		m := f.metric(s)
		for name, value := range Labels(s.Labels) {
			m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &value})
		}
		out.Metric = append(out.Metric, m)
	}
	return out
}

func (f *Family) metric(s *Sample) *dto.Metric {
	var created *timestamppb.Timestamp
	if s.Created != 0 {
		created = timestamppb.New(time.Unix(0, s.Created))
	}
	value := proto.Float64(s.Value)
	switch f.Type {
	case dto.MetricType_COUNTER:
		return &dto.Metric{Counter: &dto.Counter{Value: value, CreatedTimestamp: created}}
	case dto.MetricType_SUMMARY:
		return &dto.Metric{Summary: &dto.Summary{SampleCount: proto.Uint64(s.Count), SampleSum: value, CreatedTimestamp: created}}
	case dto.MetricType_HISTOGRAM:
		return &dto.Metric{Histogram: f.histogram(s, value, created)}
	default:
		return &dto.Metric{Gauge: &dto.Gauge{Value: value}}
	}
}

func (f *Family) histogram(s *Sample, sum *float64, created *timestamppb.Timestamp) *dto.Histogram {
	h := &dto.Histogram{SampleCount: proto.Uint64(s.Counts[len(f.Bounds)]), SampleSum: sum, CreatedTimestamp: created}
	for i := range f.Bounds {
		h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: proto.Uint64(s.Counts[i]), UpperBound: &f.Bounds[i]})
	}
	if f.Native != nil {
		var n Native
		f.Native(&n)
		n.message(h)
	}
	return h
}
