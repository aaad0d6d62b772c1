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
	document
	grid   grid
	lastID int
	filter string          // what selects the series of the chosen instances and scripts
	titles map[string]bool // of metrics
}

func newPage(title, description string) *page {
	return &page{filter: instances, titles: map[string]bool{}, document: document{
		UID: uid(title), Title: title, Description: description, Tags: []string{tag}, Timezone: "browser", Editable: true,
		Tooltip: sharedCrosshair, Time: span{"now-1h", "now"}, Refresh: "1m", Schema: 42,
		Links: []link{{Title: tag, Type: "dashboards", Tags: []string{tag}, AsDropdown: true, Placement: "inControlsMenu", IncludeVars: true, KeepTime: true}},
		Templating: templating{[]variable{
			newVariable("datasource", "datasource", "Data source", "prometheus"),
			labelVariable("job", "Job", "ply_exporter_build_info", whatThereIs),
			labelVariable("instance", "Instance", `ply_exporter_build_info{job=~"$job"}`, anyValue),
		}},
	}}
}

// tag finds the other dashboards of the exporter.
const tag = "ply-exporter"

// json is the finished dashboard.
func (p *page) json() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p.document); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	return out.Bytes(), nil
}

// id numbers panels and rows.
func (p *page) id() int {
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
var source = &dataSource{Type: "prometheus", UID: "${datasource}"}

// What all values are together.
const (
	anyValue    = ".*"
	whatThereIs = "" // what is offered: other programs have jobs, too, with metrics such as up
)

// ofAll lets the reader choose several values, at first all.
func (v variable) ofAll(value string) variable {
	v.Multi, v.IncludeAll, v.AllValue = true, true, value
	v.Current = &choice{Selected: true, Text: "All", Value: "$__all"}
	return v
}

// labelVariable offers the values that a label of a metric has.
func labelVariable(label, name, metric, all string) variable {
	query := fmt.Sprintf("label_values(%s, %s)", metric, label)
	v := newVariable("query", label, name, query).ofAll(all)
	v.DataSource, v.Definition, v.Refresh, v.Sort = source, query, whenTimeChanges, alphabetically
	return v
}

// scriptVariable offers the scripts of a configuration, those of the instances if
// there are none.
func scriptVariable(scripts []exporter.ScriptInfo) variable {
	if len(scripts) == 0 {
		return labelVariable("script", "Script", "ply_script_up{"+instances+"}", anyValue)
	}
	names := make([]string, len(scripts))
	for i, s := range scripts {
		names[i] = s.Name
	}
	return newVariable("custom", "script", "Script", strings.Join(names, ",")).ofAll(strings.Join(names, "|"))
}

// choose adds a variable that chooses scripts.
func (p *page) choose(v variable) {
	p.Templating.List = append(p.Templating.List, v)
	p.filter = instances + `, script=~"$script"`
}
