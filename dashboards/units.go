package dashboards

import (
	"cmp"
	"strings"
)

// suffixes are what the names of metrics of a unit end in, the longest first.
var suffixes = []struct{ suffix, unit string }{
	{"_timestamp_seconds", "timestamp"}, {"_seconds", "seconds"}, {"_bytes", "bytes"}, {"_ratio", "ratio"},
}

// unitSuffix is the unit that a name says, and in what.
func unitSuffix(name string) (unit, suffix string) {
	for _, s := range suffixes {
		if strings.HasSuffix(name, s.suffix) {
			return s.unit, s.suffix
		}
	}
	return "", ""
}

// unit is that of the metric: as it is known, or as its name says.
func (f *family) unit() string {
	unit, _ := unitSuffix(strings.TrimSuffix(f.Name, "_total"))
	if f.Unit == "none" {
		return ""
	}
	return cmp.Or(f.Unit, unit)
}

// unitOf is what Grafana calls a unit.
func unitOf(unit string) string {
	switch unit {
	case "seconds", "timestamp": // shown as an age
		return "s"
	case "bytes":
		return "bytes"
	case "ratio":
		return "percentunit"
	}
	return "short"
}

// unitPerSecond is what Grafana calls a unit per second. Seconds per second are how
// many do it at a time: 100% is one.
func unitPerSecond(unit string) string {
	switch unit {
	case "seconds":
		return "percentunit"
	case "bytes":
		return "binBps"
	case "":
		return "cps"
	}
	return "short"
}
