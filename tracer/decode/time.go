package decode

import (
	"fmt"
	"strconv"

	"ply-exporter/bpfgen/object"
)

// timeText is a duration with three digits and its unit.
func timeText(_ *Decoder, v object.Value) string { return Scaled(v.Int()) }

// Scaled returns nanoseconds as 512ns, 1.02us, 35.1ms or 2.5s, cut after three
// digits; from 1000 s on as whole seconds.
func Scaled(ns int64) string {
	if ns < 0 {
		if ns == -1<<63 {
			return "-9223372036s"
		}
		return "-" + Scaled(-ns)
	}
	units := []struct {
		name string
		size int64
	}{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}
	i := 0
	for i < len(units)-1 && ns >= units[i+1].size {
		i++
	}
	size, name := units[i].size, units[i].name
	whole, rest := ns/size, ns%size
	switch {
	case rest == 0 || whole >= 100:
		return strconv.FormatInt(whole, 10) + name
	case whole >= 10:
		return trimZeros(fmt.Sprintf("%d.%01d", whole, rest*10/size)) + name
	}
	return trimZeros(fmt.Sprintf("%d.%02d", whole, rest*100/size)) + name
}

// trimZeros cuts zeros that say nothing off the end of a decimal fraction.
func trimZeros(s string) string {
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}
