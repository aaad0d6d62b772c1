package exporter

import (
	"fmt"
	"path"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
)

// check refuses options that cannot be meant, before anything is opened.
func (opt *Options) check() error {
	if why := pathFault(opt.TelemetryPath); why != "" {
		return fmt.Errorf("--web.telemetry-path %q %s: give one such as /metrics", opt.TelemetryPath, why)
	}
	if opt.MaxSeries < 0 {
		return fmt.Errorf("--metrics.max-series %d is below 0: 0 is no bound", opt.MaxSeries)
	}
	if opt.MaxRequests < 1 {
		return fmt.Errorf("--web.max-requests %d is below 1: nobody could scrape", opt.MaxRequests)
	}
	if file := opt.Web.WebConfigFile; file != nil {
		if err := web.Validate(*file); err != nil {
			return fmt.Errorf("--web.config.file %s: %w", *file, err)
		}
	}
	return nil
}

// pathFault says why metrics cannot be served at a path.
func pathFault(name string) string {
	switch {
	case !strings.HasPrefix(name, "/"):
		return "does not begin with a slash"
	case name == "/-" || strings.HasPrefix(name, "/-/"):
		return "is where the health checks are"
	case name == configPath || name == statusPath || strings.HasPrefix(name+"/", profilesPath):
		return "is where the exporter tells of itself"
	case strings.ContainsAny(name, "{}?#%") || strings.ContainsFunc(name, notPrintable):
		return "has a character that has a meaning of its own in addresses"
	case path.Clean(name) != name:
		return "is not the shortest way to write it"
	}
	return ""
}

func notPrintable(r rune) bool { return r <= ' ' || r >= 0x7f }
