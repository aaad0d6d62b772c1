package cli

import (
	"fmt"
	"log/slog"

	"ply-exporter/exporter"
	"ply-exporter/plylang"
)

func (p *program) addCheck() {
	c := p.app.Command("check", "Compile a configuration, verify it on this kernel, and list its metrics with labels and cost.")
	paths, attach := configFlags(c), attachFlag(c)
	maxSeries := maxSeriesFlag(c)
	p.add(c, func() int { return p.check(*paths, *attach, *maxSeries) })
}

func (p *program) check(paths []string, attach string, maxSeries int) int {
	cfg, err := loadConfig(paths)
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	backend, err := openBackend(slog.New(slog.DiscardHandler), attach)
	if err != nil {
		return p.fail("ply-exporter: " + plylang.Detail(err))
	}
	out := &output{w: p.Out}
	if err := exporter.Check(out, cfg, backend, maxSeries); err != nil {
		return p.fail(plylang.Detail(err))
	}
	fmt.Fprintln(out, "all scripts run on this kernel")
	return p.failOutput(out.err)
}
