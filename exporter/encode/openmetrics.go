package encode

import (
	"bufio"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// openMetrics is the text of OpenMetrics 1.0 and its draft 0.0.1, in which
// expfmt sees no difference.
type openMetrics struct{ created bool }

func (o *openMetrics) family(w *bufio.Writer, f *Family) {
	base, typ := f.Name, strings.ToLower(f.Type.String())
	if f.Type == dto.MetricType_COUNTER {
		var total bool
		if base, total = strings.CutSuffix(f.Name, "_total"); !total {
			typ = "unknown" // it has no other counters
		}
	}
	head(w, base, escapeHelpQuotes.Replace(f.Help), typ)
	t := textLines{f.Name, appendPoint, appendUint, bucketLines(f.Name, f.Bounds, appendPoint)}
	created := line{name: base + "_created"}
	for s := range f.Samples {
		t.sample(w, f.Type, s)
		if o.created && s.Created != 0 && f.Type != dto.MetricType_GAUGE {
			put(w, created, s.Labels, appendPoint, float64(s.Created)/1e9)
		}
	}
}
