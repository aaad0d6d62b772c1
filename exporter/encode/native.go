package encode

import (
	"iter"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A Native is what protobuf has of a histogram besides its classic buckets: bucket i
// holds the numbers in (2^((i-1)/2^Schema), 2^(i/2^Schema)], or the same below zero.
type Native struct {
	Schema             int
	Zero               uint64   // how many numbers were 0
	Negative, Positive []Bucket // those that are not empty, by ascending index
}

// A Bucket is one bucket of a native histogram.
type Bucket struct {
	Index int
	Count uint64
}

// zeroThreshold is up to where numbers count as zero. It is that of all client libraries:
// histograms with different ones cannot be added exactly.
const zeroThreshold = 0x1p-128

// A span is a run of buckets without a gap. Its offset is the gap since the one before,
// of the first one its index.
type span struct{ offset, length int }

// spans yields where runs of buckets begin and how long they are.
func spans(list []Bucket) iter.Seq[span] {
	return func(yield func(span) bool) {
		next := 0 // the index after the last run
		for len(list) > 0 {
			s := span{offset: list[0].Index - next, length: 1}
			for s.length < len(list) && list[s.length].Index == list[0].Index+s.length {
				s.length++
			}
			if !yield(s) {
				return
			}
			next, list = list[0].Index+s.length, list[s.length:]
		}
	}
}

// deltas yields by how much each count differs from the one before.
func deltas(list []Bucket) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		last := uint64(0)
		for _, b := range list {
			if !yield(int64(b.Count - last)) {
				return
			}
			last = b.Count
		}
	}
}

// Field numbers of client_model's messages.
const (
	histogramSchema        = 5
	histogramZeroThreshold = 6
	histogramZeroCount     = 7
	histogramNegativeSpan  = 9
	histogramNegativeDelta = 10
	histogramPositiveSpan  = 12
	histogramPositiveDelta = 13

	spanOffset = 1
	spanLength = 2
)

// appendTo appends the fields of a native histogram.
func (n *Native) appendTo(b []byte) []byte {
	b = appendCounter(b, histogramSchema, protowire.EncodeZigZag(int64(n.Schema)))
	b = appendDouble(b, histogramZeroThreshold, zeroThreshold)
	b = appendCounter(b, histogramZeroCount, n.Zero)
	b = appendSide(b, histogramNegativeSpan, histogramNegativeDelta, n.Negative)
	return appendSide(b, histogramPositiveSpan, histogramPositiveDelta, n.Positive)
}

func appendSide(b []byte, spanField, deltaField protowire.Number, list []Bucket) []byte {
	for s := range spans(list) {
		offset, length := protowire.EncodeZigZag(int64(s.offset)), uint64(s.length)
		b = appendBegin(b, spanField, countSize(offset)+countSize(length))
		b = appendCounter(appendCounter(b, spanOffset, offset), spanLength, length)
	}
	for d := range deltas(list) {
		b = appendCounter(b, deltaField, protowire.EncodeZigZag(d))
	}
	return b
}

// message fills in the fields of a message.
func (n *Native) message(h *dto.Histogram) {
	h.Schema, h.ZeroThreshold, h.ZeroCount = proto.Int32(int32(n.Schema)), proto.Float64(zeroThreshold), proto.Uint64(n.Zero)
	h.NegativeSpan, h.NegativeDelta = sideMessages(n.Negative)
	h.PositiveSpan, h.PositiveDelta = sideMessages(n.Positive)
}

func sideMessages(list []Bucket) (all []*dto.BucketSpan, changes []int64) {
	for s := range spans(list) {
		all = append(all, &dto.BucketSpan{Offset: proto.Int32(int32(s.offset)), Length: proto.Uint32(uint32(s.length))})
	}
	for d := range deltas(list) {
		changes = append(changes, d)
	}
	return all, changes
}

// Halve joins pairs of buckets so often that the resolution is that of a schema lower
// by so much. The list is changed in place.
func Halve(list []Bucket, times int) []Bucket {
	if times == 0 {
		return list
	}
	out := list[:0]
	for _, b := range list {
		b.Index = (b.Index-1)>>times + 1
		if n := len(out); n > 0 && out[n-1].Index == b.Index {
			out[n-1].Count += b.Count
		} else {
			out = append(out, b)
		}
	}
	return out
}
