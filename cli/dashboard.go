package cli

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/dashboards"
	"ply-exporter/exporter"
	"ply-exporter/plylang"
)

// dashboardFlags are the options of "dashboard".
type dashboardFlags struct {
	paths    *[]string
	title    string
	recorded string
	output   string
}

func (p *program) addDashboard() {
	c := p.add("dashboard", "Write a Grafana dashboard for a configuration: a row for the state of its scripts, and one for each script. Nothing is loaded into the kernel.")
	f := dashboardFlags{paths: pathsFlag(c.flags)}
	c.flags.StringVar(&f.title, "title", "", "Title of the dashboard (default: ply-exporter and the name of the configuration).")
	c.flags.StringVar(&f.recorded, "kernel", "", "Check the scripts against the kernel that the command record has written to `FILE`, not against this one.")
	c.flags.StringVarP(&f.output, "output", "o", "", "Write to `FILE`, not to standard output.")
	c.run = func([]string) int { return p.dashboard(&f) }
}

func (p *program) dashboard(f *dashboardFlags) int {
	cfg, err := loadConfig(*f.paths, nil)
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	k, err := f.kernel()
	if err != nil {
		return p.fail(p.prefix() + plylang.Detail(err))
	}
	scripts, err := exporter.Describe(cfg, exporter.NewBackend(k, slog.New(slog.DiscardHandler), false))
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	text, err := dashboards.Of(f.titleText(), scripts)
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	if f.output != "" && f.output != "-" {
		if err := os.WriteFile(f.output, text, 0o666); err != nil {
			return p.fail(p.prefix() + err.Error())
		}
		return statusOK
	}
	return p.show(string(text))
}

// kernel is what the scripts are checked against.
func (f *dashboardFlags) kernel() (*kernel.Kernel, error) {
	if f.recorded != "" {
		return openRecorded(f.recorded)
	}
	return kernel.Running()
}

// titleText is the title, made of the names of the configuration's files and folders
// if none is given.
func (f *dashboardFlags) titleText() string {
	if f.title != "" {
		return f.title
	}
	if len(*f.paths) == 0 {
		return "ply-exporter quickstart"
	}
	names := make([]string, len(*f.paths))
	for i, path := range *f.paths {
		if full, err := filepath.Abs(path); err == nil {
			path = full
		}
		names[i] = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	return fmt.Sprintf("ply-exporter %s", strings.Join(names, ", "))
}
