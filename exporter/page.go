package exporter

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"sort"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/version"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
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
		Up, Failed               int
		Scripts                  []scriptView
	}

	scriptView struct {
		Name, Help, File, Error string
		State                   string // up, failed or unreadable
		Source                  []lineView
		Warnings                []string
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
		Fill                     int // percent
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

// servePage shows every script with its state and its maps as they are now.
func (in *instance) servePage(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, in.view()); err != nil {
		in.opt.Log.Error("status page", "err", err)
		http.Error(w, "the page could not be made; see the log", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(b.Bytes())
}

func (in *instance) view() *pageView {
	c := in.collector
	c.lock.Lock()
	defer c.lock.Unlock()
	v := &pageView{
		Version: version.Version,
		Uptime:  time.Since(in.started).Round(time.Second).String(),
		Metrics: in.opt.TelemetryPath,
	}
	for _, u := range c.units {
		s := u.view()
		if s.State == "up" {
			v.Up++
		} else {
			v.Failed++
		}
		v.Scripts = append(v.Scripts, s)
	}
	return v
}

func (u *unit) view() scriptView {
	v := scriptView{Name: u.conf.Name, Help: u.conf.Help, File: u.conf.Source.Name(), State: "up", Source: sourceLines(u.conf.Source)}
	for _, w := range u.warnings() {
		v.Warnings = append(v.Warnings, w.Error())
	}
	if !u.running() {
		v.State, v.Error = "failed", plylang.Detail(u.err)
		return v
	}
	for _, p := range u.tracer.Probes() {
		view := probeView{Probe: p}
		if p.Err != nil {
			view.Error = plylang.Detail(p.Err)
		}
		v.Probes = append(v.Probes, view)
	}
	rows, err := u.readMaps()
	if err != nil {
		v.State, v.Error = "unreadable", err.Error()
		return v
	}
	for i, t := range u.tables {
		t.update(rows[i])
		v.Maps = append(v.Maps, u.mapView(t, len(rows[i])))
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

func (u *unit) mapView(t *table, entries int) mapView {
	limit := max(1, t.mp.Room)
	v := mapView{
		Name: t.mp.Name, Metric: t.m.name, Type: typeName(t.m.typ), Help: t.m.help, Unit: t.m.unit, Exported: t.m.exported, Keyed: t.mp.KeySize > 0,
		Entries: groupDigits(uint64(entries)), Max: groupDigits(uint64(limit)), Fill: min(100, entries*100/limit),
		Memory: bytesText(float64(u.tracer.MapMemory(t.mp))),
	}
	if n := u.tracer.Dropped(t.mp); n > 0 {
		v.Dropped = groupDigits(n)
	}
	for _, l := range t.m.labels {
		v.Keys = append(v.Keys, l.name)
	}
	list := t.current()
	if t.m.typ == dto.MetricType_HISTOGRAM {
		t.viewHistograms(&v, list)
	} else {
		t.viewRows(&v, list)
	}
	return v
}

func (t *table) viewRows(v *mapView, list []*series) {
	sort.SliceStable(list, func(i, j int) bool { return t.size(list[i]) > t.size(list[j]) })
	limit := pageRows
	if !v.Exported {
		limit = pageTableRows
	}
	v.More = max(0, len(list)-limit)
	for _, s := range list[:min(len(list), limit)] {
		row := rowView{ID: v.Name + "\x1f" + s.text, Keys: s.values(), Value: t.valueText(s), Raw: t.size(s), Counter: t.m.isCounter()}
		if top := t.size(list[0]); top > 0 && row.Raw > 0 && v.Exported && len(list) > 1 {
			row.Share = 100 * row.Raw / top
		}
		v.Rows = append(v.Rows, row)
	}
}

// size is the number by which rows are ordered; 0 for what is no number.
func (t *table) size(s *series) float64 {
	r := t.read(s)
	if r.Shape == object.ShapeMean {
		return t.number(r.Number) / float64(max(1, r.Count))
	}
	return t.value(r)
}

func (t *table) valueText(s *series) string {
	if r := t.read(s); r.Shape == object.ShapeRaw && !t.m.exported {
		return validLabel(t.text(r.Raw))
	}
	return unitText(t.size(s), t.m.unit)
}

func (t *table) viewHistograms(v *mapView, list []*series) {
	sort.SliceStable(list, func(i, j int) bool { return t.read(list[i]).Count > t.read(list[j]).Count })
	v.More = max(0, len(list)-pageHistograms)
	for _, s := range list[:min(len(list), pageHistograms)] {
		v.Histograms = append(v.Histograms, t.histogramView(s))
	}
}

// histogramView draws the buckets from the first to the last that is not
// empty, with one empty one on either side.
func (t *table) histogramView(s *series) histogramView {
	r := t.read(s)
	counts := make([]uint64, len(t.m.bounds.les)+1)
	t.fill(counts, r)
	first, last, top := len(counts), -1, uint64(1)
	for i, n := range counts {
		if n > 0 {
			first, last, top = min(first, i), i, max(top, n)
		}
	}
	n, sum := r.Count, t.number(r.Number)
	v := histogramView{Keys: s.values(), Count: groupDigits(n), Sum: unitText(sum, t.m.unit)}
	if last < 0 {
		return v
	}
	v.Mean = unitText(sum/float64(n), t.m.unit)
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
func (t *table) edgeText(i int) string {
	if i >= len(t.m.bounds.les) {
		return "+Inf"
	}
	return unitText(t.m.bounds.les[i], t.m.unit)
}

func (t *table) rangeText(i int) string {
	switch les := t.m.bounds.les; {
	case i == 0:
		return "up to " + t.edgeText(0)
	case i == len(les):
		return "above " + t.edgeText(i-1)
	}
	return "above " + t.edgeText(i-1) + " to " + t.edgeText(i)
}
