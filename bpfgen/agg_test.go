package bpfgen

import (
	"math"
	"math/big"
	"reflect"
	"sync"
	"testing"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
)

// counts returns the non-empty buckets of a histogram by index, and its sum.
func (l *loaded) counts(name string, key ...int64) (sum int64, buckets map[int]uint64) {
	l.t.Helper()
	v := l.value(name, key...)
	if v == nil {
		l.t.Fatalf("%s%v has no value", name, key)
	}
	m := l.mapNamed(name)
	r := m.Read(m.AppendRead(nil, v))
	buckets = map[int]uint64{}
	for i := range r.Buckets.Len() {
		if n := r.In(i); n > 0 {
			buckets[i] = n
		}
	}
	return r.Number.Int(), buckets
}

func TestAggregations(t *testing.T) {
	l := begin(t, `BEGIN {
		m5 = 0-5; big = 0xffffffffffffffff; top = 0x7fffffffffffffff;
		@sum = sum(m5); @sum = sum(3);
		@keyed["a", 1] = sum(7); @keyed["a", 1] = sum(m5);
		@min = min(3); @min = min(m5); @min = min(4);
		@max = max(m5); @max = max(3); @max = max(2);
		@umax[1] = max((u64)5); @umax[1] = max(big);
		@umin[1] = min(big); @umin[1] = min((u64)7); @umin[1] = min((u64)9);
		@low[1] = max(m5);
		@avg[2] = avg(10); @avg[2] = avg(m5);
		@d = sum(10ms);
	}`)
	for _, r := range []struct {
		name string
		key  []int64
		want int64
	}{
		{"@sum", nil, -2}, {"@avg", []int64{2}, 5}, {"@d", nil, 1e7},
	} {
		if got := l.word(r.name, r.key...); got != r.want {
			t.Errorf("%s%v is %d, want %d", r.name, r.key, got, r.want)
		}
	}
	for _, r := range []struct {
		name string
		key  []int64
		want int64
	}{
		{"@min", nil, -5}, {"@max", nil, 3}, {"@umax", []int64{1}, -1}, {"@umin", []int64{1}, 7}, {"@low", []int64{1}, -5},
	} {
		if got := l.number(r.name, l.value(r.name, r.key...)); got != r.want {
			t.Errorf("%s%v is %d, want %d", r.name, r.key, got, r.want)
		}
	}
	if got := object.Word(l.value("@avg", 2), 1); got != 2 {
		t.Errorf("@avg[2] counts %d values, want 2", got)
	}
	key := append([]byte("a\x00\x00\x00\x00\x00\x00\x00"), numbers(1)...)
	if got := object.Word(l.read(l.mapNamed("@keyed"), key), 0); got != 2 {
		t.Errorf(`@keyed["a", 1] is %d, want 2`, got)
	}
}

// A total is exact whatever it amounts to, of both signs, in every storage.
func TestTotals(t *testing.T) {
	l := begin(t, `BEGIN {
		m7 = 0-7; top = 0x7fffffffffffffff; big = 0xffffffffffffffff; piece = 1 << 47; least = 0 - top - 1;
		@top = sum(top); @top = sum(top); @top = sum(m7);
		@least[1] = sum(least); @least[1] = sum(least); @least[1] = sum(least);
		@big[1] = sum(big); @big[1] = sum(big); @big[1] = sum((u64)100);
		@offset = quantize((u64)100); @offset = quantize((u64)m7);
		@offsets[1] = quantize((u64)100); @offsets[1] = quantize((u64)m7);
		@mean[1] = avg(top); @mean[1] = avg(top); @mean[1] = avg(top);
		unroll (9) { @pieces = sum(piece); @keyed[1] = sum(piece); }
		@back[1] = sum(m7); @back[1] = sum(top); @back[1] = sum(least); @back[1] = sum(8);
		unroll (5) { @down[1] = sum(0 - piece); }
		@down[1] = sum(1);
	}`)
	for _, r := range []struct {
		name string
		key  []int64
		want string
	}{
		{"@top", nil, "18446744073709551607"},            // 2^64 - 9
		{"@least", []int64{1}, "-27670116110564327424"},  // -3 * 2^63
		{"@big", []int64{1}, "36893488147419103330"},     // 2^65 + 98
		{"@offset", nil, "18446744073709551709"},         // 2^64 + 93
		{"@offsets", []int64{1}, "18446744073709551709"}, // 2^64 + 93
		{"@mean", []int64{1}, "27670116110564327421"},    // 3 * (2^63 - 1)
		{"@pieces", nil, "1266637395197952"},             // 9 * 2^47
		{"@keyed", []int64{1}, "1266637395197952"},       //
		{"@back", []int64{1}, "0"},                       //
		{"@down", []int64{1}, "-703687441776639"},        // 1 - 5 * 2^47
	} {
		if got := l.mapNamed(r.name).Read(l.value(r.name, r.key...)).Number; got.String() != r.want {
			t.Errorf("%s%v is %v, want %s", r.name, r.key, got, r.want)
		}
	}
}

func TestQuantize(t *testing.T) {
	l := begin(t, `BEGIN {
		m1 = 0-1; big = 0xffffffffffffffff; x = 4096;
		@ = quantize(m1); @ = quantize(0); @ = quantize(1); @ = quantize(2); @ = quantize(3);
		@ = quantize(4); @ = quantize(x); @ = quantize(x - 1); @ = quantize(0x7fffffffffffffff);
		@k[1] = quantize(x); @k[1] = quantize(m1);
		@u[1] = quantize(big); @u[1] = quantize((u64)x); @u[1] = quantize((u64)1 << 63); @u[1] = quantize(((u64)1 << 63) - 1);
		@u[1] = quantize((u64)1 << 62); @u[1] = quantize(((u64)1 << 62) - 1);
		@f[1] = quantize(big, 1); @f[1] = quantize((u64)3 << 62, 1); @f[1] = quantize(((u64)3 << 62) - 1, 1); @f[1] = quantize((u64)1 << 63, 1);
	}`)
	check := func(name string, key []int64, wantSum int64, want map[int]uint64) {
		t.Helper()
		sum, got := l.counts(name, key...)
		if sum != wantSum || !reflect.DeepEqual(got, want) {
			t.Errorf("%s%v is %v with sum %d, want %v with sum %d", name, key, got, sum, want, wantSum)
		}
	}
	// [0,1] [2,4) [4,8) … [2048,4096) [4096,8192) … [2^62,2^63)
	check("@", nil, math.MinInt64+8199, map[int]uint64{0: 1, 1: 2, 2: 2, 3: 1, 12: 1, 13: 1, 63: 1})
	check("@k", []int64{1}, 4095, map[int]uint64{0: 1, 13: 1})
	check("@u", []int64{1}, math.MinInt64+4093, map[int]uint64{13: 1, 62: 1, 63: 2, 64: 2}) // … [2^63,2^64)
	check("@f", []int64{1}, -2, map[int]uint64{127: 2, 128: 2})                             // [2^63,1.5*2^63) and the rest
}

func TestLinearHistograms(t *testing.T) {
	l := begin(t, `BEGIN {
		m5 = 0-5; x = 10;
		@l = lquantize(m5, 0, 25, 10); @l = lquantize(0, 0, 25, 10); @l = lquantize(9, 0, 25, 10); @l = lquantize(x, 0, 25, 10);
		@l = lquantize(24, 0, 25, 10); @l = lquantize(25, 0, 25, 10); @l = lquantize(1000, 0, 25, 10);
		@n = lquantize(m5, -10, 10, 5); @n = lquantize(m5 - 6, -10, 10, 5); @n = lquantize(x, -10, 10, 5);
		@ll = llquantize(m5, 10, 0, 2, 10); @ll = llquantize(0, 10, 0, 2, 10); @ll = llquantize(1, 10, 0, 2, 10);
		@ll = llquantize(9, 10, 0, 2, 10); @ll = llquantize(x, 10, 0, 2, 10); @ll = llquantize(19, 10, 0, 2, 10);
		@ll = llquantize(999, 10, 0, 2, 10); @ll = llquantize(1000, 10, 0, 2, 10);
		@q = quantize(m5, 2); @q = quantize(7, 2); @q = quantize(8, 2); @q = quantize(9, 2); @q = quantize(x, 2); @q = quantize(0, 2);
	}`)
	for _, r := range []struct {
		name string
		want map[int]uint64
	}{
		{"@l", map[int]uint64{0: 1, 1: 2, 2: 1, 3: 1, 4: 2}},
		{"@n", map[int]uint64{0: 1, 2: 1, 5: 1}},
		{"@ll", map[int]uint64{0: 2, 1: 1, 9: 1, 10: 2, 27: 1, 28: 1}},
		{"@q", map[int]uint64{0: 1, 1: 1, 8: 1, 9: 2, 10: 1}},
	} {
		if _, got := l.counts(r.name); !reflect.DeepEqual(got, r.want) {
			t.Errorf("%s is %v, want %v", r.name, got, r.want)
		}
	}
}

// The exporter counts into its own bounds, and a number equal to a bound is
// below it.
func TestBounds(t *testing.T) {
	bounds := upperBounds(1, 2, 4, 1<<20, 1<<40)
	l := beginWith(t, `BEGIN {
		m1 = 0-1; big = 0xffffffffffffffff;
		@ = quantize(m1); @ = quantize(0); @ = quantize(1); @ = quantize(2); @ = quantize(3); @ = quantize(4);
		@ = quantize(5); @ = quantize(1048576); @ = quantize(1048577); @ = quantize(0x10000000000); @ = quantize(0x10000000001);
		@u[1] = quantize(big);
	}`, Options{Maps: map[string]MapOptions{"@": {Buckets: bounds}, "@u": {Buckets: bounds}}})
	want := map[int]uint64{0: 1, 1: 2, 2: 1, 3: 2, 4: 2, 5: 2, 6: 1}
	if _, got := l.counts("@"); !reflect.DeepEqual(got, want) {
		t.Errorf("@ is %v, want %v", got, want)
	}
	if _, got := l.counts("@u", 1); !reflect.DeepEqual(got, map[int]uint64{6: 1}) {
		t.Errorf("@u[1] is %v, want the last bucket only", got)
	}
}

// Bounds may be negative, and those that the numbers cannot reach have no effect.
func TestNegativeBounds(t *testing.T) {
	bounds := upperBounds(math.MinInt64, -1<<40, -20, -3, 0, 7)
	l := beginWith(t, `BEGIN {
		m1 = 0-1; least = 1 << 63;
		@ = lquantize(least, -20, 7, 10); @ = lquantize(least + 1, -20, 7, 10); @ = lquantize(m1 << 40, -20, 7, 10);
		@ = lquantize((m1 << 40) + 1, -20, 7, 10); @ = lquantize(-20, -20, 7, 10); @ = lquantize(-19, -20, 7, 10);
		@ = lquantize(-3, -20, 7, 10); @ = lquantize(-2, -20, 7, 10); @ = lquantize(m1, -20, 7, 10); @ = lquantize(0, -20, 7, 10);
		@ = lquantize(1, -20, 7, 10); @ = lquantize(7, -20, 7, 10); @ = lquantize(8, -20, 7, 10);
		@u[1] = lquantize((u64)m1, -20, 7, 10); @u[1] = lquantize((u64)0, -20, 7, 10);
	}`, Options{Maps: map[string]MapOptions{"@": {Buckets: bounds}, "@u": {Buckets: bounds}}})
	if _, got := l.counts("@"); !reflect.DeepEqual(got, map[int]uint64{0: 1, 1: 2, 2: 2, 3: 2, 4: 2, 5: 1, 6: 2, 7: 1}) {
		t.Errorf("@ is %v", got)
	}
	if _, got := l.counts("@u", 1); !reflect.DeepEqual(got, map[int]uint64{5: 1, 7: 1}) {
		t.Errorf("@u[1] is %v", got)
	}
}

// Two histograms of 64-bit numbers in one probe were more than ply's programs
// could be verified with; here are twelve.
func TestManyHistograms(t *testing.T) {
	script := "BEGIN {\n x = nsecs;\n"
	for i := range 12 {
		script += "@" + string(rune('a'+i)) + "[tid] = quantize(nsecs - x + pid);\n"
	}
	l := beginWith(t, script+"}", Options{Maps: map[string]MapOptions{
		"@a": {Buckets: powers(25)}, "@b": {Buckets: powers(25)}, "@c": {Buckets: powers(60)},
		"@d": {Buckets: object.NewExponential(4, 4, big.NewRat(1, 1e9), true, nil)}, "@e": {Buckets: object.NewExponential(4, 4, big.NewRat(1, 1), true, nil)},
	}})
	if len(l.obj.Programs) != 1 {
		t.Fatal("want one program")
	}
}

func powers(n int) object.Bounds {
	out := make([]int64, n)
	for i := range out {
		out[i] = 1 << i
	}
	return upperBounds(out...)
}

func upperBounds(ends ...int64) object.Bounds {
	var out []*big.Int
	for _, n := range ends {
		out = append(out, big.NewInt(n))
	}
	return object.NewBounds(out)
}

// Buckets follow each other without a gap, and end where their numbers end.
func TestBucketRanges(t *testing.T) {
	logLinear, err := logLinear(10, 0, 2, 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []object.Buckets{
		object.Log2{Bits: 0}, object.Log2{Bits: 1}, object.Log2{Bits: 2}, object.Log2{Bits: 4}, object.Log2{Unsigned: true}, object.Log2{Bits: 4, Unsigned: true},
		powers(25), upperBounds(math.MinInt64, -1, 0, math.MaxInt64), upperBounds(-20, -3, 7), object.Linear{Lo: -10, Hi: 25, Step: 10},
		object.Linear{Lo: math.MinInt64, Hi: math.MaxInt64, Step: 1 << 60}, logLinear,
	} {
		_, last := b.Range(0)
		for i := 1; i < b.Len(); i++ {
			lo, hi := b.Range(i)
			if lo == nil || lo.Cmp(new(big.Int).Add(last, big.NewInt(1))) != 0 {
				t.Errorf("%#v: bucket %d begins at %v, the one before ends at %v", b, i, lo, last)
			}
			if hi != nil && hi.Cmp(lo) < 0 || hi == nil && i != b.Len()-1 {
				t.Errorf("%#v: bucket %d is %v to %v", b, i, lo, hi)
			}
			last = hi
		}
		if h, ok := b.(object.Log2); ok && last.BitLen() != emit.Pick(h.Unsigned, 64, 63) {
			t.Errorf("%#v ends at %v", h, last)
		}
	}
}

// Nothing is lost of keys in which several threads store for the first time at
// once: the one that comes second must not replace what the first has counted.
func TestConcurrentInsertions(t *testing.T) {
	l := load(t, compile(t, live.Kernel(t), `BEGIN { turn[0]++; at = turn[0] / 8; unroll (20) { i++; new[at, i]++; } }`, Options{MaxEntries: 15_000}))
	const threads, rounds, keys = 8, 500, 20
	program := l.coll.Programs[l.obj.Programs[0].Name]
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			for range rounds {
				if _, err := program.Run(&ebpf.RunOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	var stored int64
	for at := range int64(threads*rounds/8 + 1) {
		for i := range int64(keys) {
			stored += l.word("new", at, i+1)
		}
	}
	if want := int64(threads * rounds * keys); stored != want {
		t.Errorf("stored %d, want %d", stored, want)
	}
}

// Updates from several threads at once are all counted, also the first ones of
// a key, and extremes are exact.
func TestConcurrentUpdates(t *testing.T) {
	l := load(t, compile(t, live.Kernel(t), `BEGIN {
		x = (u32)rand;
		@count[x % 64] = count(); @all = count(); @total[x & 7] = sum(1); @h[1] = quantize(x);
		@table[1]++; @max = max(x); @min = min(x); @kmax[x % 3] = max(x); @seen[1] = max(x); @mean[1] = avg(2);
	}`, Options{}))
	const threads, rounds = 4, 5000
	program := l.coll.Programs[l.obj.Programs[0].Name]
	var wait sync.WaitGroup
	for range threads {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range rounds {
				if _, err := program.Run(&ebpf.RunOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wait.Wait()
	const want = threads * rounds
	var keyed, total int64
	for key := range int64(64) {
		keyed += l.word("@count", key)
		total += l.word("@total", key)
	}
	_, counts := l.counts("@h", 1)
	var inBuckets uint64
	for _, n := range counts {
		inBuckets += n
	}
	mean := l.value("@mean", 1)
	if keyed != want || total != want || inBuckets != want || l.word("@all") != want || l.word("@table", 1) != want ||
		object.Word(mean, 0) != 2*want || object.Word(mean, 1) != want {
		t.Errorf("counted %d, %d, %d, %d, %d, %d: want %d", keyed, total, inBuckets, l.word("@all"), l.word("@table", 1), object.Word(mean, 1), want)
	}
	largest := int64(0)
	for key := range int64(3) {
		largest = max(largest, l.number("@kmax", l.value("@kmax", key)))
	}
	if got := l.number("@max", l.value("@max")); got != largest {
		t.Errorf("@max is %d, the largest of @kmax %d", got, largest)
	}
	for i := range l.obj.Maps {
		if n := l.state(1 + i); n != 0 {
			t.Errorf("%d updates of %s were refused", n, l.obj.Maps[i].Name)
		}
	}
}
