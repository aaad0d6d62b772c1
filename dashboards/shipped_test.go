package dashboards_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"ply-exporter/configs"
	"ply-exporter/dashboards"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/plylang"
)

var update = flag.Bool("update", false, "write the dashboards of the shipped configurations")

// kernelOfDashboards has all that the shipped configurations can trace.
const kernelOfDashboards = "7.3-amd64"

// shipped makes the dashboards that the folder holds, by file.
func shipped(t *testing.T) map[string][]byte {
	t.Helper()
	b := checked.Backend(t, kernelOfDashboards)
	all := map[string][]byte{}
	for _, file := range configs.Names() {
		text, err := configs.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(path.Base(file), ".yaml")
		all[name+".json"] = of(t, b, "ply-exporter "+name, file, string(checked.Programs(t, text)))
	}
	var err error
	if all["fleet.json"], err = dashboards.Fleet(); err != nil {
		t.Fatal(err)
	}
	return all
}

// of makes the dashboard of a configuration.
func of(t *testing.T, b exporter.Backend, title, file, text string) []byte {
	t.Helper()
	cfg, err := config.Parse(file, []byte(text))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	scripts, err := exporter.Describe(cfg, b)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	made, err := dashboards.Of(title, scripts)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// The dashboards in this folder are those that the command makes, and Grafana's own
// schema says nothing against them.
func TestShippedDashboards(t *testing.T) {
	made := shipped(t)
	for file, text := range made {
		if *update {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		written, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(written, text) {
			t.Errorf("%s is not what its configuration gives: run go generate ./dashboards (%v)", file, err)
		}
		check(t, file, text)
	}
	present, err := fs.Glob(os.DirFS("."), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range present {
		if made[file] == nil {
			t.Errorf("%s belongs to no configuration", file)
		}
	}
}

// registerSchemas makes options and queries read, too.
func registerSchemas() {
	r := cog.NewRuntime()
	r.RegisterPanelcfgVariant(heatmap.VariantConfig())
	r.RegisterPanelcfgVariant(stat.VariantConfig())
	r.RegisterPanelcfgVariant(timeseries.VariantConfig())
	r.RegisterDataqueryVariant(prometheus.VariantConfig())
}

// check reads a dashboard with Grafana's schema, and says what else Grafana would
// not draw.
func check(t *testing.T, name string, text []byte) {
	t.Helper()
	d := decode(t, name, text)
	if n := len(*d.Uid); n < 1 || n > 40 {
		t.Errorf("%s: the uid %q has %d characters", name, *d.Uid, n)
	}
	for _, v := range d.Templating.List {
		if v.Name == "job" && v.AllValue != nil {
			t.Errorf("%s: all jobs are %q, also those of other programs, which have metrics such as up, too", name, *v.AllValue)
		}
	}
	ids := map[uint32]bool{}
	for _, p := range panelsOf(d) {
		if ids[*p.Id] {
			t.Errorf("%s: two panels have the id %d", name, *p.Id)
		}
		ids[*p.Id] = true
		checkPanel(t, name, p)
	}
}

// decode reads a dashboard. Strictly read, a good one gives an empty list of errors,
// and has no panels, so it is read twice.
func decode(t *testing.T, name string, text []byte) dashboard.Dashboard {
	t.Helper()
	if err := strictly(text); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var d dashboard.Dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := d.Validate(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

func strictly(text []byte) error {
	var strict dashboard.Dashboard
	var errs cog.BuildErrors
	if err := strict.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &errs) || len(errs) > 0) {
		return err
	}
	return nil
}

// TestSchema: the schema finds misspelt keys wherever they are.
func TestSchema(t *testing.T) {
	text, err := dashboards.Fleet()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schemaVersion", "collapsed", "legendFormat", "gridPos", "fillOpacity", "displayMode", "graphMode", "includeAll"} {
		wrong := strings.ReplaceAll(string(text), `"`+key+`"`, `"`+key+`s"`)
		if strictly([]byte(wrong)) == nil {
			t.Errorf("nothing is wrong with the key %ss", key)
		}
	}
}

// panelsOf are all panels of a dashboard, those of closed rows, too.
func panelsOf(d dashboard.Dashboard) []dashboard.Panel {
	var all []dashboard.Panel
	for _, x := range d.Panels {
		if x.Panel != nil {
			all = append(all, *x.Panel)
		} else {
			all = append(all, x.RowPanel.Panels...)
		}
	}
	return all
}

// What the schema lets pass, because Grafana has panels and words of others, too.
var (
	types       = []string{"heatmap", "stat", "timeseries"}
	units       = []string{"", "s", "bytes", "binBps", "cps", "short", "percentunit"}
	optionWords = regexp.MustCompile(`"(displayMode|placement|mode|sort|colorMode|textMode|graphMode|scale|selectionMode|showValue|showPoints|axisPlacement|format)": "([^"]*)"`)
	words       = []string{
		"table", "bottom", "multi", "single", "desc", "background", "value", "value_and_name", "none", "area", "scheme", "absolute",
		"exponential", "x", "never", "left", "heatmap", "time_series", "inControlsMenu",
	}
	gone     = regexp.MustCompile(`} @ end\(\)`)
	bound    = regexp.MustCompile(`\ble\s*(=|!)`)
	variable = regexp.MustCompile(`\$\{?(\w+)`)
	known    = []string{"job", "instance", "script", "__rate_interval", "__range"}
)

func checkPanel(t *testing.T, name string, p dashboard.Panel) {
	t.Helper()
	at := name + ": " + *p.Title
	if !slices.Contains(types, p.Type) {
		t.Errorf("%s has the type %s", at, p.Type)
	}
	if unit := p.FieldConfig.Defaults.Unit; unit != nil && !slices.Contains(units, *unit) {
		t.Errorf("%s has the unit %s", at, *unit)
	}
	if p.Description == nil || *p.Description == "" || len(p.Targets) == 0 {
		t.Errorf("%s has no description or no query", at)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		q, ok := target.(*prometheus.Dataquery)
		if !ok {
			t.Errorf("%s: a query was not checked: %T", at, target)
			continue
		}
		if refs[*q.RefId] || q.LegendFormat == nil || *q.LegendFormat == "" {
			t.Errorf("%s: query %s has the name of another, or no legend", at, *q.RefId)
		}
		refs[*q.RefId] = true
		if gone.MatchString(q.Expr) {
			t.Errorf("%s shows nothing when the instances are gone at its end: %s", at, q.Expr)
		}
		if bound.MatchString(q.Expr) {
			t.Errorf("%s selects a bucket by its bound: %s", at, q.Expr)
		}
		for _, v := range variable.FindAllStringSubmatch(q.Expr, -1) {
			if !slices.Contains(known, v[1]) {
				t.Errorf("%s: unknown variable %s in %s", at, v[0], q.Expr)
			}
		}
	}
}

// TestWords: wrong words of options pass the schema.
func TestWords(t *testing.T) {
	for file, text := range shipped(t) {
		for _, m := range optionWords.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(words, m[2]) {
				t.Errorf("%s: %s", file, m[0])
			}
		}
	}
}
