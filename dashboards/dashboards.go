// Package dashboards makes Grafana dashboards of configurations, and holds those of
// the configurations that come with the exporter and one of a fleet, in Grafana's
// classic JSON (schema version 42: Grafana 10 and newer).
//
//go:generate go test -run TestShippedDashboards -update
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"ply-exporter/exporter"
)

// Of returns the dashboard of a configuration: a row with the state of its scripts,
// then one for each script. The same scripts give the same bytes.
func Of(title string, scripts []exporter.ScriptInfo) ([]byte, error) {
	p := newPage(title, "What ply-exporter exports with a configuration: a row with the state of its scripts, then one for each script.")
	p.choose(scriptVariable(scripts))
	p.state()
	for _, s := range scripts {
		p.script(s, len(scripts) > maxOpenRows)
	}
	return p.json()
}

// maxOpenRows is how many scripts have rows that are open at first: the panels of
// closed ones ask for nothing.
const maxOpenRows = 12

// A page is a dashboard under construction.
type page struct {
	*dashboard.DashboardBuilder
	lastID uint32
	filter string          // what selects the series of the chosen instances and scripts
	titles map[string]bool // of metrics
}

func newPage(title, description string) *page {
	p := &page{DashboardBuilder: dashboard.NewDashboardBuilder(title), filter: instances, titles: map[string]bool{}}
	p.Uid(uid(title)).Description(description).Tags([]string{tag}).Editable().Timezone("browser").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).Refresh("1m").Time("now-1h", "now")
	p.Link(dashboard.NewDashboardLinkBuilder(tag).Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{tag}).
		AsDropdown(true).IncludeVars(true).KeepTime(true))
	p.WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	p.WithVariable(labelVariable("job", "Job", "ply_exporter_build_info"))
	p.WithVariable(labelVariable("instance", "Instance", `ply_exporter_build_info{job=~"$job"}`))
	return p
}

// tag finds the other dashboards of the exporter.
const tag = "ply-exporter"

// json is the finished dashboard.
func (p *page) json() ([]byte, error) {
	d, err := p.Build()
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	return out.Bytes(), nil
}

// id numbers panels and rows.
func (p *page) id() uint32 {
	p.lastID++
	return p.lastID
}

// maxUID is how long Grafana lets the name of a dashboard be that URLs have.
const maxUID = 40

var notInUID = regexp.MustCompile(`[^a-z0-9]+`)

// uid is made of the title. One that is too long is cut, and ends in its checksum, so
// that two titles do not become one dashboard.
func uid(title string) string {
	text := strings.Trim(notInUID.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(text) <= maxUID && text != "" {
		return text
	}
	sum := fmt.Sprintf("-%08x", crc32.ChecksumIEEE([]byte(title)))
	return text[:min(len(text), maxUID-len(sum))] + sum
}

// source is the data source that the reader of the dashboard chooses.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

// all is the choice of everything.
var all = dashboard.VariableOption{
	Selected: cog.ToPtr(true),
	Text:     dashboard.StringOrArrayOfString{String: cog.ToPtr("All")},
	Value:    dashboard.StringOrArrayOfString{String: cog.ToPtr("$__all")},
}

// labelVariable offers the values that a label of a metric has.
func labelVariable(label, name, metric string) *dashboard.QueryVariableBuilder {
	query := fmt.Sprintf("label_values(%s, %s)", metric, label)
	return dashboard.NewQueryVariableBuilder(label).Label(name).Datasource(source).
		Query(dashboard.StringOrMap{String: &query}).Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".*").Current(all)
}

// scriptVariable offers the scripts of a configuration, those of the instances if
// there are none.
func scriptVariable(scripts []exporter.ScriptInfo) cog.Builder[dashboard.VariableModel] {
	if len(scripts) == 0 {
		return labelVariable("script", "Script", "ply_script_up{"+instances+"}")
	}
	names := make([]string, len(scripts))
	for i, s := range scripts {
		names[i] = s.Name
	}
	list := strings.Join(names, ",")
	return dashboard.NewCustomVariableBuilder("script").Label("Script").Values(dashboard.StringOrMap{String: &list}).
		Multi(true).IncludeAll(true).AllValue(strings.Join(names, "|")).Current(all)
}

// choose adds a variable that chooses scripts.
func (p *page) choose(v cog.Builder[dashboard.VariableModel]) {
	p.WithVariable(v)
	p.filter = instances + `, script=~"$script"`
}
