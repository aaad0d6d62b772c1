// Package schema decodes what the project ships for other programs with the
// types of those programs: dashboards with Grafana's, manifests with
// Kubernetes'. It is a module of its own, so that the exporter depends on
// neither.
package schema

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// panelTypes are those whose options are checked: the SDK passes any type that
// it was not told about.
var panelTypes = map[string]variants.PanelcfgConfig{
	"heatmap":    heatmap.VariantConfig(),
	"stat":       stat.VariantConfig(),
	"timeseries": timeseries.VariantConfig(),
}

// decode is strict: a key that Grafana does not know is an error.
func decode(t *testing.T, text []byte) dashboard.Dashboard {
	t.Helper()
	runtime := cog.NewRuntime()
	for _, config := range panelTypes {
		runtime.RegisterPanelcfgVariant(config)
	}
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	// Strict decoding finds the faults but loses the panels: it returns a list of
	// faults even when that is empty, and takes it for an error itself.
	var d, lost dashboard.Dashboard
	var faults cog.BuildErrors
	if err := lost.UnmarshalJSONStrict(text); !errors.As(err, &faults) || len(faults) > 0 {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDashboards(t *testing.T) {
	files, err := filepath.Glob("../../dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := decode(t, text)
			if d.SchemaVersion != 42 || len(d.Panels) == 0 {
				t.Errorf("schema version %d, %d panels", d.SchemaVersion, len(d.Panels))
			}
			ids := map[uint32]bool{}
			for _, p := range d.Panels {
				if p.RowPanel != nil {
					ids[p.RowPanel.Id] = true
					continue
				}
				checkPanel(t, p.Panel)
				ids[*p.Panel.Id] = true
			}
			if len(ids) != len(d.Panels) {
				t.Errorf("%d panels have %d ids", len(d.Panels), len(ids))
			}
		})
	}
}

// words are those of enumerations, which the SDK does not check.
var words = map[string][]string{
	"format": {"time_series", "heatmap"},
	"unit":   {"none", "short", "s", "bytes", "percentunit", "cps", "ops", "iops", "binBps"},
}

func checkPanel(t *testing.T, p *dashboard.Panel) {
	t.Helper()
	if p.Id == nil || p.Title == nil || p.Description == nil || p.GridPos == nil {
		t.Fatalf("a panel lacks id, title, description or place: %+v", p)
	}
	if _, ok := panelTypes[p.Type]; !ok {
		t.Errorf("%s: unknown panel type %q", *p.Title, p.Type)
	}
	if p.GridPos.X+p.GridPos.W > 24 {
		t.Errorf("%s: wider than the grid", *p.Title)
	}
	if p.Type != "heatmap" && len(p.FieldConfig.Defaults.Mappings) == 0 && (p.FieldConfig.Defaults.Unit == nil || !slices.Contains(words["unit"], *p.FieldConfig.Defaults.Unit)) {
		t.Errorf("%s: no unit, or one that Grafana may not know", *p.Title)
	}
	for _, target := range p.Targets {
		q, ok := target.(*prometheus.Dataquery)
		if !ok {
			t.Errorf("%s: a query is a %T: its data source has no type", *p.Title, target)
			continue
		}
		if q.Expr == "" || q.LegendFormat == nil || *q.LegendFormat == "" || q.Format == nil || !slices.Contains(words["format"], string(*q.Format)) {
			t.Errorf("%s: query without expression, legend or format: %+v", *p.Title, q)
		}
	}
}
