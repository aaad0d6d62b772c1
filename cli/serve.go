package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

func (p *program) addServe() {
	c := p.app.Command("serve", "Run the scripts of a configuration and serve their metrics (default command).").Default()
	load, attach := configFlags(c), attachFlag(c)
	opt := exporter.Options{Web: kingpinflag.AddFlags(c, ":10759")}
	c.Flag("web.telemetry-path", "Path under which to expose metrics.").Default("/metrics").StringVar(&opt.TelemetryPath)
	c.Flag("web.max-requests", "Maximum number of scrapes at the same time; others get status 503.").Default("100").SetValue(&number{&opt.MaxRequests, "--web.max-requests"})
	own := c.Flag("web.disable-exporter-metrics", "Exclude metrics about the exporter itself (process_*, go_*).").Bool()
	maxSeries, budget := maxSeriesFlag(c), memoryBudgetFlag(c)
	c.Flag("bpf.cpu-budget", "Share of one CPU that the programs of each script may take in the mean of a minute; a script that exceeds it is detached for some time (0 = unlimited).").Default("5%").SetValue(share{&opt.CPUBudget})
	c.Flag("bpf.stats", "Have the kernel always measure how long BPF programs run, which makes each run of each program of the machine 20 to 80 ns longer.").BoolVar(&opt.Statistics)
	c.Flag("collector.bpf-programs", "Expose what every BPF program of the machine costs, by name and type.").BoolVar(&opt.HostPrograms)
	pinPath := c.Flag("bpf.pin-path", "Folder of a BPF file system, such as /sys/fs/bpf/ply-exporter, in which scripts stay pinned: they count on when the exporter ends, and the next one takes them over.").PlaceHolder("PATH").String()
	c.Flag("strict", "Exit at startup if a script cannot run on this kernel.").BoolVar(&opt.Strict)
	c.Flag("keep-going", "Serve even if no script can run on this kernel, and be ready.").BoolVar(&opt.KeepGoing)
	c.Flag("web.enable-pprof", "Answer /debug/pprof/ with profiles of the exporter itself, for go tool pprof.").BoolVar(&opt.Profiles)
	c.Flag("web.enable-lifecycle", "Let a POST to /-/reload reload the configuration.").BoolVar(&opt.Lifecycle)
	auto := c.Flag("config.enable-auto-reload", "Reload the configuration when its files have changed.").Bool()
	every := c.Flag("config.auto-reload-interval", "How often to look whether the files have changed.").Default("30s").Duration()
	var kept keptCapabilities
	c.Flag("capabilities.keep", "Names of capabilities to keep after the start, beside those that serving needs, or all (repeatable).").PlaceHolder("NAME").SetValue(&kept)
	level, format := promslog.NewLevel(), promslog.NewFormat()
	c.Flag("log.level", "Only log messages of this severity or above: debug, info, warn or error.").Default("info").SetValue(level)
	c.Flag("log.format", "Format of log messages: logfmt or json.").Default("logfmt").SetValue(format)
	p.add(c, func() int {
		if *every <= 0 {
			return p.fail(p.prefix() + fmt.Sprintf("--config.auto-reload-interval %s: give a time above 0, such as 30s", *every))
		}
		if *auto {
			opt.AutoReload = *every
		}
		opt.ProcessMetrics, opt.MaxSeries, opt.MemoryBudget = !*own, *maxSeries, int(*budget)
		opt.Started = func() {
			if err := kept.drop(); err != nil {
				opt.Log.Warn("capabilities that serving does not need are not dropped", "err", err)
			}
		}
		opt.Log = promslog.New(&promslog.Config{Level: level, Format: format, Writer: p.Err})
		return p.serve(load, *attach, *pinPath, opt)
	})
}

// serve runs until SIGTERM or ^C, which is a normal end. Before anything is
// attached, these signals have their default effect.
func (p *program) serve(load loadFunc, attach, pinPath string, opt exporter.Options) int {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from now on it ends nothing
	defer signal.Stop(hangups)
	opt.Reload, opt.Load = hangups, func() (*config.Config, error) { return load(true) }
	defer ignoreSIGPIPE()() // counting goes on when nobody reads the log any more
	if k, err := openKernel(); err == nil {
		k.Prepare() // while files are read
	}
	cfg, err := opt.Load()
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	backend, err := openBackend(opt.Log, attach)
	if err != nil {
		return p.fail(p.prefix() + plylang.Detail(err))
	}
	if pinPath != "" {
		pins, err := tracer.OpenPins(pinPath, opt.Log)
		if err != nil {
			return p.fail(p.prefix() + err.Error())
		}
		defer pins.Close()
		backend.UsePins(pins)
	}
	opt.Backend = backend
	warnPIDNamespace(opt.Log)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := exporter.Serve(ctx, cfg, opt); err != nil {
		return p.fail(plylang.Detail(err))
	}
	return statusOK
}

// warnPIDNamespace says whose IDs scripts get, when they are not the machine's.
func warnPIDNamespace(log *slog.Logger) {
	k, err := openKernel()
	if err != nil {
		return
	}
	if ns, ok := k.PIDNamespace(); ok {
		log.Warn("running in a PID namespace: pid, tid and ppid are IDs of this namespace, and 0 for processes outside it; "+
			"to trace the whole machine, run in its PID namespace (hostPID, --pid=host)", "namespace", ns.Inode)
	}
}
