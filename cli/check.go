package cli

import (
	"fmt"
	"log/slog"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

func (p *program) addCheck() {
	c := p.app.Command("check", "Compile a configuration, verify it on this kernel, and list its metrics with labels and cost.")
	load, attach := configFlags(c), attachFlag(c)
	maxSeries, budget := maxSeriesFlag(c), memoryBudgetFlag(c)
	cpus := c.Flag("cpus", "Show memory and series as on a machine with that many possible CPUs (0 = this machine).").PlaceHolder("N").Int()
	p.add(c, func() int {
		return p.check(load, *attach, *cpus, exporter.Limits{Series: *maxSeries, Memory: int(*budget)})
	})
}

// maxCPUs is more than Linux can be built for.
const maxCPUs = 8192

func (p *program) check(load func() (*config.Config, error), attach string, cpus int, limits exporter.Limits) int {
	if cpus < 0 || cpus > maxCPUs {
		return p.fail(p.prefix() + fmt.Sprintf("--cpus %d: give 1 to %d, the CPUs that the machine can have", cpus, maxCPUs))
	}
	cfg, err := load()
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	backend, err := openBackend(slog.New(slog.DiscardHandler), attach)
	if err != nil {
		return p.fail(p.prefix() + plylang.Detail(err))
	}
	backend.AssumeCPUs(cpus)
	out := &output{w: p.Out}
	if err := exporter.Check(out, cfg, backend, limits); err != nil {
		return p.fail(plylang.Detail(err))
	}
	fmt.Fprintln(out, "all scripts run on this kernel")
	return p.failOutput(out.err)
}
