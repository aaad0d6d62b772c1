package bpfgen

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"sort"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// Every number is in the bucket of a native histogram that it belongs to, those at
// both sides of all bounds first.
func TestExponentialBuckets(t *testing.T) {
	need.BPF(t) // an emulated processor gets some of the big numbers wrong that this computes
	nanoseconds := big.NewRat(1, 1e9)
	for _, r := range []struct {
		schema, negative int
		factor           *big.Rat
		signed           bool
		more             []int64
	}{
		{0, 0, big.NewRat(1, 1), true, nil},
		{3, 3, big.NewRat(1, 1), true, []int64{math.MinInt64, -1000, -3, 1000, 1024, 5000, math.MaxInt64}},
		{4, 0, big.NewRat(1, 1), false, []int64{-7, 0, 1000}},
		{1, 1, big.NewRat(4096, 1), true, nil},
		{2, 0, nanoseconds, true, []int64{1e6, 5e6, 1e7}},
		{3, 3, nanoseconds, false, nil},
		{4, 4, nanoseconds, true, nil},
		{2, 2, big.NewRat(1, 3), false, nil},
	} {
		t.Run(fmt.Sprint(r.schema, r.negative, r.factor, r.signed, r.more), func(t *testing.T) {
			var more []*big.Int
			for _, n := range r.more {
				more = append(more, big.NewInt(n))
			}
			h := object.NewExponential(r.schema, r.negative, r.factor, r.signed, more)
			want := map[int]uint64{}
			feed := feedHistogram(t, h, r.signed)
			for _, v := range numbersAround(h, r.signed) {
				feed.add(v)
				i := bucketOf(h, v)
				want[i]++
				checkNative(t, h, i, v, r.factor)
			}
			if got := feed.counts(); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A fed is a program that counts the numbers it is given.
type fed struct {
	*loaded
	table *object.Map
}

func feedHistogram(t testing.TB, h object.Buckets, signed bool) *fed {
	script := "BEGIN { @ = quantize(v[1]); v[2] = 0; }"
	if !signed {
		script = "BEGIN { @ = quantize(v[1]); v[2] = (u64)0; }"
	}
	l := load(t, compile(t, live.Kernel(t), script, Options{Maps: map[string]MapOptions{"@": {Buckets: h}}}))
	return &fed{l, l.mapNamed("v")}
}

// add counts one number, as the 64 bits that it is.
func (f *fed) add(v *big.Int) {
	f.t.Helper()
	bits := new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	if err := f.coll.Maps[f.table.SpecName].Put(numbers(1)[:f.table.KeySize], bits); err != nil {
		f.t.Fatal(err)
	}
	f.run(f.obj.Programs[0].Name)
}

func (f *fed) counts() map[int]uint64 {
	_, counts := f.loaded.counts("@")
	return counts
}

// numbersAround are those at both sides of the ends of all buckets, and at random.
func numbersAround(h *object.Exponential, signed bool) (all []*big.Int) {
	least, most := new(big.Int), new(big.Int).SetUint64(math.MaxUint64)
	if signed {
		least, most = big.NewInt(math.MinInt64), big.NewInt(math.MaxInt64)
	}
	add := func(v *big.Int) {
		if v.Cmp(least) >= 0 && v.Cmp(most) <= 0 {
			all = append(all, v)
		}
	}
	for i := range h.Len() - 1 {
		_, end := h.Range(i)
		add(end)
		add(new(big.Int).Add(end, big.NewInt(1)))
	}
	add(least)
	add(most)
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		v := new(big.Int).SetUint64(r.Uint64() >> r.IntN(64))
		add(v)
		add(new(big.Int).Neg(v))
	}
	return all
}

// bucketOf finds the bucket whose range a number is in.
func bucketOf(h object.Buckets, v *big.Int) int {
	return sort.Search(h.Len(), func(i int) bool {
		_, hi := h.Range(i)
		return hi == nil || v.Cmp(hi) <= 0
	})
}

// checkNative compares a number with the exact bounds of a native bucket: x is at
// most 2^(i/2^s) if its 2^s-th power is at most 2^i.
func checkNative(t *testing.T, h *object.Exponential, bucket int, v *big.Int, factor *big.Rat) {
	t.Helper()
	sign, index := h.Native(bucket)
	if sign != v.Sign() {
		t.Fatalf("%v is in a bucket of sign %d", v, sign)
	}
	if sign == 0 {
		return
	}
	schema := h.Positive.Schema
	if sign < 0 {
		schema = h.Negative.Schema
	}
	x := new(big.Rat).SetInt(new(big.Int).Abs(v))
	x.Mul(x, factor)
	for range schema {
		x.Mul(x, x)
	}
	if x.Cmp(power(index)) > 0 || x.Cmp(power(index-1)) <= 0 {
		t.Errorf("%v is in bucket %d of schema %d", v, index, schema)
	}
}

func power(exponent int) *big.Rat {
	p := new(big.Int).Lsh(big.NewInt(1), uint(max(exponent, -exponent)))
	if exponent < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), p)
	}
	return new(big.Rat).SetInt(p)
}
