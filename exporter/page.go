package exporter

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// What a map shows on the page at most.
const (
	pageRows       = 12
	pageTableRows  = 4 // of a table that is not exported
	pageHistograms = 6
)

// The views are what the page shows; pagehtml.go draws them.
type (
	pageView struct {
		instanceStatus
		Uptime, Metrics string
		ReadAt          int64 // when the maps were read: milliseconds since the start
		Up              int
		Failed          []scriptView // first in Scripts, too
		Waiting         []scriptView // behind these
		Scripts         []scriptView
	}

	scriptView struct {
		scriptStatus
		Source          []lineView
		Warnings, Notes []string
		Maps            []mapView
	}

	lineView struct {
		Number int
		Text   string
	}

	mapView struct {
		mapStatus
		Help       string
		Since      time.Time // when it began to count
		Share      bool      // whether rows show their share of the time since then
		Keyed      bool
		Fill       int    // percent
		Expires    string // after how long keys go that are not updated; "" for never
		Keys       []string
		Rows       []rowView
		Histograms []histogramView
		More       int // rows or histograms not shown
	}

	rowView struct {
		ID      string // the same for the same key at every reading
		Keys    []string
		Value   string
		Total   string // of what shows a share of time; else ""
		Raw     float64
		Share   float64 // of the largest, percent
		Counter bool
	}

	histogramView struct {
		Keys              []string
		Count, Sum, Mean  string
		Bars              []barView
		First, Mid, Final string // what the axis says
	}

	barView struct {
		Title  string
		Height float64 // percent
	}
)

// servePage shows every script with its state and its maps.
func (in *instance) servePage(w http.ResponseWriter, _ *http.Request) {
	page, err := in.page.get(func() ([]byte, time.Time, error) {
		var b bytes.Buffer
		view, at := in.view()
		view.failedFirst()
		err := view.writeHTML(&b)
		return b.Bytes(), at, err
	})
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	in.serveShared(w, page, err, "text/html; charset=utf-8")
}

// view returns what the page shows, and when the maps were read: by the last
// scrape, or now, if that is too long ago. The page's own reading does not
// count as a scrape.
func (in *instance) view() (*pageView, time.Time) {
	c := in.collector
	c.lock.Lock()
	defer c.lock.Unlock()
	at := c.readAt
	scraped := time.Since(at) < pageAge
	if !scraped {
		at = time.Now()
	}
	v := &pageView{
		instanceStatus: in.newStatus(at),
		Uptime:         time.Since(in.started).Round(time.Second).String(),
		Metrics:        in.opt.TelemetryPath,
		ReadAt:         at.Sub(in.started).Milliseconds(),
	}
	for _, s := range c.scripts {
		v.Scripts = append(v.Scripts, s.view(scraped, in.budget(s.conf)))
	}
	return v, at
}

// failedFirst puts what is not as it should be first.
func (v *pageView) failedFirst() {
	order := func(s scriptView) int { return max(0, slices.Index([]string{"waiting", "up"}, s.State)+1) }
	sort.SliceStable(v.Scripts, func(i, j int) bool { return order(v.Scripts[i]) < order(v.Scripts[j]) })
	var n [3]int
	for _, s := range v.Scripts {
		n[order(s)]++
	}
	v.Failed, v.Waiting, v.Up = v.Scripts[:n[0]], v.Scripts[n[0]:n[0]+n[1]], n[2]
}

// missedEvents is 0 where the kernel does not count them, too.
func (p probeStatus) missedEvents() uint64 {
	if p.Missed == nil {
		return 0
	}
	return *p.Missed
}

// exported returns the maps that are metrics, and the others.
func (v scriptView) exported() (metrics, tables []mapView) {
	for _, m := range v.Maps {
		if m.Metric == "" {
			tables = append(tables, m)
		} else {
			metrics = append(metrics, m)
		}
	}
	return metrics, tables
}

// layout changes when other scripts run, or their order on the page changes.
func (v *pageView) layout() string {
	layout := v.Config.Hash
	for _, s := range v.Failed {
		layout += " " + s.Name
	}
	return layout
}

// scrapeText tells of the last scrape.
func (v *pageView) scrapeText() string {
	if v.Scrape == nil {
		return "not scraped yet"
	}
	ago := max(0, v.Read.Sub(v.Scrape.Time)).Round(time.Second)
	return fmt.Sprintf("scraped %s before, in %s", ago, secondsText(v.Scrape.Seconds))
}

// failedReload is the last reload, if it failed.
func (v *pageView) failedReload() *reloadStatus {
	if r := v.Reload; r != nil && !r.OK {
		return r
	}
	return nil
}

// status is the view without what only people want.
func (v *pageView) status() instanceStatus {
	s := v.instanceStatus
	s.Scripts = []scriptStatus{}
	for _, script := range v.Scripts {
		for _, m := range script.Maps {
			script.scriptStatus.Maps = append(script.scriptStatus.Maps, m.mapStatus)
		}
		s.Scripts = append(s.Scripts, script.scriptStatus)
	}
	return s
}

func (s *script) view(scraped bool, budget config.Share) scriptView {
	v := scriptView{scriptStatus: s.status(float64(budget)), Source: sourceLines(s.conf.Source)}
	for _, w := range s.warnings {
		v.Warnings = append(v.Warnings, w.Error())
	}
	for _, n := range s.notes {
		v.Notes = append(v.Notes, n.Error())
	}
	r := s.running
	if r == nil {
		return v
	}
	readings, err := r.last, r.readErr
	if !scraped || slices.ContainsFunc(r.metrics, func(m *metric) bool { return m.top > 0 }) {
		readings, err = r.peek()
	}
	if err != nil {
		v.State, v.Error = "unreadable", err.Error()
		return v
	}
	for _, reading := range readings {
		if !reading.series.mp.ProgramsOnly() {
			v.Maps = append(v.Maps, reading.view())
		}
	}
	if r.spent.over {
		v.State, v.Error = "over", r.overBudget(budget)
	}
	return v
}

func sourceLines(src *plylang.Source) []lineView {
	var lines []lineView
	for i, text := range strings.Split(strings.TrimRight(src.Text, "\n"), "\n") {
		lines = append(lines, lineView{max(src.Line, 1) + i, text})
	}
	return lines
}

func (r mapReading) view() mapView {
	t := r.series
	limit := t.mp.MaxEntries
	v := mapView{
		mapStatus: r.status(), Help: t.m.help, Keyed: t.mp.KeySize > 0, Fill: min(100, r.entries*100/limit),
		Since: r.since.UTC(), Share: t.m.isCounter() && t.m.unit == "seconds",
	}
	for _, l := range t.m.labels {
		v.Keys = append(v.Keys, l.name)
	}
	if t.mp.Expiry != nil {
		v.Expires = model.Duration(t.mp.Expiry.After).String()
	}
	if t.m.typ == dto.MetricType_HISTOGRAM {
		t.viewHistograms(&v)
	} else {
		t.viewRows(&v)
	}
	return v
}

func (t *mapSeries) viewRows(v *mapView) {
	limit := pageRows
	if v.Metric == "" {
		limit = pageTableRows
	}
	list := t.largest(limit, t.size)
	v.More = t.shown - len(list)
	for _, n := range list {
		row := rowView{ID: t.m.script.Name + "\x1f" + v.Name + "\x1f" + string(t.labels(n)), Keys: t.valuesOf(n), Value: t.valueText(n), Raw: t.size(n), Counter: t.m.isCounter()}
		if v.Share {
			row.Value, row.Total = shareText(row.Raw, t.readAt.Sub(v.Since)), row.Value
		}
		if top := t.size(list[0]); top > 0 && row.Raw > 0 && v.Metric != "" && len(list) > 1 {
			row.Share = 100 * row.Raw / top
		}
		v.Rows = append(v.Rows, row)
	}
}

// shareText is how much of some time a number of seconds is. Those of several tasks or
// CPUs are more than all of it.
func shareText(seconds float64, of time.Duration) string {
	if of <= 0 {
		return "–"
	}
	return short(100*seconds/of.Seconds()) + "%"
}

// size is the number by which rows are ordered; 0 for what is no number.
func (t *mapSeries) size(n uint32) float64 {
	r := t.read(n)
	if r.Shape == object.ShapeMean {
		return t.number(r.Number) / float64(max(1, r.Count))
	}
	return t.scalar(r)
}

func (t *mapSeries) valueText(n uint32) string {
	if r := t.read(n); r.Shape == object.ShapeRaw && !t.m.exported {
		return decode.ForLabel.Escape(t.tracer.Text(r.Raw))
	}
	return unitText(t.size(n), t.m.unit)
}

func (t *mapSeries) viewHistograms(v *mapView) {
	list := t.largest(pageHistograms, func(n uint32) float64 { return float64(t.mp.Count(t.value(n))) })
	v.More = t.shown - len(list)
	for _, n := range list {
		v.Histograms = append(v.Histograms, t.histogramView(n))
	}
}

// histogramView draws the buckets from the first to the last that is not
// empty, with one empty one on either side.
func (t *mapSeries) histogramView(n uint32) histogramView {
	r := t.read(n)
	counts := make([]uint64, len(t.m.bounds.les)+1)
	t.fill(counts, t.mp.AppendCounts(nil, t.value(n)))
	first, last, top := len(counts), -1, uint64(1)
	for i, n := range counts {
		if n > 0 {
			first, last, top = min(first, i), i, max(top, n)
		}
	}
	sum := t.number(r.Number)
	v := histogramView{Keys: t.valuesOf(n), Count: groupDigits(r.Count), Sum: unitText(sum, t.m.unit)}
	if last < 0 {
		return v
	}
	v.Mean = unitText(sum/float64(r.Count), t.m.unit)
	first, last = max(0, first-1), min(len(counts)-1, last+1)
	for i := first; i <= last; i++ {
		v.Bars = append(v.Bars, barView{
			Title:  t.rangeText(i) + ": " + groupDigits(counts[i]),
			Height: 100 * float64(counts[i]) / float64(top),
		})
	}
	v.First, v.Final = t.edgeText(first), t.edgeText(last)
	if last-first > 4 {
		v.Mid = t.edgeText((first + last) / 2)
	}
	return v
}

// edgeText is the upper bound of bar i, as the axis shows it.
func (t *mapSeries) edgeText(i int) string {
	if i >= len(t.m.bounds.les) {
		return "+Inf"
	}
	return unitText(t.m.bounds.les[i], t.m.unit)
}

func (t *mapSeries) rangeText(i int) string {
	switch les := t.m.bounds.les; {
	case i == 0:
		return "up to " + t.edgeText(0)
	case i == len(les):
		return "above " + t.edgeText(i-1)
	}
	return "above " + t.edgeText(i-1) + " to " + t.edgeText(i)
}
