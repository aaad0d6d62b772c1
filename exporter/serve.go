package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/exporter-toolkit/web"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Options are what the command line says about serving.
type Options struct {
	Backend Backend
	Log     *slog.Logger
	Web     *web.FlagConfig // listen addresses, systemd socket, TLS and users

	// TelemetryPath is where the metrics are: "/metrics".
	TelemetryPath string

	// MaxSeries bounds the series of one scrape; 0 is no bound.
	MaxSeries int

	// MemoryBudget bounds the kernel memory of all scripts' maps, in bytes: those
	// that exceed it do not run. 0 is no bound.
	MemoryBudget int

	// CPUBudget is the share of a CPU that each script may take, unless its
	// configuration says another. 0 is no bound.
	CPUBudget config.Share

	// Statistics has the kernel always keep statistics of BPF programs, which makes
	// each run of each of them longer.
	Statistics bool

	// HostPrograms adds metrics of all BPF programs of the machine.
	HostPrograms bool

	// MaxRequests bounds the scrapes under way, and as many visits of the page.
	MaxRequests int

	// ProcessMetrics adds the metrics of the exporter's own process.
	ProcessMetrics bool

	// CreatedSamples sends created timestamps in the OpenMetrics text too, as
	// _created samples. The protobuf format has them always.
	CreatedSamples bool

	// Strict stops the start when a script cannot run on this kernel.
	Strict bool

	// KeepGoing serves even when no script can run.
	KeepGoing bool

	// Started is called when all scripts were started; it may be nil.
	Started func()

	// Load reads the configuration again; Reload asks for that. With Lifecycle a
	// POST to /-/reload does, too, and every AutoReload, unless that is 0, it is
	// looked whether it has changed.
	Load       func() (*config.Config, error)
	Reload     <-chan os.Signal
	Lifecycle  bool
	Profiles   bool // answer /debug/pprof/
	AutoReload time.Duration
}

// An instance is a serving exporter.
type instance struct {
	opt       Options
	collector *collector
	page      shared // HTML
	status    shared // JSON
	servers   []*http.Server
	started   time.Time
	readiness atomic.Int32
	manager   manager
	reloads   reloads
	blind     bool // it is not known what scripts take of a CPU
	measures  bool // the kernel always keeps statistics for this process
}

// Serve compiles and starts all scripts and serves until ctx ends, which is no
// error:
//
//	cfg, err := config.Load([]string{"probes.yaml"})
//	…
//	err = exporter.Serve(ctx, cfg, exporter.Options{
//		Backend: exporter.NewBackend(k, log, false), Log: log,
//		Web: &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &socket, WebConfigFile: &file},
//		TelemetryPath: "/metrics", MaxRequests: 100,
//	})
//
// It needs Linux 5.10 or later. A mistake of the user's is an error before
// anything was attached; what this kernel lacks fails its script alone, unless
// opt.Strict. When it fails all of them, that is an error, unless opt.KeepGoing.
func Serve(ctx context.Context, cfg *config.Config, opt Options) error {
	if err := opt.check(); err != nil {
		return err
	}
	allowGarbage(startPercent)
	opened := time.Now()
	listeners, err := listen(opt.Web)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	scripts, fatal := compile(cfg, opt.Backend)
	if len(fatal) > 0 {
		return fatal
	}
	limitMemory(scripts, opt.MemoryBudget)
	in := &instance{opt: opt, started: time.Now(), manager: manager{log: opt.Log}}
	defer in.keepStatistics().Close()
	in.collector = &collector{scripts: scripts, maxSeries: opt.MaxSeries, log: opt.Log, more: in.processMetrics(), timed: in.timed}
	in.reloads.begin(cfg)
	defer in.end()
	in.collector.lock.Lock() // scrapes wait for the scripts,
	in.reloads.lock.Lock()   // and reloads for the first configuration
	failed := in.serveHTTP(listeners)
	defer in.shutdown()
	err = in.startFirst(scripts, opened)
	in.reloads.ended = err != nil
	in.reloads.lock.Unlock()
	if err != nil {
		return err
	}
	defer in.manager.tell(daemon.SdNotifyStopping)
	go in.manager.watch(in.collector, ctx.Done())
	return in.run(ctx, failed)
}

// startFirst starts the scripts of an exporter that began to listen at a time. Its error
// is why it is not to serve them.
func (in *instance) startFirst(scripts []*script, opened time.Time) error {
	start(scripts, in.opt.Backend)
	openedAt(scripts, opened)
	in.collector.answerFirst() // before all that can wait
	giveBack(in.opt.Backend)
	if err := in.report(scripts); err != nil {
		return err
	}
	if in.opt.Started != nil {
		in.opt.Started()
	}
	in.noteReady()
	in.manager.ready(scripts)
	return nil
}

// openedAt notes when the exporter of scripts that were just started began to
// listen.
func openedAt(scripts []*script, at time.Time) {
	for _, s := range scripts {
		if s.running != nil {
			s.running.opened = at
		}
	}
}

// run serves, and loads the configuration again when it is asked to.
func (in *instance) run(ctx context.Context, failed <-chan error) error {
	var looks <-chan time.Time
	if in.opt.AutoReload > 0 {
		ticker := time.NewTicker(in.opt.AutoReload)
		defer ticker.Stop()
		looks = ticker.C
	}
	samples := time.After(nextSample())
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		case sig := <-in.opt.Reload:
			_ = in.reload(sig.String()) // it is logged
			in.tidy()
		case <-looks:
			in.reloadChanged(ctx)
		case <-samples:
			in.watchSpending(ctx)
			samples = time.After(nextSample())
		}
	}
}

// end stops all scripts that are not pinned, after a reload that is under way.
func (in *instance) end() {
	in.reloads.lock.Lock()
	defer in.reloads.lock.Unlock()
	in.reloads.ended = true
	in.collector.leave()
}

// joined is several errors as one whose Detail has all source lines.
type joined []error

func (j joined) Error() string { return errors.Join(j...).Error() }

// Detail returns all errors with source lines and carets.
func (j joined) Detail() string {
	text := ""
	for i, err := range j {
		if i > 0 {
			text += "\n"
		}
		text += plylang.Detail(err)
	}
	return text
}

func (in *instance) processMetrics() prometheus.Gatherer {
	reg := prometheus.NewRegistry()
	reg.MustRegister(versioncollector.NewCollector("ply_exporter"), &in.reloads)
	if in.opt.ProcessMetrics {
		reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	if in.opt.HostPrograms {
		reg.MustRegister(newHostCollector(in.opt.Backend, in.opt.Log, in.timed))
	}
	return reg
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// shutdown lets requests that are under way end, within reason.
func (in *instance) shutdown() {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, s := range in.servers {
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
	}
}

// serveHTTP serves on every listener. The channel yields the first error.
func (in *instance) serveHTTP(listeners []net.Listener) <-chan error {
	failed, handler := make(chan error, len(listeners)), in.handler()
	for _, l := range listeners {
		server := in.newServer(handler)
		in.servers = append(in.servers, server)
		go func() {
			if err := web.Serve(l, server, in.opt.Web, in.opt.Log); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("web server at %s: %w", l.Addr(), err)
			}
		}()
	}
	return failed
}
