package dashboards

// Fleet returns the dashboard of all exporters together: which scripts are down and
// where, what is lost, and what it costs, by script and by instance.
func Fleet() ([]byte, error) {
	p := newPage("ply-exporter fleet", "All ply-exporters: which scripts are down and where, what is lost, and what it costs, by script and by instance.")
	p.choose(scriptVariable(nil))
	p.row("State", false, p.fleetState()...)
	p.row("Losses", false,
		panel{title: "Losses by script (top 10 of each)", unit: "cps", targets: p.losses("script"), description: lossText},
		panel{title: "Losses by instance (top 10 of each)", unit: "cps", targets: p.losses("instance"), description: lossText},
		p.topGauge("Maps, how full", "percentunit", "Keys in a map, as a part of those that it has room for, on the instance where it is fullest.",
			fill(p.filter, "script", "map"), "{{script}} {{map}}"),
		p.topGauge("Series left out by instance", "short", "Series that the last scrape did not send, because they were more than --metrics.max-series.",
			gauge("sum", "ply_scrape_series_omitted", p.filter, "instance"), "{{instance}}"),
	)
	p.row("Cost by script", false,
		p.topGauge("CPU of the programs by script", "percentunit", cpuText+" All instances together.",
			gauge("sum", "ply_script_cpu_ratio", p.filter, "script"), "{{script}}"),
		p.topGauge("Time for a run by script", "s", "Mean time that a program of the script runs for an event, with the time that measuring takes, on the instance where it is longest.",
			gauge("max", "ply_script_run_seconds", p.filter, "script"), "{{script}}"),
		p.topGauge("Time to read by script", "s", "How long a scrape takes to read the maps of a script, on the instance where it takes longest.",
			gauge("max", "ply_script_scrape_duration_seconds", p.filter, "script"), "{{script}}"),
		p.topGauge("Kernel memory by script", "bytes", "Kernel memory of the maps of a script, of all instances together.",
			gauge("sum", "ply_map_memory_bytes", p.filter, "script"), "{{script}}"),
	)
	p.row("Cost by instance", false,
		p.topGauge("CPU of the programs by instance", "percentunit", cpuText+" All scripts of an instance together.",
			gauge("sum", "ply_script_cpu_ratio", p.filter, "instance"), "{{instance}}"),
		p.topGauge("CPU of the exporter", "percentunit", "CPU time that the exporter's process takes, in parts of one CPU. What the programs cost is not in it: they run in the tasks that they trace.",
			rate("process_cpu_seconds_total", exporters, "instance"), "{{instance}}"),
		p.topGauge("Memory of the exporter", "bytes", "Resident memory of the exporter's process. Kernel memory of maps is not in it.",
			gauge("max", "process_resident_memory_bytes", exporters, "instance"), "{{instance}}"),
		p.topGauge("Kernel memory by instance", "bytes", "Kernel memory of the maps of all scripts of an instance.",
			gauge("sum", "ply_map_memory_bytes", p.filter, "instance"), "{{instance}}"),
		p.topGauge("Series by instance", "short", "Series in a scrape of an instance.",
			gauge("max", "scrape_samples_scraped", exporters, "instance"), "{{instance}}"),
		p.topGauge("Duration of a scrape", "s", "How long Prometheus waits for the answer of an instance.",
			gauge("max", "scrape_duration_seconds", exporters, "instance"), "{{instance}}"),
	)
	return p.json()
}

const lossText = "What the metrics do not have: updates of maps that were full, events that the kernel did not run a probe for, lines that were printed too fast. All are 0 as long as the numbers are exact."

const cpuText = "CPU time that the programs of scripts take, in parts of one CPU, sampled over a minute. There is none where the exporter may not know."

// exporters selects series that other programs of the chosen jobs may have, too.
const exporters = instances

// fleetState is how many exporters and scripts run.
func (p *page) fleetState() []panel {
	return []panel{
		p.number("Exporters down", "Targets of the chosen jobs that Prometheus cannot scrape.", missing("up", exporters), "exporters down"),
		p.number("Scripts down", "Scripts that do not run, or whose maps could not be read, on all instances together. Those that wait for a program are not among them.",
			scriptsDown(p.filter), "scripts down"),
		p.number("Reloads that failed", "Instances that run an older configuration than they were given.",
			missing("ply_exporter_config_last_reload_successful", instances), "reloads that failed"),
		p.number("Probes not attached", "Probe specifications of running scripts that are not attached.",
			probesNotAttached(p.filter), "probes not attached"),
		{kind: values, title: "Exporters", description: "Exporters that run.", unit: "short", width: numberWidth, height: numberHeight,
			targets: []target{{gauge("count", "ply_exporter_build_info", instances), "exporters"}}},
		{kind: values, title: "Versions", description: "Different versions of the exporter that run.", unit: "short", width: numberWidth, height: numberHeight,
			targets: []target{{gauge("count", "ply_exporter_build_info", instances, "version").call("count("), "versions"}}},
		{title: "Scripts down by script", description: "Instances on which a script does not run: one that is down on all of them is broken, one that is down on some meets a kernel that lacks something.",
			unit: "short", targets: []target{{scriptsDown(p.filter, "script").top(maxSeries), "{{script}}"}}},
		{title: "Scripts down by instance", description: "Scripts that do not run, by instance.",
			unit: "short", targets: []target{{scriptsDown(p.filter, "instance").top(maxSeries), "{{instance}}"}}},
		p.topGauge("Scripts that wait, by script", "short", "Instances without a program or library that the script needs. It starts when that is installed.",
			gauge("sum", "ply_script_waiting", p.filter, "script"), "{{script}}"),
	}
}

// topGauge is a panel of the largest series of a query.
func (p *page) topGauge(title, unit, description string, q query, legend string) panel {
	return panel{title: topTitle(title), unit: unit, description: description, targets: []target{{q.top(maxSeries), legend}}}
}
