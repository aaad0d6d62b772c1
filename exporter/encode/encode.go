// Package encode writes metrics in the formats that Prometheus reads: its text
// format, OpenMetrics and delimited protobuf messages.
//
// expfmt does the same for messages of client_model, of which a page of 100,000
// series takes half a million. Here a series is the text of its labels, which is
// made once in its life, and a few numbers: what is written is appended to a
// buffer that is flushed when it is full. In every format the bytes are those
// that expfmt writes for the messages of [Family.Message], which tests compare. Formats
// that no scraper asks for are left to expfmt.
package encode

import (
	"bufio"
	"io"
	"iter"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// A Family is a metric with its series. Its name, and those of its labels, are
// valid in every version of Prometheus: letters, digits and underscores. They
// are never escaped or quoted, whatever a client asks for.
type Family struct {
	Name, Help string
	Type       dto.MetricType // counter, gauge, summary without quantiles, or histogram
	Bounds     []float64      // of a histogram's buckets but +Inf, ascending

	// Native, of histograms that have native buckets, is called after a sample was
	// yielded and fills in those of that sample. Only protobuf has them.
	Native func(*Native)

	// Samples yields the series in the order in which they are written; it may
	// be run several times. A sample is valid until the next one.
	Samples iter.Seq[*Sample]
}

// A Sample is a series and its numbers.
type Sample struct {
	Labels  []byte   // as AppendLabel writes them
	Value   float64  // of a counter or gauge; the sum of the others
	Count   uint64   // of a summary
	Counts  []uint64 // of a histogram, cumulative: one for each bound, then all
	Created int64    // when it began: nanoseconds since 1970, 0 is not known; gauges have none
}

// An Encoder writes families in one format.
type Encoder struct {
	w      *bufio.Writer
	format format // nil: messages are written
	others expfmt.Encoder
	err    error // of a message in place of a family
}

// A format writes families. Errors of the writer show when it is flushed.
type format interface {
	family(w *bufio.Writer, f *Family)
}

// bufferSize is what is written at once.
const bufferSize = 32 << 10

// New returns an encoder that writes to w. With created, the OpenMetrics text has
// the time at which series began; protobuf has it always.
func New(w io.Writer, f expfmt.Format, created bool) *Encoder {
	e := &Encoder{w: bufio.NewWriterSize(w, bufferSize)}
	var opts []expfmt.EncoderOption
	if created {
		opts = append(opts, expfmt.WithCreatedLines())
	}
	e.others = expfmt.NewEncoder(e.w, f, opts...)
	switch f.FormatType() {
	case expfmt.TypeProtoDelim:
		e.format = &protobuf{}
	case expfmt.TypeTextPlain:
		e.format = plainText{}
	case expfmt.TypeOpenMetrics:
		if v := f.Version(); v == expfmt.OpenMetricsVersion_1_0_0 || v == expfmt.OpenMetricsVersion_0_0_1 {
			e.format = &openMetrics{created: created}
		}
	}
	return e
}

// Family writes a family, nothing when it has no series.
func (e *Encoder) Family(f *Family) {
	for range f.Samples {
		if e.format != nil {
			e.format.family(e.w, f)
		} else if err := e.Message(f.Message()); e.err == nil {
			e.err = err
		}
		return
	}
}

// Message writes a family of another origin.
func (e *Encoder) Message(f *dto.MetricFamily) error { return e.others.Encode(f) }

// Close writes what the format has at its end, and all that is not written yet. It
// returns the first error of a family.
func (e *Encoder) Close() error {
	if c, ok := e.others.(expfmt.Closer); ok {
		if err := c.Close(); err != nil {
			return err
		}
	}
	if err := e.w.Flush(); err != nil {
		return err
	}
	return e.err
}
