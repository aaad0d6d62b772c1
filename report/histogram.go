package report

import (
	"fmt"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

const barWidth = 40

// histograms prints each key's line, when there is one, and its buckets.
func (t *Text) histograms(m *object.Map, rows []tracer.Row) {
	t.add("\n")
	for _, r := range rows {
		if m.KeySize > 0 {
			t.add(t.key(m, r.Key) + "\n")
		}
		t.buckets(m, m.Read(r.Value))
	}
}

// buckets prints a row per bucket from the first to the last that is not empty.
func (t *Text) buckets(m *object.Map, h object.Reading) {
	first, last, largest := -1, -1, uint64(0)
	n := h.Buckets.Len()
	for i := range n {
		c := h.In(i)
		if c == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last, largest = i, max(largest, c)
	}
	if first < 0 {
		return
	}
	los, his := make([]string, n), make([]string, n)
	closers := make([]string, n)
	wide := 4
	for i := first; i <= last; i++ {
		los[i], his[i], closers[i] = limits(m.Value, h.Buckets, i)
		wide = max(wide, len(los[i]), len(his[i]))
	}
	digits := max(8, len(strconv.FormatUint(largest, 10)))
	for i := first; i <= last; i++ {
		t.add(fmt.Sprintf("\t[%*s, %*s%s\t%*d |%s|\n", wide, los[i], wide, his[i], closers[i],
			digits, h.In(i), bar(h.In(i), largest, t.blocks)))
	}
}

// limits are the texts of a bucket's ends. The upper one is the first number
// that is not in the bucket, but for the bucket of 0 and 1.
func limits(typ *plylang.Type, b object.Buckets, i int) (lo, hi, closer string) {
	from, to, hasLo, hasHi := b.Range(i)
	lo, hi, closer = "...", "...", ")"
	if hasLo {
		lo = bound(typ, from)
	}
	switch {
	case hasLo && hasHi && from == 0 && to == 1:
		hi, closer = bound(typ, to), "]"
	case hasHi && to < 1<<63-1:
		hi = bound(typ, to+1)
	case hasHi:
		hi = "8E"
	}
	return lo, hi, closer
}

// bound is a limit with a suffix: for powers of 1024 where it divides evenly,
// for time where the value is one.
func bound(typ *plylang.Type, n int64) string {
	if typ != nil && typ.Unit == plylang.Duration {
		return decode.Scaled(n)
	}
	const suffixes = "kMGTPE"
	suffix := ""
	for i := 0; i < len(suffixes) && n != 0 && n%1024 == 0; i++ {
		n /= 1024
		suffix = suffixes[i : i+1]
	}
	return strconv.FormatInt(n, 10) + suffix
}

// bar is count's share of largest, barWidth columns wide.
func bar(count, largest uint64, blocks bool) string {
	eighths := int(float64(count) / float64(largest) * barWidth * 8)
	if !blocks {
		n := (eighths + 4) / 8
		return strings.Repeat("#", n) + strings.Repeat(" ", barWidth-n)
	}
	s := strings.Repeat("█", eighths/8)
	used := eighths / 8
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
		used++
	}
	return s + strings.Repeat(" ", barWidth-used)
}
