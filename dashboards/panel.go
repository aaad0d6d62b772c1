package dashboards

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// A panel is one that has no place yet.
type panel struct {
	kind               panelKind
	title, description string
	unit               string
	targets            []target
	width, height      uint32 // 0 is the usual one
}

type panelKind int

const (
	lines panelKind = iota
	heat
	number // green at 0, red above
	states // of scripts: 1 is up, 0 is down
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

// builder is what all panels' builders are.
type builder = cog.Builder[dashboard.Panel]

// build makes the panel that Grafana reads.
func (p *page) build(x panel) builder {
	b := dashboard.NewPanelBuilder().Id(p.id()).Title(plain(x.title)).Description(markdown(x.description)).Datasource(source).
		Span(x.width).Height(x.height)
	format := prometheus.PromQueryFormatTimeSeries
	switch x.kind {
	case lines:
		b.Type("timeseries").Unit(x.unit).Options(lineOptions).Custom(lineStyle)
	case heat:
		format = prometheus.PromQueryFormatHeatmap
		b.Type("heatmap").Options(heatOptions(x.unit)).FieldConfig(*dashboard.NewFieldConfigSource())
	case states:
		b.Type("stat").Options(statOptions("background", "value_and_name", "none")).
			Mappings([]dashboard.ValueMapping{upOrDown}).Thresholds(steps("red", 1, "green"))
	case number:
		b.Type("stat").Unit(x.unit).Options(statOptions("background", "value", "none")).Thresholds(steps("green", 1, "red"))
	case values:
		b.Type("stat").Unit(x.unit).Options(statOptions("value", "value", "area")).Thresholds(steps("text", 0, "text"))
	default:
		panic(fmt.Sprintf("unexpected kind of panel %d", x.kind))
	}
	for i, t := range x.targets {
		b.WithTarget(t.build(i, format))
	}
	return b
}

// upOrDown is what the states 0 and 1 are called.
var upOrDown = dashboard.ValueMapping{ValueMap: &dashboard.ValueMap{
	Type: dashboard.MappingTypeValueToText,
	Options: map[string]dashboard.ValueMappingResult{
		"0": {Text: cog.ToPtr("down"), Color: cog.ToPtr("red")},
		"1": {Text: cog.ToPtr("up"), Color: cog.ToPtr("green")},
	},
}}

// steps colors numbers: below a limit, and from it on.
func steps(below string, limit float64, from string) cog.Builder[dashboard.ThresholdsConfig] {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps([]dashboard.Threshold{{Color: below}, {Value: &limit, Color: from}})
}

// build makes the target at a place. Its data source is told again: without, it would
// not be checked as a query of Prometheus.
func (t target) build(i int, format prometheus.PromQueryFormat) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Datasource(source).
		Expr(t.query.String()).LegendFormat(t.legend).Format(format).Range()
}

// row adds a row of panels. Two stand beside each other, the last alone if they are
// odd; a closed row has its panels inside.
func (p *page) row(title string, closed bool, panels ...panel) {
	b := dashboard.NewRowBuilder(plain(title)).Id(p.id()).Collapsed(closed)
	arrange(panels)
	built := make([]builder, len(panels))
	for i, x := range panels {
		built[i] = p.build(x)
		if closed {
			b.WithPanel(built[i])
		}
	}
	p.WithRow(b)
	if closed {
		return
	}
	for _, x := range built {
		p.WithPanel(x)
	}
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
