package encode_test

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"

	"ply-exporter/exporter/encode"
)

// withNative gives each sample of a histogram native buckets.
func withNative(f *encode.Family, all ...encode.Native) *encode.Family {
	list, at := f.Samples, 0
	f.Samples = func(yield func(*encode.Sample) bool) {
		at = -1
		for s := range list {
			if at++; !yield(s) {
				return
			}
		}
	}
	f.Native = func(n *encode.Native) { *n = all[at%len(all)] }
	return f
}

func TestNativeHistograms(t *testing.T) {
	bucket := func(index int, count uint64) encode.Bucket { return encode.Bucket{Index: index, Count: count} }
	h := func() *encode.Family {
		return &encode.Family{Name: "h_seconds", Help: "Times.", Type: dto.MetricType_HISTOGRAM, Bounds: []float64{0.5, 1}, Samples: samples(
			encode.Sample{Value: 1.5, Counts: []uint64{0, 3, 300}},
			encode.Sample{Labels: labels("comm", "x", "b", "q\"\n"), Value: 7, Counts: []uint64{1, 2, math.MaxUint64}, Created: 1_700_000_000_123_456_789},
			encode.Sample{Labels: labels("comm", "y"), Counts: []uint64{0, 0, 0}},
		)}
	}
	same(t, withNative(h(), encode.Native{}))
	same(t, withNative(h(),
		encode.Native{Schema: 3, Zero: 2, Positive: []encode.Bucket{bucket(-300, 1), bucket(-299, math.MaxUint64), bucket(0, 5), bucket(7, 1<<40)}},
		encode.Native{Schema: -4, Negative: []encode.Bucket{bucket(-1, 3), bucket(0, 2), bucket(2, 1)}},
	), h())
	r := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		f := randomFamily(r, dto.MetricType_HISTOGRAM)
		same(t, withNative(f, randomNative(r), randomNative(r), randomNative(r)), randomFamily(r, dto.MetricType_COUNTER))
	}
}

func randomNative(r *rand.Rand) encode.Native {
	side := func() (list []encode.Bucket) {
		index := r.IntN(2000) - 1000
		for range r.IntN(200) {
			index += 1 + r.IntN(3)*r.IntN(2)
			list = append(list, encode.Bucket{Index: index, Count: 1 + r.Uint64()>>(1+r.IntN(60))})
		}
		return list
	}
	return encode.Native{Schema: r.IntN(13) - 4, Zero: r.Uint64() >> r.IntN(64), Negative: side(), Positive: side()}
}

// What is written has the buckets that client_golang's own constant histograms have.
func TestNativeSpans(t *testing.T) {
	positive, negative := map[int]int64{-3: 4, -2: 1, 0: 7, 1: 7, 9: 2}, map[int]int64{2: 1, 4: 3}
	want, err := prometheus.NewConstNativeHistogram(prometheus.NewDesc("h", "", nil, nil), 30, 1.5, positive, negative, 5, 2, 0x1p-128, someTime)
	if err != nil {
		t.Fatal(err)
	}
	var m dto.Metric
	if err := want.Write(&m); err != nil {
		t.Fatal(err)
	}
	f := withNative(
		&encode.Family{Name: "h", Type: dto.MetricType_HISTOGRAM, Samples: samples(encode.Sample{Value: 1.5, Counts: []uint64{30}, Created: someTime.UnixNano()})},
		encode.Native{Schema: 2, Zero: 5, Positive: listOf(positive), Negative: listOf(negative)})
	var got dto.MetricFamily
	if err := expfmt.NewDecoder(bytes.NewReader(written{expfmt.FmtProtoDelim, false}.ours(t, []*encode.Family{f})), expfmt.FmtProtoDelim).Decode(&got); err != nil {
		t.Fatal(err)
	}
	h, w := got.Metric[0].Histogram, m.Histogram
	if got, want := expanded(proto.Clone(h).(*dto.Histogram)), expanded(proto.Clone(w).(*dto.Histogram)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	h.PositiveSpan, h.PositiveDelta, h.NegativeSpan, h.NegativeDelta = w.PositiveSpan, w.PositiveDelta, w.NegativeSpan, w.NegativeDelta
	if !proto.Equal(h, w) {
		t.Errorf("got %v, want %v", h, w)
	}
}

var someTime = time.Unix(1_700_000_000, 5)

func listOf(counts map[int]int64) (list []encode.Bucket) {
	for _, i := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, encode.Bucket{Index: i, Count: uint64(counts[i])})
	}
	return list
}

// expanded are the counts of a histogram's buckets by index.
func expanded(h *dto.Histogram) [2]map[int]int64 {
	return [2]map[int]int64{expandedSide(h.PositiveSpan, h.PositiveDelta), expandedSide(h.NegativeSpan, h.NegativeDelta)}
}

func expandedSide(spans []*dto.BucketSpan, deltas []int64) map[int]int64 {
	counts := map[int]int64{}
	index, count := 0, int64(0)
	for _, s := range spans {
		for index += int(s.GetOffset()); s.GetLength() > 0; *s.Length-- {
			count += deltas[0]
			if deltas = deltas[1:]; count != 0 {
				counts[index] = count
			}
			index++
		}
	}
	return counts
}

func TestHalve(t *testing.T) {
	list := func() []encode.Bucket {
		return []encode.Bucket{{Index: -4, Count: 1}, {Index: -3, Count: 2}, {Index: 0, Count: 4}, {Index: 1, Count: 8}, {Index: 2, Count: 16}, {Index: 9, Count: 32}}
	}
	for times, want := range [][]encode.Bucket{
		list(),
		{{Index: -2, Count: 1}, {Index: -1, Count: 2}, {Index: 0, Count: 4}, {Index: 1, Count: 24}, {Index: 5, Count: 32}},
		{{Index: -1, Count: 1}, {Index: 0, Count: 6}, {Index: 1, Count: 24}, {Index: 3, Count: 32}},
	} {
		if got := encode.Halve(list(), times); !slices.Equal(got, want) {
			t.Errorf("%d times: %v, want %v", times, got, want)
		}
	}
}
