package exporter

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A nativeScript is a histogram of script net that holds what a test puts there.
type nativeScript struct {
	testing.TB
	tracer *fakeTracer
	c      *collector
}

func newNativeScript(t testing.TB, x, metric string) *nativeScript {
	tracer := &fakeTracer{rows: map[string][]pair{}}
	b := &fakeBackend{scripts: map[string]string{"S": on("@ = quantize(" + x + ");")}, tracers: map[string]*fakeTracer{"S": tracer}}
	return &nativeScript{t, tracer, run(t, b, oneScriptYAML(`{map: "@", `+metric+`}`))}
}

func (s *nativeScript) buckets() object.Buckets {
	return s.c.scripts[0].compiled.object.Maps[0].Buckets
}

// put counts numbers as the code generator does; see TestExponentialBuckets.
func (s *nativeScript) put(numbers []int64) {
	b := s.buckets()
	counters := make([]int64, b.Len()+2)
	for _, v := range numbers {
		counters[0] += v
		counters[1+sort.Search(b.Len(), func(i int) bool {
			_, hi := b.Range(i)
			return hi == nil || big.NewInt(v).Cmp(hi) <= 0
		})]++
	}
	s.tracer.rows["@"] = []pair{{nil, words(counters...)}}
}

func (s *nativeScript) histogram() *dto.Histogram {
	s.Helper()
	families, err := s.c.gather(time.Now())
	if err != nil {
		s.Fatal(err)
	}
	for _, f := range families {
		if !selfLine(f.GetName()) {
			return f.Metric[0].Histogram
		}
	}
	s.Fatal("no histogram")
	return nil
}

// nativeText is all that is native of a histogram.
func nativeText(h *dto.Histogram) string {
	return fmt.Sprintf("schema %d, zero %d below %g, negative %v, positive %v", h.GetSchema(), h.GetZeroCount(), h.GetZeroThreshold(),
		bucketsOf(h.NegativeSpan, h.NegativeDelta), bucketsOf(h.PositiveSpan, h.PositiveDelta))
}

// bucketsOf are the counts by index, without those that are 0.
func bucketsOf(spans []*dto.BucketSpan, deltas []int64) map[int]int64 {
	out := map[int]int64{}
	index, count := 0, int64(0)
	for _, s := range spans {
		index += int(s.GetOffset())
		for range s.GetLength() {
			count += deltas[0]
			if deltas = deltas[1:]; count != 0 {
				out[index] = count
			}
			index++
		}
	}
	if len(deltas) > 0 {
		panic("more counts than buckets")
	}
	return out
}

// factors are what client_golang calls schema 0 to 4.
var factors = []float64{2, 1.5, 1.2, 1.1, 1.05}

// clientHistogram is what client_golang makes of the same numbers.
func clientHistogram(schema int, scale float64, numbers []int64) *dto.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", NativeHistogramBucketFactor: factors[schema]})
	for _, v := range numbers {
		h.Observe(float64(v) / scale)
	}
	var m dto.Metric
	_ = h.Write(&m)
	return m.Histogram
}

// Native buckets are those in which client_golang counts the same numbers, also where
// they are on or beside a bound.
func TestNativeBuckets(t *testing.T) {
	spread := func(signs int) (numbers []int64) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			numbers = append(numbers, int64(r.Uint64()>>(12+r.IntN(52)))*int64(1-r.IntN(signs)*2))
		}
		for i := range 62 {
			for d := range int64(3) {
				numbers = append(numbers, (1<<i+d-1)&(1<<53-1), 1_000_000_000<<min(i, 32)>>20+d-1)
			}
		}
		return append(numbers, 0, 0, 1, 1953125, 1953126) // 2^-9 s
	}
	for _, tt := range []struct {
		x, metric string
		scale     float64
		signs     int
	}{
		{"(s64)pid", "native: true", 1, 2},
		{"(s64)pid, 1", "native: true", 1, 2},
		{"(s64)pid, 4", "native: true, buckets: [-100, 3, 1000, 1024, 5000]", 1, 2},
		{"(u64)pid, 2", "native: true", 1, 1},
		{"time - time, 3", "native: true", 1e9, 1},
		{"time - time, 4", "native: true, buckets: [1us, 3us, 1s, 10s]", 1e9, 1},
		{"time - time", "native: {bits: 2}", 1e9, 1},
	} {
		t.Run(tt.x+" "+tt.metric, func(t *testing.T) {
			s := newNativeScript(t, tt.x, strings.Replace(tt.metric, "native: true", "native: {max_buckets: 10000}", 1))
			s.c.scripts[0].running.metrics[0].native.maxBuckets = math.MaxInt
			numbers := spread(tt.signs)
			s.put(numbers)
			got := s.histogram()
			want := clientHistogram(int(got.GetSchema()), tt.scale, numbers)
			if nativeText(got) != nativeText(want) {
				t.Errorf("got\n%s\nwant\n%s", nativeText(got), nativeText(want))
			}
			if got.GetSampleCount() != uint64(len(numbers)) || len(got.Bucket) == 0 {
				t.Errorf("%d numbers, %d classic buckets", got.GetSampleCount(), len(got.Bucket))
			}
		})
	}
}

// A negative duration is counted where it belongs, in buckets of a whole octave, and
// all of its histogram with it.
func TestNegativeDurations(t *testing.T) {
	s := newNativeScript(t, "time - time, 3", "native: true")
	s.put([]int64{1e9, 3e9})
	if got := nativeText(s.histogram()); got != "schema 3, zero 0 below 2.938735877055719e-39, negative map[], positive map[0:1 13:1]" {
		t.Error(got)
	}
	s.put([]int64{1e9, 3e9, 0, -1e9, -1e9 - 1})
	if got := nativeText(s.histogram()); got != "schema 0, zero 1 below 2.938735877055719e-39, negative map[0:1 1:1], positive map[0:1 2:1]" {
		t.Error(got)
	}
}

// A histogram of nothing is a native one, too.
func TestEmptyNativeHistogram(t *testing.T) {
	h := newNativeScript(t, "time - time, 3", "native: true").histogram()
	if h.GetSampleCount() != 0 || h.Schema == nil || h.GetZeroThreshold() == 0 || h.CreatedTimestamp == nil {
		t.Error(h)
	}
}

// Beyond the bound the resolution halves, and again. It stays so until the series begins
// again, and whatever the numbers are the lowest bound can be kept.
func TestMaxBuckets(t *testing.T) {
	s := newNativeScript(t, "(s64)pid, 4", "native: {max_buckets: 12}")
	octaves := func(n int) (numbers []int64) {
		for i := range n {
			for part := range int64(16) {
				numbers = append(numbers, 1<<20<<i+part<<i<<16)
			}
		}
		return numbers
	}
	want := map[int]int32{0: 4, 1: 3, 2: 2, 3: 1, 12: -1, 20: -1, 42: -3}
	numbers := []int64{5}
	for n := range 43 {
		if numbers = append(octaves(n), 5); want[n] == 0 && n > 0 {
			continue
		}
		s.put(numbers)
		h := s.histogram()
		if found := bucketsOf(h.PositiveSpan, h.PositiveDelta); h.GetSchema() != want[n] || len(found) > 12 {
			t.Errorf("%d octaves: schema %d, %d buckets", n, h.GetSchema(), len(found))
		}
	}
	s.put(append(numbers, math.MinInt64, -5, -100000, -1<<40, math.MaxInt64))
	s.histogram()
	s.put(append(numbers, math.MinInt64, -5, -100000, -1<<40, math.MaxInt64, 1))
	h := s.histogram()
	if n := len(bucketsOf(h.PositiveSpan, h.PositiveDelta)) + len(bucketsOf(h.NegativeSpan, h.NegativeDelta)); n > 12 {
		t.Errorf("%d buckets at schema %d", n, h.GetSchema())
	}
	coarse := h.GetSchema()
	r := s.c.scripts[0].running
	fresh, err := r.newSeries()
	if err != nil {
		t.Fatal(err)
	}
	r.series[0] = fresh[0].after(r.series[0], 0) // as a reload does that changes the help text
	s.c.scripts[0].running.series[0].m.native.maxBuckets = 10_000
	if h := s.histogram(); h.GetSchema() != coarse {
		t.Errorf("schema %d after a reload, want %d", h.GetSchema(), coarse)
	}
	start := h.CreatedTimestamp.AsTime()
	s.put([]int64{5})
	if h := s.histogram(); h.GetSchema() != 4 || !h.CreatedTimestamp.AsTime().After(start) {
		t.Errorf("schema %d from %v after a reset", h.GetSchema(), h.CreatedTimestamp.AsTime())
	}
}

// Every histogram of 64-bit numbers fits the lowest bound.
func TestLowestMaxBuckets(t *testing.T) {
	all := []int64{0}
	for i := range 63 {
		all = append(all, 1<<i, -1<<i, -1<<i-1, 1<<i+1)
	}
	for _, x := range []string{"(s64)pid", "(s64)pid, 4", "time - time, 3"} {
		s := newNativeScript(t, x, fmt.Sprintf("native: {max_buckets: %d}", config.MinMaxBuckets))
		s.put(all)
		h := s.histogram()
		positive, negative := bucketsOf(h.PositiveSpan, h.PositiveDelta), bucketsOf(h.NegativeSpan, h.NegativeDelta)
		if n := len(positive) + len(negative); n > config.MinMaxBuckets || n == 0 {
			t.Errorf("%s: %d buckets at schema %d", x, n, h.GetSchema())
		}
		sum := h.GetZeroCount()
		for _, side := range []map[int]int64{positive, negative} {
			for n := range maps.Values(side) {
				sum += uint64(n)
			}
		}
		if sum != uint64(len(all)) {
			t.Errorf("%d of %d numbers", sum, len(all))
		}
	}
}

// What has no native buckets says so where it is asked for them, and only there.
func TestWithoutNativeBuckets(t *testing.T) {
	for _, row := range []struct{ body, metric, want string }{
		{"@ = count();", "native: true", "native buckets are for histograms: @ is a counter"},
		{"@ = lquantize((s64)pid, 0, 10, 1);", "native: true", "native buckets are of the form of quantize(): the steps of lquantize(…) are others"},
		{"@ = quantize((s64)pid);", "native: true, scale: 1e-40", "with this scale numbers are below 2^-128, which native histograms take for 0"},
		{"@ = quantize((s64)pid, 2);", "native: {bits: 3}", "bits: quantize(…, 2) says them itself"},
		{"@ = quantize((s64)pid, 2);", "native: {max_buckets: 20}", ""},
		{"@ = count();", "native: false", ""},
		{"@ = count();", "", ""},
		{"@ = lquantize((s64)pid, 0, 10, 1);", "", ""},
	} {
		cfg, err := config.Parse("c.yaml", []byte("defaults: {native: true}\n"+oneScriptYAML(`{map: "@", help: h, `+row.metric+`}`)))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		_, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": on(row.body)}})
		if got := fatal.Error(); row.want == "" && len(fatal) > 0 || !strings.Contains(got, row.want) {
			t.Errorf("%s, %s: %s", row.body, row.metric, got)
		}
	}
}

func TestWithinPercent(t *testing.T) {
	for schema, want := range []string{"100", "41.4", "18.9", "9.1", "4.4"} {
		if got := withinPercent(schema); got != want {
			t.Errorf("schema %d: %s, want %s", schema, got, want)
		}
	}
}
