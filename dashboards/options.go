package dashboards

// What a panel of each type is told besides its queries. A test reads it with the package
// that grafana-foundation-sdk has for each type.

// options are the members of a JSON object.
type options = map[string]any

var (
	// the largest come first in the legend
	lineOptions = options{
		"legend":  options{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"max"}, "sortBy": "Max", "sortDesc": true},
		"tooltip": options{"mode": "multi", "sort": "desc"},
	}
	lineStyle = options{"lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "axisSoftMin": 0}
)

// heatOptions are those of a heat map, whose cells Prometheus has counted.
func heatOptions(unit string) options {
	return options{
		"calculate":     false,
		"color":         options{"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "scale": "exponential", "exponent": 0.5, "steps": 64, "reverse": false},
		"filterValues":  options{"le": 1e-9},
		"showValue":     "never",
		"cellGap":       1,
		"yAxis":         options{"unit": unit, "axisPlacement": "left"},
		"legend":        options{"show": true},
		"tooltip":       options{"mode": "single", "yHistogram": true},
		"exemplars":     options{"color": "rgba(255,0,255,0.7)"},
		"selectionMode": "x",
	}
}

// statOptions are those of large numbers.
func statOptions(color, text, graph string) options {
	return options{
		"colorMode": color, "textMode": text, "graphMode": graph, "justifyMode": "auto", "orientation": "auto", "wideLayout": true,
		"showPercentChange": false, "percentChangeColorMode": "standard",
		"reduceOptions": options{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
}
