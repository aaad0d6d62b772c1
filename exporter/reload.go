package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Reloads
//
// A reload starts and stops what has changed. A script whose compiled form is the
// same goes on counting, and its probes are never detached; where its metrics have
// other names, labels or buckets now, its series are made anew and keep their starts,
// unless a series of before would go on with the counts of something else: then the
// script begins again, see takesNames. One that has changed is started before that of the old text is stopped: both count
// for a moment, and what is exported begins at 0 at once. A configuration that is
// wrong changes nothing, and neither does one with which a script that runs would
// not.

// reloads is what is known of them. It is the collector of their metrics.
type reloads struct {
	lock  sync.Mutex // held while one is under way
	ended bool       // the exporter has: nothing is started any more
	tried string     // what was read last, or why it could not be

	shown sync.Mutex // of what follows
	outcome
}

// An outcome is what runs, and what became of the last reload.
type outcome struct {
	hash   string // of the configuration that runs
	files  []*plylang.Source
	at     time.Time // when it was loaded
	failed error     // why that which was read after it does not run
	when   time.Time // when there was a reload; zero if there was none
}

// begin notes the configuration of the start.
func (r *reloads) begin(cfg *config.Config) {
	r.tried, r.hash, r.files, r.at = cfg.Hash, cfg.Hash, cfg.Files, time.Now()
}

// done notes what became of a reload.
func (r *reloads) done(cfg *config.Config, err error) {
	r.shown.Lock()
	defer r.shown.Unlock()
	if r.failed, r.when = err, time.Now(); err == nil {
		r.hash, r.files, r.at = cfg.Hash, cfg.Files, r.when
	}
}

// last returns what became of the last reload.
func (r *reloads) last() outcome {
	r.shown.Lock()
	defer r.shown.Unlock()
	return r.outcome
}

var (
	reloadOK   = prometheus.NewDesc("ply_exporter_config_last_reload_successful", "Whether the configuration that was read last is the one that runs.", nil, nil)
	reloadTime = prometheus.NewDesc("ply_exporter_config_last_reload_success_timestamp_seconds", "When the configuration that runs was loaded.", nil, nil)
	configInfo = prometheus.NewDesc("ply_exporter_config_info", "The hash of the files of the configuration that runs, always 1.", []string{"hash"}, nil)
)

// Describe implements prometheus.Collector.
func (r *reloads) Describe(ch chan<- *prometheus.Desc) {
	ch <- reloadOK
	ch <- reloadTime
	ch <- configInfo
}

// Collect implements prometheus.Collector.
func (r *reloads) Collect(ch chan<- prometheus.Metric) {
	last := r.last()
	ch <- prometheus.MustNewConstMetric(reloadOK, prometheus.GaugeValue, boolValue(last.failed == nil))
	ch <- prometheus.MustNewConstMetric(reloadTime, prometheus.GaugeValue, float64(last.at.UnixMilli())/1000)
	ch <- prometheus.MustNewConstMetric(configInfo, prometheus.GaugeValue, 1, last.hash)
}

// reload loads the configuration again, and says in the log what became of it. One
// that is asked for meanwhile comes after it.
func (in *instance) reload(why string) error {
	r := &in.reloads
	r.lock.Lock()
	defer r.lock.Unlock()
	in.opt.Backend.Prepare()
	cfg, err := in.opt.Load()
	return in.apply(cfg, err, why)
}

// settled is how long files must not change before they are taken: an editor may
// have written half of one.
const settled = time.Second

// reloadChanged reloads if what is read differs from what was read last. Files are
// read each time: what notifies of changes is silent when Kubernetes turns a link.
func (in *instance) reloadChanged(ctx context.Context) {
	r := &in.reloads
	r.lock.Lock()
	defer r.lock.Unlock()
	cfg, err := in.opt.Load()
	if identity(cfg, err) == r.tried {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(min(settled, in.opt.AutoReload)):
	}
	in.opt.Backend.Prepare()
	defer giveBack(in.opt.Backend)
	first := identity(cfg, err)
	if cfg, err = in.opt.Load(); identity(cfg, err) == first {
		_ = in.apply(cfg, err, "the files have changed") // it is logged
	}
}

// identity is the same for files with the same content, and for the same fault.
func identity(cfg *config.Config, err error) string {
	if err != nil {
		return plylang.Detail(err)
	}
	return cfg.Hash
}

// apply has the exporter run a configuration, or says why it does not.
func (in *instance) apply(cfg *config.Config, err error, why string) error {
	r := &in.reloads
	if r.ended {
		return errors.New("the exporter ends")
	}
	r.tried = identity(cfg, err)
	in.manager.reloading()
	defer func() { in.manager.ready(in.collector.scripts) }()
	begin := time.Now()
	var c *change
	if err == nil {
		c, err = in.change(cfg)
	}
	r.done(cfg, err)
	in.changed()
	if err != nil {
		in.opt.Log.Error("configuration not reloaded: the one before goes on", "reason", why, "err", err)
		return err
	}
	in.opt.Log.Info("configuration reloaded", "reason", why, "took", time.Since(begin).Round(time.Millisecond),
		"unchanged", c.kept, slog.Any("started", c.started), slog.Any("stopped", c.stopped))
	return nil
}

// A change is what a reload has done to scripts.
type change struct {
	kept             int // how many go on counting
	started, stopped []string
}

// change replaces the scripts by those of another configuration.
func (in *instance) change(cfg *config.Config) (*change, error) {
	old, same := map[string]*running{}, map[string]*running{}
	for _, s := range in.collector.scripts {
		if s.running != nil {
			old[s.conf.Name] = s.running
			if !in.outdated(s) {
				same[s.conf.Name] = s.running
			}
		}
	}
	scripts, fatal := recompile(cfg, in.opt.Backend, same)
	if len(fatal) > 0 {
		return nil, fatal
	}
	limitMemory(scripts, in.opt.MemoryBudget)
	heirs, err := in.inherit(scripts, old)
	if err != nil {
		return nil, err
	}
	start(scripts, in.opt.Backend)
	if err := in.refuse(scripts, old); err != nil {
		stop(without(scripts, heirs))
		return nil, err
	}
	before := in.collector.replace(scripts, heirs)
	stopped := without(before, heirs)
	stop(stopped)
	started := without(scripts, heirs)
	in.reportFailures(scripts)
	in.reportRunning(started)
	in.reportChanges(before, scripts)
	return &change{len(heirs), namesOf(started), namesOf(stopped)}, nil
}

// tidy gives back what only a reload needed, once it is answered. The next one waits for
// that.
func (in *instance) tidy() {
	in.reloads.lock.Lock()
	defer in.reloads.lock.Unlock()
	giveBack(in.opt.Backend)
}

// reportChanges logs what becomes of the series of scripts that were there before: a
// query that asks for another name or label finds nothing from now on.
func (in *instance) reportChanges(before, after []*script) {
	for _, s := range after {
		was := find(before, s.conf.Name)
		if was == nil || was.compiled == nil || s.compiled == nil {
			continue
		}
		for _, line := range s.compiled.against(was.compiled) {
			in.opt.Log.Info("series change", "script", s.conf.Name, "change", line)
		}
	}
}

// refuse says why a configuration is not taken whose scripts were started: one with
// which a script that runs would not is none that anybody wants.
func (in *instance) refuse(scripts []*script, old map[string]*running) error {
	var ended []*script
	for _, s := range scripts {
		if s.err != nil && old[s.conf.Name] != nil {
			ended = append(ended, s)
		}
	}
	if len(ended) > 0 {
		return endedBy(groupFailures(ended))
	}
	return in.unfit(scripts)
}

// An endedBy is why scripts that run would not with another configuration.
type endedBy failures

func (e endedBy) Error() string { return e.names() + failures(e).Error() }

// Detail returns the reasons with source lines and carets.
func (e endedBy) Detail() string { return e.names() + "\n" + failures(e).Detail() }

func (e endedBy) names() string {
	var names []string
	for _, f := range e {
		names = append(names, f.scripts...)
	}
	return fmt.Sprintf("what runs as %s would end: ", strings.Join(names, ", "))
}

// serveReload answers POST /-/reload.
func (in *instance) serveReload(w http.ResponseWriter, _ *http.Request) {
	if !in.opt.Lifecycle {
		say(w, http.StatusForbidden, "The lifecycle API is off: start the exporter with --web.enable-lifecycle.\n")
		return
	}
	if err := in.reload("a request"); err != nil {
		say(w, http.StatusInternalServerError, "The configuration was not reloaded, the one before goes on:\n"+plylang.Detail(err)+"\n")
	} else {
		say(w, http.StatusOK, "The configuration was reloaded.\n")
	}
	_ = http.NewResponseController(w).Flush()
	in.tidy()
}
