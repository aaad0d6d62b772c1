package exporter

import (
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"

	"ply-exporter/exporter/encode"
)

// A metricsHandler answers scrapes, as promhttp does, whose negotiation it
// follows; but it has the maps' series encoded where they are.
type metricsHandler struct {
	collector *collector
	created   bool // OpenMetrics has _created samples
	log       *limitedLog
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	header := w.Header()
	header["Vary"] = []string{"Accept", "Accept-Encoding"}
	header.Set("Content-Type", string(format))
	out := io.Writer(w)
	if wantsGzip(r.Header) {
		header.Set("Content-Encoding", "gzip")
		zip := zippers.Get().(*gzip.Writer)
		zip.Reset(w)
		defer func() {
			zip.Reset(nil) // it would keep the answer
			zippers.Put(zip)
		}()
		out = zip
	}
	if err := h.write(out, format, askedAt(r), r.URL.Query()["name[]"]); err != nil {
		h.log.Println("metrics are incomplete:", err)
	}
}

// zippers are used again: each has most of a megabyte. Metrics repeat themselves so much
// that the fastest compression makes them an eighth larger than the default one, in a third
// of its time.
var zippers = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for unknown levels only
	return zip
}}

// write writes the metrics of those names, all if there are none, for a scrape
// that was requested at a time. A compressor w is closed, too: all must be written
// when the collector notes that the scrape is done, see starts.go.
func (h *metricsHandler) write(w io.Writer, format expfmt.Format, asked time.Time, names []string) error {
	e := encode.New(w, format, h.created)
	var errs []error
	err := h.collector.scrape(asked, func(families []gathered) {
		for _, f := range families {
			switch {
			case len(names) > 0 && !slices.Contains(names, f.name):
			case f.script != nil:
				e.Family(f.script)
			default:
				errs = append(errs, e.Message(f.message))
			}
		}
		errs = append(errs, e.Close())
		if zip, ok := w.(*gzip.Writer); ok {
			errs = append(errs, zip.Close())
		}
	})
	return errors.Join(append(errs, err)...)
}

// wantsGzip says whether a client prefers gzip to no encoding.
func wantsGzip(h http.Header) bool {
	gzip, identity := -1.0, -1.0
	for coding := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, params, err := mime.ParseMediaType(coding)
		if err != nil {
			continue
		}
		quality, err := strconv.ParseFloat(cmp.Or(params["q"], "1"), 64)
		if err != nil {
			continue
		}
		if name == "gzip" || name == "*" {
			gzip = max(gzip, quality)
		}
		if name == "identity" || name == "*" {
			identity = max(identity, quality)
		}
	}
	return gzip > identity && gzip > 0
}
