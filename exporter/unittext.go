package exporter

import (
	"math"
	"strconv"
	"strings"
)

// unitText writes a number of a unit for people: "1.02 ms", "4 KiB", "1,234".
func unitText(v float64, unit string) string {
	switch unit {
	case "seconds":
		return secondsText(v)
	case "bytes":
		return bytesText(v)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
		if v < 0 {
			return "-" + groupDigits(uint64(-v))
		}
		return groupDigits(uint64(v))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func secondsText(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}} {
		if math.Abs(v) >= u.size {
			return short(v/u.size) + " " + u.name
		}
	}
	return short(v) + " s"
}

func bytesText(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for math.Abs(v) >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return short(v) + " " + units[i]
}

// short writes three digits, and all digits before the point.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// groupDigits writes 1234567 as 1,234,567.
func groupDigits(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
