package encode

import (
	"bufio"
	"fmt"
	"math"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of client_model's messages.
const (
	familyName   = 1
	familyHelp   = 2
	familyType   = 3
	familyMetric = 4

	metricLabel     = 1
	metricGauge     = 2
	metricCounter   = 3
	metricSummary   = 4
	metricHistogram = 7

	labelName  = 1
	labelValue = 2

	numberValue    = 1 // of a counter or gauge
	counterCreated = 3

	totalCount       = 1 // of a summary or histogram
	totalSum         = 2
	summaryCreated   = 4
	histogramBucket  = 3
	histogramCreated = 15

	bucketCount = 1
	bucketBound = 2

	timestampSeconds = 1
	timestampNanos   = 2
)

// doubleSize is the size of a field of type double, with its tag.
const doubleSize = 1 + 8

// protobuf is the format of delimited messages. A message begins with its size,
// so a family is gone through twice: to add up sizes, and to write. Native buckets
// take too long to find for that: a family that has them is written to memory first.
type protobuf struct {
	number, created protowire.Number // fields of this family's type
	start           []byte           // field of the timestamp startAt
	startAt         int64

	buckets Native
	native  []byte // fields of a sample's native buckets
}

func (p *protobuf) family(w *bufio.Writer, f *Family) {
	p.begin(f.Type)
	b := appendText(nil, familyName, f.Name)
	b = appendText(b, familyHelp, f.Help)
	b = protowire.AppendTag(b, familyType, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(f.Type))
	if f.Native != nil {
		p.nativeFamily(w, f, b)
		return
	}
	size := len(b)
	for s := range f.Samples {
		metric, _ := p.sizes(f, s)
		size += fieldSize(metric)
	}
	_, _ = w.Write(protowire.AppendVarint(nil, uint64(size)))
	_, _ = w.Write(b)
	for s := range f.Samples {
		_, _ = w.Write(p.appendSample(room(w, 2*len(s.Labels)), f, s))
	}
}

// nativeFamily writes a family that begins with these fields.
func (p *protobuf) nativeFamily(w *bufio.Writer, f *Family, begin []byte) {
	kept := messages.Get().(*[]byte)
	defer messages.Put(kept)
	b := append((*kept)[:0], begin...)
	for s := range f.Samples {
		f.Native(&p.buckets)
		p.native = p.buckets.appendTo(p.native[:0])
		b = p.appendSample(b, f, s)
	}
	_, _ = w.Write(protowire.AppendVarint(nil, uint64(len(b))))
	_, _ = w.Write(b)
	*kept = b
}

// messages are the memory that families were written to, which is used again.
var messages = sync.Pool{New: func() any { return new([]byte) }}

// begin notes which fields a metric of that type has.
func (p *protobuf) begin(typ dto.MetricType) {
	*p = protobuf{}
	switch typ {
	case dto.MetricType_GAUGE:
		p.number = metricGauge
	case dto.MetricType_COUNTER:
		p.number, p.created = metricCounter, counterCreated
	case dto.MetricType_SUMMARY:
		p.number, p.created = metricSummary, summaryCreated
	case dto.MetricType_HISTOGRAM:
		p.number, p.created = metricHistogram, histogramCreated
	default:
		panic(fmt.Sprintf("encode: no metric of type %s", typ))
	}
}

// sizes returns the size of a sample's message, and of the one in it that has
// its numbers.
func (p *protobuf) sizes(f *Family, s *Sample) (metric, number int) {
	number = numberSize(f, s) + len(p.native) + len(p.startOf(s))
	return labelsSize(s.Labels) + fieldSize(number), number
}

func numberSize(f *Family, s *Sample) int {
	switch f.Type {
	case dto.MetricType_SUMMARY:
		return countSize(s.Count) + doubleSize
	case dto.MetricType_HISTOGRAM:
		n := countSize(s.Counts[len(f.Bounds)]) + doubleSize
		for _, count := range s.Counts[:len(f.Bounds)] {
			n += fieldSize(countSize(count) + doubleSize)
		}
		return n
	}
	return doubleSize
}

// fieldSize is the size of a field of so many bytes, with its tag, which is one
// byte in all these messages.
func fieldSize(n int) int { return 1 + protowire.SizeBytes(n) }

func countSize(n uint64) int { return 1 + protowire.SizeVarint(n) }

func labelsSize(text []byte) (n int) {
	for len(text) > 0 {
		var l label
		l, text = cutLabel(text)
		n += fieldSize(l.messageSize())
	}
	return n
}

func (l *label) messageSize() int { return fieldSize(len(l.name)) + fieldSize(l.size()) }

// startOf returns the field of a sample's start, nothing where there is none.
func (p *protobuf) startOf(s *Sample) []byte {
	if p.created == 0 || s.Created == 0 {
		return nil
	}
	if p.startAt != s.Created {
		p.start, p.startAt = appendTimestamp(p.start[:0], p.created, s.Created), s.Created
	}
	return p.start
}

// appendTimestamp appends a google.protobuf.Timestamp, whose zeros are left out.
func appendTimestamp(b []byte, field protowire.Number, created int64) []byte {
	t := time.Unix(0, created)
	var message []byte
	if seconds := t.Unix(); seconds != 0 {
		message = appendCounter(message, timestampSeconds, uint64(seconds))
	}
	if nanos := t.Nanosecond(); nanos != 0 {
		message = appendCounter(message, timestampNanos, uint64(nanos))
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

func (p *protobuf) appendSample(b []byte, f *Family, s *Sample) []byte {
	metric, number := p.sizes(f, s)
	b = appendBegin(b, familyMetric, metric)
	for text := s.Labels; len(text) > 0; {
		var l label
		l, text = cutLabel(text)
		b = appendLabelMessage(b, &l)
	}
	b = appendBegin(b, p.number, number)
	switch f.Type {
	case dto.MetricType_SUMMARY:
		b = appendTotal(b, s.Count, s.Value)
	case dto.MetricType_HISTOGRAM:
		b = appendTotal(b, s.Counts[len(f.Bounds)], s.Value)
		b = append(appendBuckets(b, f.Bounds, s.Counts), p.native...)
	default:
		b = appendDouble(b, numberValue, s.Value)
	}
	return append(b, p.startOf(s)...)
}

func appendTotal(b []byte, count uint64, sum float64) []byte {
	return appendDouble(appendCounter(b, totalCount, count), totalSum, sum)
}

func appendBuckets(b []byte, bounds []float64, counts []uint64) []byte {
	for i, bound := range bounds {
		b = appendBegin(b, histogramBucket, countSize(counts[i])+doubleSize)
		b = appendDouble(appendCounter(b, bucketCount, counts[i]), bucketBound, bound)
	}
	return b
}

func appendLabelMessage(b []byte, l *label) []byte {
	b = appendBegin(b, metricLabel, l.messageSize())
	b = append(appendBegin(b, labelName, len(l.name)), l.name...)
	return l.appendValue(appendBegin(b, labelValue, l.size()))
}

// appendBegin appends what a field of so many bytes begins with.
func appendBegin(b []byte, field protowire.Number, size int) []byte {
	return appendVarint(append(b, tag(field, protowire.BytesType)), uint64(size))
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return append(appendBegin(b, field, len(text)), text...)
}

func appendCounter(b []byte, field protowire.Number, n uint64) []byte {
	return appendVarint(append(b, tag(field, protowire.VarintType)), n)
}

func appendDouble(b []byte, field protowire.Number, f float64) []byte {
	return protowire.AppendFixed64(append(b, tag(field, protowire.Fixed64Type)), math.Float64bits(f))
}

// tag is what a field begins with: one byte, because all fields have small numbers.
func tag(field protowire.Number, typ protowire.Type) byte { return byte(field)<<3 | byte(typ) }

// appendVarint appends a number, most of which are small.
func appendVarint(b []byte, n uint64) []byte {
	if n < 1<<7 {
		return append(b, byte(n))
	}
	return protowire.AppendVarint(b, n)
}
