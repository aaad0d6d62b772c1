package exporter

import (
	"math/big"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// unitSuffix is what the name of a metric of a unit ends in.
var unitSuffix = map[string]string{"seconds": "_seconds", timestampUnit: "_timestamp_seconds", "bytes": "_bytes", "ratio": "_ratio", "none": "", "": ""}

// timestampUnit is that of times of day: seconds since 1970.
const timestampUnit = "timestamp"

// A scale turns a map's integers into exported numbers. Multiplying and dividing
// by whole numbers gives the nearest float64, where multiplying by the nearest
// float64 of their quotient may not: 3 * 0.3 is 0.8999999999999999.
type scale struct {
	factor            *big.Rat
	multiple, divisor float64 // whole
}

var (
	one         = newScale(big.NewRat(1, 1))
	nanoseconds = newScale(big.NewRat(1, 1e9))
)

func newScale(factor *big.Rat) scale {
	return scale{factor, nearest(factor.Num()), nearest(factor.Denom())}
}

func nearest(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// apply scales v.
func (s scale) apply(v float64) float64 { return v * s.multiple / s.divisor }

// inferUnit returns the unit and the scale of numbers of type t, refined by
// what the user says of the metric m, which may be nil. Times are
// nanoseconds inside and seconds outside.
func inferUnit(t *plylang.Type, m *config.Metric) (unit string, s scale, errs plylang.ErrorList) {
	unit, s = ownUnit(t)
	isTime := unit != ""
	if m == nil {
		return unit, s, nil
	}
	if m.Unit != "" {
		if isTime && m.Unit != "seconds" {
			errs = append(errs, m.At("unit").Errorf("%s holds times, which are exported in seconds: unit %s cannot be", m.Map, m.Unit))
		}
		if !isTime {
			unit = m.Unit
		}
	}
	if m.Scale != nil {
		if isTime {
			errs = append(errs, m.At("scale").Errorf("%s holds times, which are turned into seconds without a scale: remove it", m.Map))
		}
		s = newScale(m.Scale)
	}
	return unit, s, errs
}

// ownUnit is what the type of a number alone says.
func ownUnit(t *plylang.Type) (unit string, s scale) {
	switch {
	case t == nil || t.Unit == plylang.Plain:
		return "", one
	case t.Display == plylang.DisplayWalltime:
		return timestampUnit, nanoseconds
	}
	return "seconds", nanoseconds
}
