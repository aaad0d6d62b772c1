package report

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

const barWidth = 40

// histograms prints each key's line, when there is one, and its buckets.
func (t *Text) histograms(m *object.Map, rows []tracer.Row) {
	t.add("\n")
	for _, r := range rows {
		if m.KeySize > 0 {
			t.line(t.key(m, r.Key))
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
	from, to := b.Range(i)
	lo, hi, closer = "...", "...", ")"
	if from != nil {
		lo = bound(typ, from)
	}
	switch one := big.NewInt(1); {
	case to == nil:
	case from != nil && from.Sign() == 0 && to.Cmp(one) == 0:
		hi, closer = bound(typ, to), "]"
	default:
		hi = bound(typ, new(big.Int).Add(to, one))
	}
	return lo, hi, closer
}

// bound is a limit with a suffix: for powers of 1024 where it divides evenly,
// for time where the value is one.
func bound(typ *plylang.Type, n *big.Int) string {
	if typ != nil && typ.Unit == plylang.Duration {
		return durationText(n)
	}
	const suffixes = "kMGTPE"
	suffix := ""
	for i := 0; i < len(suffixes) && n.Sign() != 0; i++ {
		quotient, rest := new(big.Int).QuoRem(n, big.NewInt(1024), new(big.Int))
		if rest.Sign() != 0 {
			break
		}
		n, suffix = quotient, suffixes[i:i+1]
	}
	return n.String() + suffix
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
