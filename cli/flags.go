package cli

import (
	"github.com/alecthomas/kingpin/v2"

	"ply-exporter/configs"
	"ply-exporter/exporter"
)

// configFlags adds --config and its other spelling.
func configFlags(c *kingpin.CmdClause) *[]string {
	var paths []string
	c.Flag("config", "YAML file, or folder of *.yaml files, that lists the scripts; may be repeated. Without it an embedded default runs.").PlaceHolder("FILE").StringsVar(&paths)
	c.Flag("config.file", "The same as --config.").PlaceHolder("FILE").Hidden().StringsVar(&paths)
	return &paths
}

// attachFlag adds --attach, which all commands that attach have.
func attachFlag(c *kingpin.CmdClause) *string {
	return c.Flag("attach", "auto takes the cheapest exact way in; plain what the probe's name says.").Default("auto").Enum("auto", attachPlain)
}

// attachPlain is the value of --attach that asks for no cheaper way in.
const attachPlain = "plain"

// loadConfig reads the configuration that --config names.
func loadConfig(paths []string) (*exporter.Config, error) {
	if len(paths) == 0 {
		return exporter.Parse("quickstart.yaml (embedded)", configs.Quickstart)
	}
	return exporter.Load(paths)
}
