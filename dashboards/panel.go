package dashboards

import (
	"fmt"
	"strings"
)

// A panel is one that has no place yet.
type panel struct {
	kind               panelKind
	title, description string
	unit               string
	targets            []target
	width, height      int // 0 is the usual one
}

type panelKind int

const (
	lines panelKind = iota
	heat
	number // green at 0, red above
	states // of scripts: 0 is down, 1 is up, 2 is waiting
	values // numbers that are neither good nor bad
)

// A target is a query with the text of the legend, in which {{label}} stands for the
// value of a label.
type target struct {
	query  query
	legend string
}

// Grafana's grid has 24 columns.
const (
	gridWidth    = 24
	panelWidth   = gridWidth / 2
	panelHeight  = 8
	numberWidth  = gridWidth / 6
	numberHeight = 4
	maxStates    = 40
	maxSeries    = 10
)

// build makes the panel that Grafana reads.
func (p *page) build(x panel) panelJSON {
	out := panelJSON{
		ID: p.id(), Title: plain(x.title), Description: markdown(x.description), DataSource: source,
		Place: p.grid.panel(x.width, x.height), RepeatDirection: "h", Fields: fields{Overrides: []struct{}{}},
	}
	format, f := "time_series", &out.Fields.Defaults
	switch x.kind {
	case lines:
		out.Type, out.Options, f.Unit, f.Custom = "timeseries", lineOptions, &x.unit, lineStyle
	case heat:
		out.Type, out.Options = "heatmap", heatOptions(x.unit)
		format = "heatmap"
	case states:
		out.Type, out.Options = "stat", statOptions("background", "value_and_name", "none")
		f.Mappings, f.Thresholds = []mapping{stateNames}, steps("red", 1, "green")
	case number:
		out.Type, out.Options = "stat", statOptions("background", "value", "none")
		f.Unit, f.Thresholds = &x.unit, steps("green", 1, "red")
	case values:
		out.Type, out.Options = "stat", statOptions("value", "value", "area")
		f.Unit, f.Thresholds = &x.unit, steps("text", 0, "text")
	default:
		panic(fmt.Sprintf("unexpected kind of panel %d", x.kind))
	}
	for i, t := range x.targets {
		out.Targets = append(out.Targets, t.build(i, format))
	}
	return out
}

// stateNames is what the states are called.
var stateNames = mapping{Type: "value", Options: map[string]mapped{
	"0": {"down", "red"},
	"1": {"up", "green"},
	"2": {"waiting", "yellow"},
}}

// steps colors numbers: below a limit, and from it on.
func steps(below string, limit float64, from string) *thresholds {
	return &thresholds{Mode: "absolute", Steps: []threshold{{Color: below}, {Value: &limit, Color: from}}}
}

// build makes the target at a place. Its data source is told again: without, it would
// not be checked as a query of Prometheus.
func (t target) build(i int, format string) targetJSON {
	return targetJSON{
		DataSource: source, Expr: t.query.String(), Format: format, Legend: t.legend, Range: true, RefID: string(rune('A' + i)),
	}
}

// row adds a row of panels. Two stand beside each other, the last alone if they are
// odd; a closed row has its panels inside.
func (p *page) row(title string, closed bool, panels ...panel) {
	row := rowJSON{Type: "row", Collapsed: closed, Title: plain(title), Place: p.grid.row(), ID: p.id(), Panels: []panelJSON{}}
	arrange(panels)
	var open []any
	for _, x := range panels {
		if built := p.build(x); closed {
			row.Panels = append(row.Panels, built)
		} else {
			open = append(open, built)
		}
	}
	p.Panels = append(append(p.Panels, row), open...)
}

// arrange gives each panel that has none a width and a height.
func arrange(panels []panel) {
	left := 0
	for i := range panels {
		x := &panels[i]
		if x.width != 0 {
			continue
		}
		x.width, x.height = panelWidth, panelHeight
		if left++; i == len(panels)-1 && left%2 == 1 {
			x.width = gridWidth
		}
	}
}

// plain is text in which Grafana replaces no variable.
func plain(text string) string { return variableMarks.Replace(text) }

// variableMarks begin what Grafana takes for a variable; the character behind the mark
// has no width.
var variableMarks = strings.NewReplacer("$", "$\u2060", "[[", "[\u2060[")

// markdown is text that a description shows as it is.
func markdown(text string) string { return plain(markdownMarks.Replace(text)) }

var markdownMarks = strings.NewReplacer(`\`, `\\`, "*", `\*`, "<", "&lt;", "`", "\\`", "~", `\~`)
