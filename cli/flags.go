package cli

import (
	"github.com/alecthomas/kingpin/v2"

	"ply-exporter/configs"
	"ply-exporter/exporter/config"
)

// configFlags adds --config and its alias.
func configFlags(c *kingpin.CmdClause) *[]string {
	var paths []string
	c.Flag("config", "YAML configuration file, or directory of *.yaml files (repeatable). The default is a built-in configuration.").PlaceHolder("FILE").StringsVar(&paths)
	c.Flag("config.file", "Same as --config.").PlaceHolder("FILE").Hidden().StringsVar(&paths)
	return &paths
}

// attachFlag adds --attach.
func attachFlag(c *kingpin.CmdClause) *string {
	return c.Flag("attach", "Attach type of the probes: auto chooses the cheapest one with exact results, plain the one that the provider is named after.").Default("auto").Enum("auto", attachPlain)
}

// attachPlain is the value of --attach that asks for no cheaper attach type.
const attachPlain = "plain"

// maxSeriesFlag adds --metrics.max-series.
func maxSeriesFlag(c *kingpin.CmdClause) *int {
	return c.Flag("metrics.max-series", "Maximum number of series per scrape (0 = unlimited).").Default("50000").Int()
}

// loadConfig reads the configuration that --config names.
func loadConfig(paths []string) (*config.Config, error) {
	if len(paths) == 0 {
		return config.Parse("quickstart.yaml (embedded)", configs.Quickstart)
	}
	return config.Load(paths)
}
