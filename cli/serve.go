package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"ply-exporter/exporter"
	"ply-exporter/plylang"
)

func (p *program) addServe() {
	c := p.app.Command("serve", "Serve the metrics of a configuration (the default command).").Default()
	paths, attach := configFlags(c), attachFlag(c)
	opt := exporter.Options{Web: kingpinflag.AddFlags(c, ":10759")}
	c.Flag("web.telemetry-path", "Path of the metrics.").Default("/metrics").StringVar(&opt.TelemetryPath)
	own := c.Flag("web.disable-exporter-metrics", "Leave out metrics of the exporter's own process (process_*, go_*).").Bool()
	c.Flag("metrics.max-series", "Most series of one scrape; 0 is no bound.").Default("50000").IntVar(&opt.MaxSeries)
	c.Flag("strict", "Stop the start when a script cannot run on this kernel.").BoolVar(&opt.Strict)
	level, format := promslog.NewLevel(), promslog.NewFormat()
	c.Flag("log.level", "debug, info, warn or error.").Default("info").SetValue(level)
	c.Flag("log.format", "logfmt or json.").Default("logfmt").SetValue(format)
	p.add(c, func() int {
		opt.ProcessMetrics = !*own
		opt.Log = promslog.New(&promslog.Config{Level: level, Format: format, Writer: p.Err})
		return p.serve(*paths, *attach, opt)
	})
}

// serve runs until a signal asks it to end, which is a normal end. Before
// anything is attached, a signal ends the process as it does any.
func (p *program) serve(paths []string, attach string, opt exporter.Options) int {
	defer ignoreHangups(opt.Log)()
	cfg, err := loadConfig(paths)
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	if opt.Backend, err = openBackend(opt.Log, attach); err != nil {
		return p.fail("ply-exporter: " + plylang.Detail(err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := exporter.Serve(ctx, cfg, opt); err != nil {
		return p.fail(plylang.Detail(err))
	}
	return statusOK
}
