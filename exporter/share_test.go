package exporter

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
)

func TestFairShares(t *testing.T) {
	tests := []struct {
		room        int
		needs, want []int
	}{
		{10, []int{3, 4}, []int{3, 4}},
		{10, []int{100, 4}, []int{6, 4}},
		{10, []int{100, 100}, []int{5, 5}},
		{10, []int{100, 1, 100, 3}, []int{3, 1, 3, 3}},
		{0, []int{7, 0}, []int{0, 0}},
		{5, nil, []int{}},
	}
	for _, tt := range tests {
		if got := fairShares(tt.room, tt.needs); !slices.Equal(got, tt.want) {
			t.Errorf("%d for %v: got %v, want %v", tt.room, tt.needs, got, tt.want)
		}
	}
}

// A script with keys of strangers takes nothing from those behind it, and a cut
// is logged once.
func TestSharesOfScripts(t *testing.T) {
	var many []pair
	for i := range 1100 {
		many = append(many, pair{chars(fmt.Sprint("t", i)), words(1)})
	}
	few := []pair{{chars("x"), words(2)}, {chars("y"), words(3)}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{
			"FLOOD": on(`@a[comm] = count(); @total = count();`),
			"FEW":   on(`@[comm] = count();`),
			"ONE":   on(`@ = quantize(pid);`),
		},
		tracers: map[string]*fakeTracer{
			"FLOOD": {rows: map[string][]pair{"@a": many, "@total": {{nil, words(1100)}}}},
			"FEW":   {rows: map[string][]pair{"@": few}},
			"ONE":   {},
		},
	}, "scripts: [{name: flood, script: FLOOD}, {name: few, script: FEW}, {name: one, script: ONE}]")
	var log bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	c.maxSeries = 100
	got := scrapeAll(t, c)
	for _, line := range []string{
		"ply_flood_total 1100", `ply_few_total{comm="x"} 2`, `ply_few_total{comm="y"} 3`, "ply_one_count 0",
		`ply_scrape_series_omitted{script="flood"} 1031`, `ply_scrape_series_omitted{script="few"} 0`, `ply_script_up{script="one"} 1`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	scrapeAll(t, c)
	if n := strings.Count(log.String(), "series are left out"); n != 1 || !strings.Contains(log.String(), "script=flood omitted=1031") {
		t.Errorf("the log of two scrapes is\n%s", log.String())
	}
}

func TestCheckWarnsOfTooManySeries(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": on(`@[comm] = count();`)}}
	cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML(`{map: "@", max_entries: 100}`)))
	if err != nil {
		t.Fatal(err)
	}
	const warning = "warning: the maps have room for 101 series, a scrape sends 100: lower max_entries or raise --metrics.max-series\n"
	for limit, want := range map[int]bool{100: true, 101: false, 0: false} {
		var out strings.Builder
		if err := Check(&out, cfg, b, Limits{Series: limit}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), warning); got != want {
			t.Errorf("limit %d: got\n%s", limit, out.String())
		}
	}
}
