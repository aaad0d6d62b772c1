package property

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"ply-exporter/plylang"
)

// A row is what a map holds at a key: a value in a table, the rest in an
// aggregation.
type row struct {
	value   value
	count   uint64
	sum     uint64
	extreme uint64
	buckets map[string]uint64 // by their limits
}

// aggregate feeds a map. The number is looked at with the sign of all numbers
// that are fed into the map.
func (e *evaluator) aggregate(ref *plylang.MapRef, call *plylang.Call) {
	r := e.row(ref)
	r.count++
	if call.Name == "count" {
		return
	}
	x := e.eval(call.Args[0]).as(e.types.value(ref.Map))
	r.sum += x.bits
	switch c := compare(x, value{bits: r.extreme, unsigned: x.unsigned}); {
	case r.count == 1, c < 0 && call.Name == "min", c > 0 && call.Name == "max":
		r.extreme = x.bits
	}
	if b := bucket(call.Name, e.constants(ref.Map), x); b != "" {
		r.buckets[b]++
	}
}

func (e *evaluator) constants(m *plylang.Map) []int64 {
	var args []int64
	for _, a := range m.Args[min(1, len(m.Args)):] {
		args = append(args, int64(e.eval(a).bits))
	}
	return args
}

func limits[N any](lo, hi N) string { return fmt.Sprintf("%v..%v", lo, hi) }

// bucket returns the limits of the bucket that x falls in, "" where agg has none;
// a side without a limit is the smallest or largest integer. Unsigned numbers that
// need the 64th bit are in the bucket of the largest signed one, but in that of
// their power of two.
func bucket(agg string, args []int64, x value) string {
	n := int64(x.bits)
	if x.unsigned && n < 0 {
		n = math.MaxInt64
	}
	switch agg {
	case "quantize":
		if n < 0 {
			return limits(math.MinInt64, -1)
		}
		return limits(powerOfTwo(x.bits, args))
	case "lquantize":
		return limits(linear(n, args[0], args[1], args[2]))
	case "llquantize":
		return limits(logLinear(n, args[0], args[1], args[2], args[3]))
	}
	return ""
}

// powerOfTwo cuts each power of two into 2^bits parts, and leaves the numbers
// below 2^(bits+1) as they are; but 0 and 1 are together without bits.
func powerOfTwo(n uint64, args []int64) (lo, hi uint64) {
	bits := int64(0)
	if len(args) > 0 {
		bits = args[0]
	}
	switch {
	case bits == 0 && n < 2:
		return 0, 1
	case n < 2<<bits:
		return n, n
	}
	power := uint64(1)
	for n/2 >= power {
		power *= 2
	}
	width := power >> bits
	lo = n / width * width
	return lo, lo + (width - 1)
}

func linear(n, from, to, step int64) (lo, hi int64) {
	switch {
	case n < from:
		return math.MinInt64, from - 1
	case n >= to:
		return to, math.MaxInt64
	}
	lo = from + int64(uint64(n-from)/uint64(step)*uint64(step))
	return lo, lo + int64(min(uint64(step), uint64(to-lo))-1)
}

// logLinear has magnitudes from factor^m to factor^(m+1), each with buckets of
// factor^(m+1)/steps.
func logLinear(n, factor, lowest, highest, steps int64) (lo, hi int64) {
	start := int64(1)
	for range lowest {
		start *= factor
	}
	if n < start {
		return math.MinInt64, start - 1
	}
	for m := lowest; m <= highest; m++ {
		end := start * factor
		width := max(1, end/steps)
		if n < end {
			lo = start + (n-start)/width*width
			return lo, min(lo+width, end) - 1
		}
		start = end
	}
	return start, math.MaxInt64
}

// render is what the row of a map is printed as.
func (r *row) render(m *plylang.Map) string {
	if m.Agg == nil {
		return r.value.render()
	}
	switch m.Agg.Name {
	case "count":
		return fmt.Sprint(r.count)
	case "sum":
		return fmt.Sprintf("%#x", r.sum)
	case "min", "max":
		return fmt.Sprintf("%#x", r.extreme)
	case "avg":
		return fmt.Sprintf("%#x/%d", r.sum, r.count)
	}
	return histogram(r.sum, r.buckets)
}

func histogram(sum uint64, buckets map[string]uint64) string {
	var lines []string
	for limits, n := range buckets {
		lines = append(lines, fmt.Sprintf("%s:%d", limits, n))
	}
	sort.Strings(lines)
	return fmt.Sprintf("%#x {%s}", sum, strings.Join(lines, " "))
}
