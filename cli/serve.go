package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/configs"
	"ply-exporter/exporter"
	"ply-exporter/plylang"
	"ply-exporter/report"
	"ply-exporter/tracer"
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

func addServe(app *kingpin.Application, add func(*kingpin.CmdClause, func() int)) {
	c := app.Command("serve", "Serve the metrics of a configuration (the default command).").Default()
	paths, attach := configFlags(c), attachFlag(c)
	opt := exporter.Options{Web: kingpinflag.AddFlags(c, ":10759")}
	c.Flag("web.telemetry-path", "Path of the metrics.").Default("/metrics").StringVar(&opt.TelemetryPath)
	own := c.Flag("web.disable-exporter-metrics", "Leave out metrics of the exporter's own process (process_*, go_*).").Bool()
	c.Flag("metrics.max-series", "Most series of one scrape; 0 is no bound.").Default("50000").IntVar(&opt.MaxSeries)
	c.Flag("strict", "Stop the start when a script cannot run on this kernel.").BoolVar(&opt.Strict)
	level, format := promslog.NewLevel(), promslog.NewFormat()
	c.Flag("log.level", "debug, info, warn or error.").Default("info").SetValue(level)
	c.Flag("log.format", "logfmt or json.").Default("logfmt").SetValue(format)
	add(c, func() int {
		opt.ProcessMetrics = !*own
		opt.Log = promslog.New(&promslog.Config{Level: level, Format: format})
		return serve(*paths, *attach, opt)
	})
}

// serve runs until a signal asks it to end, which is a normal end. Before
// anything is attached, a signal ends the process as it does any.
func serve(paths []string, attach string, opt exporter.Options) int {
	defer ignoreHangups(opt.Log)()
	cfg, err := loadConfig(paths)
	if err != nil {
		return fail(plylang.Detail(err))
	}
	if opt.Backend, err = thisKernel(opt.Log, attach); err != nil {
		return fail("ply-exporter: " + plylang.Detail(err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := exporter.Serve(ctx, cfg, opt); err != nil {
		return fail(plylang.Detail(err))
	}
	return statusOK
}

// ignoreHangups keeps SIGHUP from ending the process: service managers and
// rotation of logs send it to daemons to have them reload their configuration.
// The function it returns restores what SIGHUP did before.
func ignoreHangups(log *slog.Logger) (restore func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			log.Warn("SIGHUP ignored: the configuration is not reloaded; restart the exporter to apply changes")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}

// thisKernel returns what compiles for, and runs on, this machine.
func thisKernel(log *slog.Logger, attach string) (exporter.Backend, error) {
	_ = tracer.MountTracefs() // what needs it says what is wrong, and the cure
	k, err := kernel.Running()
	if err != nil {
		return nil, err
	}
	tracer.Detect(k)
	backend := exporter.NewBackend(k, log, attach == attachPlain)
	backend.Sprintf = report.Sprintf
	return backend, nil
}

func loadConfig(paths []string) (*exporter.Config, error) {
	if len(paths) == 0 {
		return exporter.Parse("quickstart.yaml (embedded)", configs.Quickstart)
	}
	return exporter.Load(paths)
}

func addCheck(app *kingpin.Application, add func(*kingpin.CmdClause, func() int)) {
	c := app.Command("check", "Compile a configuration, let this kernel judge it, and list its metrics with labels and cost.")
	paths, attach := configFlags(c), attachFlag(c)
	add(c, func() int { return check(*paths, *attach) })
}

func check(paths []string, attach string) int {
	cfg, err := loadConfig(paths)
	if err != nil {
		return fail(plylang.Detail(err))
	}
	backend, err := thisKernel(slog.New(slog.DiscardHandler), attach)
	if err != nil {
		return fail("ply-exporter: " + plylang.Detail(err))
	}
	out := &output{w: os.Stdout}
	if err := exporter.Check(out, cfg, backend); err != nil {
		return fail(plylang.Detail(err))
	}
	fmt.Fprintln(out, "all scripts run on this kernel")
	return out.status()
}
