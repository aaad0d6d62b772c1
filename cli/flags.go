package cli

import (
	"os"
	"time"

	"github.com/spf13/pflag"

	"ply-exporter/configs"
	"ply-exporter/exporter/config"
)

// A loadFunc reads what --config names. Scripts that are to run are not read from
// files that others may change.
type loadFunc func(toRun bool) (*config.Config, error)

// configFlags adds --config, its alias and --allow-writable.
func configFlags(flags *pflag.FlagSet) loadFunc {
	paths, writable := pathsFlag(flags), allowWritableFlag(flags)
	return func(toRun bool) (*config.Config, error) {
		return loadConfig(*paths, verifyWriters(*writable || !toRun))
	}
}

// pathsFlag adds --config and its alias.
func pathsFlag(flags *pflag.FlagSet) *[]string {
	paths := flags.StringArray("config", nil, "YAML configuration `FILE`, or directory of *.yaml and *.yml files (repeatable). The default is a built-in configuration.")
	flags.AddFlag(&pflag.Flag{Name: "config.file", Usage: "Same as --config.", Value: flags.Lookup("config").Value, Hidden: true})
	return paths
}

// loadConfig reads what --config names, except what verify refuses.
func loadConfig(paths []string, verify func(string, *os.File) error) (*config.Config, error) {
	if len(paths) == 0 {
		return config.Parse("quickstart.yaml (embedded)", configs.Quickstart)
	}
	return config.Loader{Verify: verify}.Load(paths)
}

// allowWritableFlag adds --allow-writable.
func allowWritableFlag(flags *pflag.FlagSet) *bool {
	return flags.Bool("allow-writable", false, "As root, accept configuration and script files that other users may change.")
}

// attachFlag adds --attach.
func attachFlag(flags *pflag.FlagSet) *string {
	var attach string
	flags.Var(oneOf(&attach, "auto", attachPlain), "attach", "Attach type of the probes: auto chooses the cheapest one with exact results, plain the one that the provider is named after.")
	return &attach
}

// attachPlain is the value of --attach that asks for no cheaper attach type.
const attachPlain = "plain"

// numberFlag adds a flag that is a whole number.
func numberFlag(flags *pflag.FlagSet, n *int, name string, start int, help string) {
	*n = start
	flags.Var(setting{Value: &number{n, "--" + name}}, name, help)
}

// intervalFlag adds a flag that is a time with its unit.
func intervalFlag(flags *pflag.FlagSet, name string, start time.Duration, help string) *time.Duration {
	flags.Var(setting{Value: interval{&start, "--" + name}}, name, help)
	return &start
}

// maxSeriesFlag adds --metrics.max-series.
func maxSeriesFlag(flags *pflag.FlagSet) *int {
	var n int
	numberFlag(flags, &n, "metrics.max-series", 50000, "Maximum number of series per scrape (0 = unlimited).")
	return &n
}

// memoryBudgetFlag adds --bpf.memory-budget.
func memoryBudgetFlag(flags *pflag.FlagSet) *size {
	var s size
	flags.Var(setting{Value: &s}, "bpf.memory-budget", "Maximum kernel memory of the maps of all scripts, such as 64MiB; scripts that exceed it do not run (0 = unlimited).")
	return &s
}
