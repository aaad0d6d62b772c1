package encode_test

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"ply-exporter/exporter/encode"
)

// written is a way of writing metrics.
type written struct {
	format  expfmt.Format
	created bool
}

// ways are all ways of writing that are not expfmt's own business.
func ways() []written {
	var all []written
	for _, f := range []expfmt.Format{expfmt.FmtText, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtProtoDelim} {
		for _, s := range []model.EscapingScheme{model.NoEscaping, model.UnderscoreEscaping, model.DotsEscaping, model.ValueEncodingEscaping} {
			all = append(all, written{f.WithEscapingScheme(s), false}, written{f.WithEscapingScheme(s), true})
		}
	}
	return all
}

// oracle is what expfmt writes. It refuses families without series, which
// nobody has it write.
func (how written) oracle(t testing.TB, families []*encode.Family) []byte {
	var b bytes.Buffer
	var opts []expfmt.EncoderOption
	if how.created {
		opts = append(opts, expfmt.WithCreatedLines())
	}
	e := expfmt.NewEncoder(&b, how.format, opts...)
	for _, f := range families {
		m := f.Message()
		if len(m.Metric) == 0 {
			continue
		}
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.(expfmt.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (how written) ours(t testing.TB, families []*encode.Family) []byte {
	var b bytes.Buffer
	e := encode.New(&b, how.format, how.created)
	for _, f := range families {
		e.Family(f)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// same fails unless ours is what the oracle writes, in all formats.
func same(t testing.TB, families ...*encode.Family) {
	t.Helper()
	for _, how := range ways() {
		got, want := how.ours(t, families), how.oracle(t, families)
		if !bytes.Equal(got, want) {
			t.Fatalf("%s, created %t:\ngot\n%.2000q\nwant\n%.2000q", how.format, how.created, got, want)
		}
	}
}

func labels(pairs ...string) []byte {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = encode.AppendLabel(b, 0, pairs[i], pairs[i+1])
	}
	return b
}

func samples(list ...encode.Sample) iter.Seq[*encode.Sample] {
	return func(yield func(*encode.Sample) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// numbers are those whose text has a case of its own, and their neighbors.
var numbers = []float64{
	0, 1, -1, 2, 0.5, -0.25, 999999, 1e6, 1000001, -999999, -1e6, 1234567, 1e15, 1 << 53, 1<<53 + 2, 1e20, 1e21, 1e22, 123456789012345678,
	1e-4, 1e-5, 0.000123, 4.9406564584124654e-324, math.MaxFloat64, math.MaxInt64, math.MinInt64, math.MaxUint64, math.Copysign(0, -1),
	math.Inf(1), math.Inf(-1), math.NaN(), math.Pi,
}

func TestNumbers(t *testing.T) {
	var list []encode.Sample
	for i, n := range numbers {
		list = append(list, encode.Sample{Labels: labels("i", fmt.Sprint(i)), Value: n, Count: uint64(i) << i, Created: int64(i) * 1e9 / 7})
	}
	for _, typ := range []dto.MetricType{dto.MetricType_COUNTER, dto.MetricType_GAUGE, dto.MetricType_SUMMARY} {
		same(t, &encode.Family{Name: "n", Help: "Numbers.", Type: typ, Samples: samples(list...)})
		same(t, &encode.Family{Name: "n_total", Help: "Numbers.", Type: typ, Samples: samples(list...)})
	}
}

func TestHistograms(t *testing.T) {
	bounds := []float64{math.Inf(-1), -1, 0, 9.5367431640625e-07, 0.5, 1, 4096, 1 << 20, 1e21}
	counts := []uint64{0, 1, 1, 127, 128, 999_999, 1_000_000, 1 << 53, math.MaxUint64 - 1, math.MaxUint64}
	same(t,
		&encode.Family{Name: "h_seconds", Help: "Times.", Type: dto.MetricType_HISTOGRAM, Bounds: bounds, Samples: samples(
			encode.Sample{Value: 1.5, Counts: counts},
			encode.Sample{Labels: labels("comm", "x"), Value: math.NaN(), Counts: counts, Created: 1_700_000_000_123_456_789},
		)},
		&encode.Family{Name: "h_all", Help: "No bounds.", Type: dto.MetricType_HISTOGRAM, Samples: samples(encode.Sample{Counts: []uint64{7}})})
}

func TestLabelsAndHelp(t *testing.T) {
	texts := []string{"", "x", `\`, `"`, "\n", `a\nb`, `\\"`, "a\nb\"c\\", "}", ",", "=", `x="y"`, "{", "é€🙂", " ", strings.Repeat("long", 20000), strings.Repeat(`\"`, 30000)}
	var list []encode.Sample
	for _, s := range texts {
		list = append(list, encode.Sample{Labels: labels("a", s, "b", s)}, encode.Sample{Labels: labels("b", s)})
	}
	for _, help := range texts {
		same(t, &encode.Family{Name: "x_total", Help: help, Type: dto.MetricType_COUNTER, Samples: samples(list[:4]...)})
	}
	same(t, &encode.Family{Name: "x", Type: dto.MetricType_GAUGE, Samples: samples(list...)})
}

// Labels come back as they were.
func TestLabels(t *testing.T) {
	want := []string{"a", "x", "b", "q\"\n\\", "c", ""}
	var got []string
	for name, value := range encode.Labels(labels(want...)) {
		got = append(got, name, value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFamiliesWithoutSeries(t *testing.T) {
	none := &encode.Family{Name: "none", Type: dto.MetricType_GAUGE, Samples: samples()}
	same(t)
	same(t, none)
	same(t, none, &encode.Family{Name: "one", Type: dto.MetricType_GAUGE, Samples: samples(encode.Sample{})}, none)
}

// Families of other origins stand between ours.
func TestMessages(t *testing.T) {
	f := &encode.Family{Name: "x", Help: "Help.", Type: dto.MetricType_GAUGE, Samples: samples(encode.Sample{Value: 3})}
	for _, how := range ways() {
		var b bytes.Buffer
		e := encode.New(&b, how.format, how.created)
		e.Family(f)
		if err := e.Message(f.Message()); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if want := how.oracle(t, []*encode.Family{f, f}); !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s: got\n%q\nwant\n%q", how.format, b.Bytes(), want)
		}
	}
}

// Formats for people are left to expfmt.
func TestRareFormats(t *testing.T) {
	list := samples(encode.Sample{Labels: encode.AppendLabel(nil, 0, "a", "b"), Value: 7, Count: 3, Counts: []uint64{1, 2}, Created: 1e18})
	families := []*encode.Family{
		{Name: "a_total", Help: "Help.", Type: dto.MetricType_COUNTER, Samples: list},
		{Name: "b", Type: dto.MetricType_GAUGE, Samples: samples()},
		{Name: "c", Type: dto.MetricType_HISTOGRAM, Bounds: []float64{1}, Samples: list},
	}
	for _, f := range []expfmt.Format{expfmt.FmtOpenMetrics_2_0_0, expfmt.FmtProtoText, expfmt.FmtProtoCompact} {
		how := written{f, true}
		if got, want := how.ours(t, families), how.oracle(t, families); !bytes.Equal(got, want) || !bytes.Contains(got, []byte("a_total")) {
			t.Errorf("%s: got\n%q\nwant\n%q", f, got, want)
		}
	}
}

// What expfmt refuses to write is an error, and the other families are written.
func TestRefusedFamily(t *testing.T) {
	var b bytes.Buffer
	e := encode.New(&b, expfmt.FmtOpenMetrics_2_0_0, false)
	e.Family(&encode.Family{Name: "bad_total", Type: dto.MetricType_COUNTER, Samples: samples(encode.Sample{Value: -1})})
	e.Family(&encode.Family{Name: "good", Type: dto.MetricType_GAUGE, Samples: samples(encode.Sample{Value: 7})})
	if err := e.Close(); err == nil || !strings.Contains(err.Error(), "bad_total") {
		t.Errorf("error %v", err)
	}
	if got := b.String(); !strings.Contains(got, "good 7") || !strings.HasSuffix(got, "# EOF\n") {
		t.Errorf("got %q", got)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }

func TestWriterThatFails(t *testing.T) {
	e := encode.New(failing{}, expfmt.FmtText, false)
	e.Family(&encode.Family{Name: "x", Type: dto.MetricType_GAUGE, Samples: samples(encode.Sample{})})
	if err := e.Close(); err == nil {
		t.Error("no error")
	}
}

// Families at random: many series of all types.
func TestRandomFamilies(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		same(t, randomFamily(r, dto.MetricType_COUNTER), randomFamily(r, dto.MetricType_GAUGE),
			randomFamily(r, dto.MetricType_SUMMARY), randomFamily(r, dto.MetricType_HISTOGRAM))
	}
}

func randomFamily(r *rand.Rand, typ dto.MetricType) *encode.Family {
	f := &encode.Family{Name: []string{"a", "a_total"}[r.IntN(2)], Help: randomText(r), Type: typ}
	for i := range r.IntN(10) {
		f.Bounds = append(f.Bounds, math.Ldexp(1, i-5))
	}
	list := make([]encode.Sample, r.IntN(300))
	for i := range list {
		s := &list[i]
		s.Value, s.Count, s.Created = randomNumber(r), r.Uint64()>>r.IntN(64), r.Int64N(2)*r.Int64N(math.MaxInt64)
		for n := range r.IntN(4) {
			s.Labels = encode.AppendLabel(s.Labels, 0, fmt.Sprint("l", n), randomText(r))
		}
		for range len(f.Bounds) + 1 {
			s.Counts = append(s.Counts, r.Uint64()>>r.IntN(64))
		}
		slices.Sort(s.Counts)
	}
	f.Samples = samples(list...)
	return f
}

func randomText(r *rand.Rand) string {
	const alphabet = "ab\\\"\n,={}é"
	text := make([]rune, r.IntN(12))
	for i := range text {
		text[i] = []rune(alphabet)[r.IntN(10)]
	}
	return string(text)
}

func randomNumber(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return numbers[r.IntN(len(numbers))]
	case 1:
		return float64(r.Int64N(2_000_000) - 1_000_000)
	case 2:
		return float64(r.Uint64())
	}
	return math.Float64frombits(r.Uint64())
}

func BenchmarkEncode(b *testing.B) {
	list := make([]encode.Sample, 100_000)
	for i := range list {
		list[i] = encode.Sample{Labels: labels("comm", "process", "pid", fmt.Sprint(i)), Value: float64(i) * 100, Created: 1_700_000_000_123_456_789}
	}
	f := &encode.Family{Name: "ply_syscalls_total", Help: "Help.", Type: dto.MetricType_COUNTER, Samples: samples(list...)}
	for _, format := range []expfmt.Format{expfmt.FmtText, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtProtoDelim} {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := encode.New(discard{}, format, true)
				e.Family(f)
				_ = e.Close()
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func FuzzEncode(f *testing.F) {
	f.Add("help", "name", "value", uint64(0), uint64(7), int64(0))
	f.Add("a\\b\nc\"", "x", "\\\"\n", math.Float64bits(math.NaN()), uint64(math.MaxUint64), int64(1_700_000_000_123_456_789))
	f.Fuzz(func(t *testing.T, help, first, second string, bits, count uint64, created int64) {
		s := encode.Sample{
			Labels: labels("a", first, "b", second), Value: math.Float64frombits(bits), Count: count,
			Counts: []uint64{count / 3, count / 2, count}, Created: created,
		}
		for _, typ := range []dto.MetricType{dto.MetricType_COUNTER, dto.MetricType_GAUGE, dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM} {
			same(t, &encode.Family{Name: "x_total", Help: help, Type: typ, Bounds: []float64{-1, float64(count)}, Samples: samples(s)})
		}
	})
}
