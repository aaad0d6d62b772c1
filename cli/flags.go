package cli

import (
	"fmt"
	"os"
	"strconv"

	"github.com/alecthomas/kingpin/v2"
	"github.com/alecthomas/units"

	"ply-exporter/configs"
	"ply-exporter/exporter/config"
)

// A loadFunc reads what --config names. Scripts that are to run are not read from
// files that others may change.
type loadFunc func(toRun bool) (*config.Config, error)

// configFlags adds --config, its alias and --allow-writable.
func configFlags(c *kingpin.CmdClause) loadFunc {
	paths, writable := pathsFlag(c), allowWritableFlag(c)
	return func(toRun bool) (*config.Config, error) {
		return loadConfig(*paths, verifyWriters(*writable || !toRun))
	}
}

// pathsFlag adds --config and its alias.
func pathsFlag(c *kingpin.CmdClause) *[]string {
	var paths []string
	c.Flag("config", "YAML configuration file, or directory of *.yaml and *.yml files (repeatable). The default is a built-in configuration.").PlaceHolder("FILE").StringsVar(&paths)
	c.Flag("config.file", "Same as --config.").PlaceHolder("FILE").Hidden().StringsVar(&paths)
	return &paths
}

// loadConfig reads what --config names, except what verify refuses.
func loadConfig(paths []string, verify func(string, *os.File) error) (*config.Config, error) {
	if len(paths) == 0 {
		return config.Parse("quickstart.yaml (embedded)", configs.Quickstart)
	}
	return config.Loader{Verify: verify}.Load(paths)
}

// allowWritableFlag adds --allow-writable.
func allowWritableFlag(c *kingpin.CmdClause) *bool {
	return c.Flag("allow-writable", "As root, accept configuration and script files that other users may change.").Bool()
}

// attachFlag adds --attach.
func attachFlag(c *kingpin.CmdClause) *string {
	return c.Flag("attach", "Attach type of the probes: auto chooses the cheapest one with exact results, plain the one that the provider is named after.").Default("auto").Enum("auto", attachPlain)
}

// attachPlain is the value of --attach that asks for no cheaper attach type.
const attachPlain = "plain"

// maxSeriesFlag adds --metrics.max-series.
func maxSeriesFlag(c *kingpin.CmdClause) *int {
	var n int
	c.Flag("metrics.max-series", "Maximum number of series per scrape (0 = unlimited).").Default("50000").SetValue(&number{&n, "--metrics.max-series"})
	return &n
}

// memoryBudgetFlag adds --bpf.memory-budget.
func memoryBudgetFlag(c *kingpin.CmdClause) *size {
	var s size
	c.Flag("bpf.memory-budget", "Maximum kernel memory of the maps of all scripts, such as 64MiB; scripts that exceed it do not run (0 = unlimited).").Default("0").SetValue(&s)
	return &s
}

// A number is a flag that is a whole number.
type number struct {
	n    *int
	flag string
}

func (v *number) String() string { return strconv.Itoa(*v.n) }

// Set reads a number.
func (v *number) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s %q: give a whole number, such as 100", v.flag, text)
	}
	*v.n = n
	return nil
}

// A size is a flag of bytes: 64MiB, 64MB, 67108864.
type size int

func (s *size) String() string { return strconv.Itoa(int(*s)) }

// Set reads a size.
func (s *size) Set(text string) error {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		*s = size(n)
		return nil
	}
	n, err := units.ParseStrictBytes(text)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a size: give one such as 64MiB", text)
	}
	*s = size(n)
	return nil
}

// A share is a flag that is a share of a CPU: 5%.
type share struct{ s *config.Share }

func (v share) String() string { return v.s.String() }

// Set reads a share.
func (v share) Set(text string) (err error) {
	*v.s, err = config.ParseShare(text)
	return err
}
