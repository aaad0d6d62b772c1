package bpfgen

import (
	"encoding/binary"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A value that no update has reached is not to be shown; a real 0 is, also
// where it is stored as 0.
func TestWritten(t *testing.T) {
	for _, tt := range []struct {
		what  string
		agg   string
		mark  uint64
		value []int64
		want  bool
	}{
		{"a table before its first store", "", 0, []int64{0}, false},
		{"a table that holds 0", "", 1, []int64{0}, true},
		{"no events", "count", 0, []int64{0}, false},
		{"an event", "count", 0, []int64{1}, true},
		{"a sum of nothing", "sum", 0, []int64{0, 0}, false},
		{"a sum of 1 and -1", "sum", 1, []int64{0, 0}, true},
		{"a mean of nothing", "avg", 0, []int64{0, 0, 0}, false},
		{"a mean whose number is added and not counted yet", "avg", 0, []int64{7, 0, 1}, false},
		{"a mean of 0", "avg", 0, []int64{0, 1, 0}, true},
		{"an extreme of nothing", "max", 0, []int64{0}, false},
		{"an extreme", "min", 0, []int64{5}, true},
		{"an extreme that is stored as 0", "min", 1, []int64{0}, true},
		{"a histogram of nothing", "quantize", 1, []int64{0, 0, 0, 0}, false},
		{"a histogram of zeros", "quantize", 1, []int64{0, 0, 1, 0}, true},
	} {
		m := &object.Map{Map: &plylang.Map{}, Values: ValuesOf(Lookup(tt.agg)), Buckets: object.Linear{Hi: 1, Step: 1}}
		if got := m.Written(tt.mark, numbers(tt.value...)); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.what, got, tt.want)
		}
	}
}

// Extremes that are stored as 0 are there, with and without a key.
func TestExtremesStoredAsZero(t *testing.T) {
	l := begin(t, `BEGIN {
		least = -9223372036854775808; most = 9223372036854775807; none = (u64)0; all = 0xffffffffffffffff;
		@least = max(least); @most = min(most); @none = max(none); @all = min((u64)all);
		@least1[1] = max(least); @most1[1] = min(most); @none1[1] = max(none); @all1[1] = min((u64)all);
		@gone = max(none); delete @gone;
	}`)
	for name, want := range map[string]int64{"@least": -1 << 63, "@most": 1<<63 - 1, "@none": 0, "@all": -1} {
		for name, key := range map[string][]int64{name: nil, name + "1": {1}} {
			v := l.value(name, key...)
			if v == nil {
				t.Errorf("%s has no value", name)
				continue
			}
			if got := l.number(name, v); got != want {
				t.Errorf("%s is %d, want %d", name, got, want)
			}
			if stored := binary.LittleEndian.Uint64(v); stored != 0 {
				t.Errorf("%s is stored as %d, want 0", name, stored)
			}
		}
	}
	if l.value("@gone") != nil {
		t.Error("@gone has a value")
	}
}
