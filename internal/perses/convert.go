package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A grafana is what is read of a Grafana dashboard.
type grafana struct {
	Title      string
	Panels     []grafanaPanel
	Templating struct {
		List []struct{ Name, AllValue string }
	}
}

type grafanaPanel struct {
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Panels                   []grafanaPanel // of a closed row
	Targets                  []struct{ Expr, LegendFormat string }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Mappings   []any
			Thresholds struct {
				Steps []struct {
					Value *float64
					Color string
				}
			}
		}
	}
	Options struct {
		ColorMode string
		YAxis     struct{ Unit string }
	}
}

// object is a JSON object.
type object = map[string]any

// convert turns a Grafana dashboard of ours into one of Perses. rows are numbers of
// the rows that are wanted, all if none is given.
func convert(text []byte, span string, rows ...int) ([]byte, error) {
	var g grafana
	if err := json.Unmarshal(text, &g); err != nil {
		return nil, err
	}
	c := converter{variables: map[string]string{}, panels: object{}}
	for _, v := range g.Templating.List {
		c.variables[v.Name] = cmp.Or(v.AllValue, ".*") // this Prometheus has no other jobs
	}
	for _, p := range g.Panels {
		if p.Type == "row" {
			c.row(p.Title)
			for _, inner := range p.Panels {
				c.panel(inner)
			}
		} else {
			c.panel(p)
		}
	}
	return json.MarshalIndent(object{
		"kind":     "Dashboard",
		"metadata": object{"name": g.Title, "project": "ply", "version": 0},
		"spec": object{
			"display": object{"name": g.Title}, "duration": span, "refreshInterval": "0s",
			"panels": c.panels, "layouts": c.chosen(rows), "variables": []any{}, "datasources": object{},
		},
	}, "", "  ")
}

type converter struct {
	variables map[string]string
	panels    object
	layouts   []object
	top       int // where the open row begins
}

func (c *converter) row(title string) {
	c.layouts = append(c.layouts, object{"kind": "Grid", "spec": object{"display": object{"title": title, "collapse": object{"open": true}}, "items": []any{}}})
	c.top = -1
}

func (c *converter) panel(p grafanaPanel) {
	if c.top < 0 {
		c.top = p.GridPos.Y
	}
	name := fmt.Sprintf("p%d", len(c.panels))
	queries := []any{}
	for _, t := range p.Targets {
		spec := object{"query": c.expand(t.Expr), "seriesNameFormat": t.LegendFormat}
		queries = append(queries, object{"kind": "TimeSeriesQuery", "spec": object{"plugin": object{"kind": "PrometheusTimeSeriesQuery", "spec": spec}}})
	}
	c.panels[name] = object{"kind": "Panel", "spec": object{
		"display": object{"name": p.Title, "description": p.Description}, "plugin": p.plugin(), "queries": queries,
	}}
	spec := c.layouts[len(c.layouts)-1]["spec"].(object)
	spec["items"] = append(spec["items"].([]any), object{
		"x": p.GridPos.X, "y": p.GridPos.Y - c.top, "width": p.GridPos.W, "height": p.GridPos.H,
		"content": object{"$ref": "#/spec/panels/" + name},
	})
}

// expand puts the values of variables into a query.
func (c *converter) expand(expr string) string {
	return regexp.MustCompile(`\$(\w+)`).ReplaceAllStringFunc(expr, func(v string) string {
		if value, ok := c.variables[strings.TrimPrefix(v, "$")]; ok {
			return value
		}
		return v
	})
}

func (c *converter) chosen(rows []int) []object {
	if len(rows) == 0 {
		return c.layouts
	}
	var out []object
	for _, i := range rows {
		out = append(out, c.layouts[i])
	}
	return out
}

// plugin is how Perses draws the panel.
func (p *grafanaPanel) plugin() object {
	d := p.FieldConfig.Defaults
	switch p.Type {
	case "timeseries":
		return object{"kind": "TimeSeriesChart", "spec": object{
			"legend": object{"position": "bottom", "mode": "list", "size": "small"},
			"yAxis":  object{"format": format(d.Unit)},
			"visual": object{"areaOpacity": 0.1, "lineWidth": 1},
		}}
	case "heatmap": // its axis shows exponents, see the server
		return object{"kind": "HeatMapChart", "spec": object{"yAxisFormat": object{"unit": "decimal", "decimalPlaces": 0}, "countFormat": object{"unit": "decimal"}, "showVisualMap": true}}
	case "stat":
		steps := []object{}
		spec := object{"calculation": "last-number", "format": format(d.Unit)}
		for _, s := range d.Thresholds.Steps {
			if s.Value != nil {
				steps = append(steps, object{"value": *s.Value, "color": s.Color})
			} else {
				spec["thresholds"] = object{"defaultColor": s.Color}
			}
		}
		if t, ok := spec["thresholds"].(object); ok {
			t["steps"] = steps
		}
		if len(d.Mappings) > 0 {
			spec["mappings"] = []object{
				{"kind": "Value", "spec": object{"value": "0", "result": object{"value": "down"}}},
				{"kind": "Value", "spec": object{"value": "1", "result": object{"value": "up"}}},
			}
			spec["metricLabel"] = "script"
		}
		return object{"kind": "StatChart", "spec": spec}
	default:
		panic("no panel of Perses for " + p.Type)
	}
}

// format is what Perses calls a unit.
func format(unit string) object {
	names := map[string]string{"s": "seconds", "bytes": "bytes", "binBps": "bytes/sec", "cps": "counts/sec", "percentunit": "percent-decimal", "short": "decimal", "": "decimal"}
	return object{"unit": names[unit], "shortValues": true}
}
