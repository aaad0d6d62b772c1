package encode

import (
	"bufio"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// plainText is the text format 0.0.4.
type plainText struct{}

func (plainText) family(w *bufio.Writer, f *Family) {
	head(w, f.Name, escapeHelp.Replace(f.Help), strings.ToLower(f.Type.String()))
	t := textLines{f.Name, appendFloat, appendCount, bucketLines(f.Name, f.Bounds, appendFloat)}
	for s := range f.Samples {
		t.sample(w, f.Type, s)
	}
}

// textLines write the lines of a family's series. They differ between the text
// formats in how numbers look.
type textLines struct {
	name    string
	float   func([]byte, float64) []byte
	count   func([]byte, uint64) []byte
	buckets []line
}

func (t *textLines) sample(w *bufio.Writer, typ dto.MetricType, s *Sample) {
	switch typ {
	case dto.MetricType_COUNTER, dto.MetricType_GAUGE:
		put(w, line{name: t.name}, s.Labels, t.float, s.Value)
	case dto.MetricType_SUMMARY:
		t.total(w, s, s.Count)
	case dto.MetricType_HISTOGRAM:
		for i, n := range s.Counts {
			put(w, t.buckets[i], s.Labels, t.count, n)
		}
		t.total(w, s, s.Counts[len(s.Counts)-1])
	default:
		panic(fmt.Sprintf("encode: no metric of type %s", typ))
	}
}

// total writes the sum and the count of a summary or histogram.
func (t *textLines) total(w *bufio.Writer, s *Sample, count uint64) {
	put(w, line{name: t.name + "_sum"}, s.Labels, t.float, s.Value)
	put(w, line{name: t.name + "_count"}, s.Labels, t.count, count)
}
