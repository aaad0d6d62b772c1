package dashboards

import "fmt"

// state adds the row of the exporter's own metrics: whether the scripts run, and what
// was lost.
func (p *page) state() {
	p.row("State of the scripts", false,
		p.number("Scripts down", "Scripts that do not run, or whose maps could not be read. Those that wait for a program are not among them.",
			scriptsDown(p.filter), "scripts down"),
		p.number("Probes not attached", "Probe specifications of running scripts that are not attached.",
			probesNotAttached(p.filter), "probes not attached"),
		p.number("Series left out", "Series that the last scrapes did not send, because they were more than --metrics.max-series.",
			gauge("sum", "ply_scrape_series_omitted", p.filter), "series left out"),
		panel{
			kind: states, title: "Scripts", description: "Whether each script runs and its maps could be read: up if it does on all chosen instances that have its program, and waiting if none has it.",
			targets: []target{{scriptStates(p.filter).call("bottomk(%d, ", maxStates), "{{script}}"}}, width: gridWidth / 2, height: numberHeight,
		},
		panel{
			title: "Losses (top 10 of each)", unit: "cps", targets: p.losses("script"),
			description: lossText,
		},
		panel{
			title: topTitle("Maps, how full"), unit: "percentunit", targets: []target{{fill(p.filter, "script", "map").top(maxSeries), "{{script}} {{map}}"}},
			description: "Keys in a map, as a part of those that it has room for. One that is full counts further keys as lost, or evicts others, unless it has room for every key that there can be.",
		},
		panel{
			title: topTitle("Kernel memory"), unit: "bytes", targets: []target{{gauge("sum", "ply_map_memory_bytes", p.filter, "script").top(maxSeries), "{{script}}"}},
			description: "Kernel memory of the maps of a script, of all chosen instances together.",
		},
		panel{
			title: topTitle("CPU of the programs"), unit: "percentunit", targets: []target{{gauge("sum", "ply_script_cpu_ratio", p.filter, "script").top(maxSeries), "{{script}}"}},
			description: cpuText + " All chosen instances together.",
		},
	)
}

// number is a panel that should show 0.
func (p *page) number(title, description string, q query, legend string) panel {
	return panel{kind: number, title: title, description: description, unit: "short", targets: []target{{q, legend}}, width: numberWidth, height: numberHeight}
}

// missing counts the series of a metric of 0 and 1 that are 0. There is no answer
// where nothing is scraped, which would look like success.
func missing(metric, filter string, labels ...string) query {
	return func(w window) string {
		least := w.read("min", metric, filter)
		return fmt.Sprintf("%s (%s) - %s (%s)", by("count", labels), least, by("sum", labels), least)
	}
}

// scriptsDown counts the scripts that are down and do not wait for a program, which some
// machines do not have.
func scriptsDown(filter string, labels ...string) query {
	return func(w window) string {
		up := w.read("min", "ply_script_up", filter)
		return fmt.Sprintf("%s (%s) - %s (%s == 1 or %s)", by("count", labels), up, by("sum", labels), w.read("min", "ply_script_waiting", filter), up)
	}
}

// probesNotAttached counts those of scripts that run and have their programs.
func probesNotAttached(filter string) query {
	return func(w window) string {
		const script = " on (job, instance, script) "
		attached := w.read("min", "ply_probe_attached", filter)
		return fmt.Sprintf("count (%s == 0 and%s%s == 1 unless%s%s == 1) or 0 * count (%s)", attached,
			script, w.read("min", "ply_script_up", filter), script, w.read("min", "ply_script_waiting", filter), attached)
	}
}

// scriptStates are 0 of scripts that are down, 1 of those that are up, and 2 of those that
// wait for a program wherever they are.
func scriptStates(filter string) query {
	return func(w window) string {
		waiting := w.read("min", "ply_script_waiting", filter) + " == 1"
		return fmt.Sprintf("min by (script) (%s unless %s) or 2 * max by (script) (%s)", w.read("min", "ply_script_up", filter), waiting, waiting)
	}
}

// losses are the rates of what is lost, by labels: metrics that are absent where
// nothing of the kind can be lost.
func (p *page) losses(labels ...string) []target {
	var out []target
	legend := legendOf(labels)
	for _, loss := range []struct{ metric, what string }{
		{"ply_map_dropped_total", "updates of full maps"},
		{"ply_probe_missed_total", "events missed"},
		{"ply_events_lost_total", "prints lost"},
		{"ply_lines_omitted_total", "lines left out"},
		{"ply_map_late_clears_total", "late clears"},
	} {
		out = append(out, target{rate(loss.metric, p.filter, labels...).top(maxSeries), legend + " " + loss.what})
	}
	return out
}

// fill is how full maps with keys are, by labels.
func fill(filter string, labels ...string) query {
	return func(w window) string {
		return fmt.Sprintf("%s (%s / (%s > 1))", by("max", labels), w.read("max", "ply_map_entries", filter), w.read("max", "ply_map_max_entries", filter))
	}
}

// legendOf is a legend of labels.
func legendOf(labels []string) string {
	text := ""
	for i, l := range labels {
		if i > 0 {
			text += " "
		}
		text += "{{" + l + "}}"
	}
	return text
}
