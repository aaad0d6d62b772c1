package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/spf13/pflag"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

func (p *program) addServe() {
	c := p.add("serve", "Run the scripts of a configuration and serve their metrics (default command).")
	flags := c.flags
	load, attach := configFlags(flags), attachFlag(flags)
	opt := exporter.Options{Web: webFlags(flags)}
	flags.StringVar(&opt.TelemetryPath, "web.telemetry-path", "/metrics", "Path under which to expose metrics.")
	numberFlag(flags, &opt.MaxRequests, "web.max-requests", 100, "Maximum number of scrapes at the same time; others get status 503.")
	own := flags.Bool("web.disable-exporter-metrics", false, "Exclude metrics about the exporter itself (process_*, go_*).")
	maxSeries, budget := maxSeriesFlag(flags), memoryBudgetFlag(flags)
	opt.CPUBudget = 0.05
	flags.Var(setting{Value: share{&opt.CPUBudget}}, "bpf.cpu-budget", "Share of one CPU that the programs of each script may take in the mean of a minute; a script that exceeds it is detached for some time (0 = unlimited).")
	flags.BoolVar(&opt.Statistics, "bpf.stats", false, "Have the kernel always measure how long BPF programs run, which makes each run of each program of the machine 20 to 80 ns longer.")
	flags.BoolVar(&opt.HostPrograms, "collector.bpf-programs", false, "Expose what every BPF program of the machine costs, by name and type.")
	pinPath := flags.String("bpf.pin-path", "", "`PATH` of a folder of a BPF file system, such as /sys/fs/bpf/ply-exporter, in which scripts stay pinned: they count on when the exporter ends, and the next one takes them over.")
	flags.BoolVar(&opt.Strict, "strict", false, "Exit at startup if a script cannot run on this kernel.")
	flags.BoolVar(&opt.KeepGoing, "keep-going", false, "Serve even if no script can run on this kernel, and be ready.")
	flags.BoolVar(&opt.Profiles, "web.enable-pprof", false, "Answer /debug/pprof/ with profiles of the exporter itself, for go tool pprof.")
	flags.BoolVar(&opt.Lifecycle, "web.enable-lifecycle", false, "Let a POST to /-/reload reload the configuration.")
	auto := flags.Bool("config.enable-auto-reload", false, "Reload the configuration when its files have changed.")
	every := intervalFlag(flags, "config.auto-reload-interval", 30*time.Second, "How often to look whether the files have changed.")
	var kept keptCapabilities
	flags.Var(setting{Value: &kept, many: true}, "capabilities.keep", "Capability `NAME` to keep after the start, beside those that serving needs, or all (repeatable).")
	logger := logFlags(flags)
	c.run = func([]string) int {
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
		opt.Log = logger(p.Err)
		return p.serve(load, *attach, *pinPath, opt)
	}
}

// webFlags adds the flags that exporters have for their listener.
func webFlags(flags *pflag.FlagSet) *web.FlagConfig {
	return &web.FlagConfig{
		WebSystemdSocket:   flags.Bool("web.systemd-socket", false, "Use systemd socket activation listeners instead of port listeners (Linux only)."),
		WebListenAddresses: flags.StringArray("web.listen-address", []string{":10759"}, "Addresses on which to expose metrics and web interface. Repeatable for multiple addresses. Examples: :9100 or [::1]:9100 for http, vsock://:9100 for vsock"),
		WebConfigFile:      flags.String("web.config.file", "", "Path to configuration `FILE` that can enable TLS or authentication. See: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md"),
	}
}

// logFlags adds the flags that exporters have for their log.
func logFlags(flags *pflag.FlagSet) func(io.Writer) *slog.Logger {
	level, format := promslog.NewLevel(), promslog.NewFormat()
	_ = format.Set("logfmt") // it exists
	flags.Var(setting{Value: level, options: promslog.LevelFlagOptions}, "log.level", "Only log messages of this severity or above: debug, info, warn or error.")
	flags.Var(setting{Value: format, options: promslog.FormatFlagOptions}, "log.format", "Format of log messages: logfmt or json.")
	return func(w io.Writer) *slog.Logger {
		return promslog.New(&promslog.Config{Level: level, Format: format, Writer: w})
	}
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
