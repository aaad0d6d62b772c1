package exporter

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/version"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// What a map shows on the page at most.
const (
	pageRows       = 12
	pageTableRows  = 4 // of a table that is not exported
	pageHistograms = 6
)

// The views are what the page's template reads.
type (
	pageView struct {
		Version, Uptime, Metrics string
		ReadAt                   int64 // when the maps were read: milliseconds since the start
		Up, Failed               int
		Scripts                  []scriptView
		Config                   string      // what identifies the configuration that runs
		Reload                   *reloadView // nil unless the last one failed
	}

	reloadView struct{ Ago, Error string }

	scriptView struct {
		Name, Help, File, Error string
		State                   string // up, failed, unreadable or over, which is over its budget
		Spending                string
		Source                  []lineView
		Warnings, Notes         []string
		Probes                  []probeView
		Maps                    []mapView
	}

	lineView struct {
		Number int
		Text   string
	}

	probeView struct {
		Probe
		Error string
	}

	mapView struct {
		Name, Metric, Type, Help string
		Unit                     string
		Exported, Keyed          bool
		Entries, Max             string
		Memory, Dropped          string
		Filtered                 string // keys
		Fill                     int    // percent
		Keys                     []string
		Rows                     []rowView
		Histograms               []histogramView
		More                     int // rows or histograms not shown
	}

	rowView struct {
		ID      string // the same for the same key at every reading
		Keys    []string
		Value   string
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

// pageAge is how old what the page shows may be.
const pageAge = 2 * time.Second

// A page is the status page as it was made last. All who ask within pageAge
// get the same one, so that however many they are, scrapes are not slower.
type page struct {
	lock sync.Mutex
	html []byte
	at   time.Time // when the maps were read
}

// get returns the page, made anew when it is too old.
func (p *page) get(in *instance) ([]byte, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.html != nil && time.Since(p.at) < pageAge {
		return p.html, nil
	}
	var b bytes.Buffer
	view, at := in.view()
	if err := pageTemplate.Execute(&b, view); err != nil {
		return nil, err
	}
	p.html, p.at = b.Bytes(), at
	return p.html, nil
}

// forget has the next visit get a page that is made anew.
func (p *page) forget() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.html = nil
}

// servePage shows every script with its state and its maps.
func (in *instance) servePage(w http.ResponseWriter, _ *http.Request) {
	html, err := in.page.get(in)
	if err != nil {
		in.opt.Log.Error("status page", "err", err)
		http.Error(w, "the page could not be made; see the log", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(html)
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
		Version: version.Version,
		Uptime:  time.Since(in.started).Round(time.Second).String(),
		Metrics: in.opt.TelemetryPath,
		ReadAt:  at.Sub(in.started).Milliseconds(),
	}
	last := in.reloads.last()
	if v.Config = last.hash; last.failed != nil {
		v.Reload = &reloadView{time.Since(last.when).Round(time.Second).String(), plylang.Detail(last.failed)}
	}
	for _, s := range c.scripts {
		view := s.view(scraped, in.budget(s.conf))
		if view.State == "up" {
			v.Up++
		} else {
			v.Failed++
		}
		v.Scripts = append(v.Scripts, view)
	}
	return v, at
}

func (s *script) view(scraped bool, budget config.Share) scriptView {
	v := scriptView{Name: s.conf.Name, Help: s.conf.Help, File: s.conf.Source.Name(), State: "up", Source: sourceLines(s.conf.Source)}
	for _, w := range s.warnings {
		v.Warnings = append(v.Warnings, w.Error())
	}
	for _, n := range s.notes {
		v.Notes = append(v.Notes, n.Error())
	}
	r := s.running
	if r == nil {
		v.State, v.Error = "failed", plylang.Detail(s.err)
		return v
	}
	for _, p := range r.tracer.Probes() {
		view := probeView{Probe: p}
		if p.Err != nil {
			view.Error = plylang.Detail(p.Err)
		}
		v.Probes = append(v.Probes, view)
	}
	readings, err := r.last, r.readErr
	if !scraped {
		readings, err = r.peek()
	}
	if err != nil {
		v.State, v.Error = "unreadable", err.Error()
		return v
	}
	for _, reading := range readings {
		v.Maps = append(v.Maps, reading.view())
	}
	if v.Spending = r.spendingText(); r.spent.over {
		v.State, v.Error = "over", r.overBudget(budget)
	}
	sort.SliceStable(v.Maps, func(i, j int) bool { return v.Maps[i].Exported && !v.Maps[j].Exported })
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
		Name: t.mp.Name, Metric: t.m.name, Type: typeName(t.m.typ), Help: t.m.help, Unit: t.m.unit, Exported: t.m.exported, Keyed: t.mp.KeySize > 0,
		Entries: groupDigits(uint64(r.entries)), Max: groupDigits(uint64(limit)), Fill: min(100, r.entries*100/limit),
		Memory: bytesText(float64(r.memory)),
	}
	if r.dropped > 0 {
		v.Dropped = groupDigits(r.dropped)
	}
	if r.filtered > 0 {
		v.Filtered = groupDigits(uint64(r.filtered))
	}
	for _, l := range t.m.labels {
		v.Keys = append(v.Keys, l.name)
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
	if !v.Exported {
		limit = pageTableRows
	}
	list := t.largest(limit, t.size)
	v.More = t.shown - len(list)
	for _, n := range list {
		row := rowView{ID: v.Name + "\x1f" + string(t.labels(n)), Keys: t.valuesOf(n), Value: t.valueText(n), Raw: t.size(n), Counter: t.m.isCounter()}
		if top := t.size(list[0]); top > 0 && row.Raw > 0 && v.Exported && len(list) > 1 {
			row.Share = 100 * row.Raw / top
		}
		v.Rows = append(v.Rows, row)
	}
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
		return decode.ForLabel.Escape(t.text(r.Raw))
	}
	return unitText(t.size(n), t.m.unit)
}

func (t *mapSeries) viewHistograms(v *mapView) {
	list := t.largest(pageHistograms, func(n uint32) float64 { return float64(t.read(n).Count) })
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
	t.fill(counts, r)
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
