package exporter

import (
	"cmp"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ply-exporter/tracer"
)

// What all BPF programs of the machine cost
//
// Programs come and go, and many have the same name. Those of one name and type are one
// series, to which each reading adds what its programs have added since the reading
// before. So a series does not fall when a program is unloaded, and begins at 0 when the
// exporter does, as increase() and rate() need it: what a program did before, the kernel
// goes on to say after a restart of the exporter, and it would be counted twice.
//
// The kernel adds up the time of programs only while it keeps statistics. With those of
// moments the sums would be a hundredth of the truth, so they are left out unless
// statistics are always kept.

// maxHostNames bounds the names that have series of their own.
const maxHostNames = 250

// otherName is the name and type of all programs beyond.
const otherName = "other"

// A HostReader reads the BPF programs of the machine; tracer.Host is one.
type HostReader interface {
	// Read returns the programs, and how many were loaded and unloaded since the
	// reading before.
	Read() (programs []tracer.HostProgram, unseen int, err error)
}

// A hostCollector is the collector of the metrics of all BPF programs.
type hostCollector struct {
	lock         sync.Mutex
	reader       HostReader
	log          *slog.Logger
	timed        func() bool // whether statistics are always kept
	countsMissed bool

	at     time.Time // when the programs were read last
	begun  time.Time // when they were first read
	known  map[uint32]tracer.HostProgram
	names  map[hostKey]*hostName
	unseen int
	failed bool // the last reading
}

// A hostKey is what programs have in common that are one series.
type hostKey struct {
	name, typ string
	ours      bool
}

// A hostName is what the programs of one key did.
type hostName struct {
	hostKey
	since  time.Time
	last   time.Time // when there was one
	count  int
	memory uint64
	did    tracer.Cost
	missed uint64
}

var hostLabels = []string{"name", "type", "ours"}

var (
	hostCount   = prometheus.NewDesc("ply_host_bpf_programs", "BPF programs that are loaded, of whomever. Programs of one name and type are added up in all metrics; ours are the exporter's.", hostLabels, nil)
	hostMemory  = prometheus.NewDesc("ply_host_bpf_program_memory_bytes", "Kernel memory of BPF programs, without their maps.", hostLabels, nil)
	hostRuns    = prometheus.NewDesc("ply_host_bpf_program_runs_total", "Runs of BPF programs since the exporter started. Absent unless the kernel always keeps statistics (--bpf.stats, or kernel.bpf_stats_enabled=1).", hostLabels, nil)
	hostSeconds = prometheus.NewDesc("ply_host_bpf_program_run_seconds_total", "Time of runs of BPF programs since the exporter started. Absent unless the kernel always keeps statistics (--bpf.stats, or kernel.bpf_stats_enabled=1).", hostLabels, nil)
	hostMissed  = prometheus.NewDesc("ply_host_bpf_program_missed_total", "Runs of BPF programs that the kernel left out because a program ran on that CPU. Absent where the kernel does not count them.", hostLabels, nil)
	hostUnseen  = prometheus.NewDesc("ply_host_bpf_programs_unseen_total", "BPF programs that were loaded and unloaded between two scrapes, and are in no other metric.", nil, nil)
)

// Describe implements prometheus.Collector.
func (h *hostCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{hostCount, hostMemory, hostRuns, hostSeconds, hostMissed, hostUnseen} {
		ch <- d
	}
}

// newHostCollector returns one that has read the programs which are there, before those
// of scripts are loaded.
func newHostCollector(b Backend, log *slog.Logger, timed func() bool) *hostCollector {
	h := &hostCollector{log: log, timed: timed, names: map[hostKey]*hostName{}}
	h.reader, h.countsMissed = b.Host()
	h.begin()
	return h
}

// begin reads the programs from which on is counted.
func (h *hostCollector) begin() {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.update(); !h.failed && !h.timed() {
		h.log.Warn("how long BPF programs of this machine run is not exported: it takes --bpf.stats, or the setting kernel.bpf_stats_enabled=1")
	}
}

// Collect implements prometheus.Collector.
func (h *hostCollector) Collect(ch chan<- prometheus.Metric) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.update(); h.failed {
		return
	}
	timed := h.timed()
	for _, n := range h.names {
		n.collect(ch, timed, h.countsMissed)
	}
	ch <- total(hostUnseen, float64(h.unseen), h.begun)
}

// total is a sample of a counter.
func total(d *prometheus.Desc, v float64, since time.Time, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetricWithCreatedTimestamp(d, prometheus.CounterValue, v, since, labels...)
}

func (n *hostName) collect(ch chan<- prometheus.Metric, timed, countsMissed bool) {
	labels := []string{n.name, n.typ, strconv.FormatBool(n.ours)}
	ch <- prometheus.MustNewConstMetric(hostCount, prometheus.GaugeValue, float64(n.count), labels...)
	ch <- prometheus.MustNewConstMetric(hostMemory, prometheus.GaugeValue, float64(n.memory), labels...)
	if timed {
		ch <- total(hostRuns, float64(n.did.Runs), n.since, labels...)
		ch <- total(hostSeconds, n.did.Time.Seconds(), n.since, labels...)
	}
	if countsMissed {
		ch <- total(hostMissed, float64(n.missed), n.since, labels...)
	}
}

// update adds what programs did since the last reading.
func (h *hostCollector) update() {
	programs, unseen, err := h.reader.Read()
	if h.note(err); h.failed {
		return
	}
	now := time.Now()
	known := make(map[uint32]tracer.HostProgram, len(programs))
	for _, n := range h.names {
		n.count, n.memory = 0, 0
	}
	for _, p := range programs {
		known[p.ID] = p
		before := h.known[p.ID]
		if h.begun.IsZero() {
			before = p
		}
		n := h.nameOf(hostKey{p.Name, p.Type, p.Ours})
		n.add(before, p)
		n.last = now
	}
	h.known, h.at, h.begun = known, now, cmp.Or(h.begun, now)
	h.unseen += unseen
}

// add adds what a program did since it was read before.
func (n *hostName) add(before, p tracer.HostProgram) {
	if p.Runs < before.Runs {
		before = tracer.HostProgram{} // another one, which has the ID now
	}
	did := p.Minus(before.Cost)
	n.did.Runs += did.Runs
	n.did.Time += did.Time
	n.missed += p.Missed - before.Missed
	n.count++
	n.memory += p.Memory
}

// nameOf is where programs of a key are counted. Where there is no more room, it is that
// of the name whose programs are gone for the longest time, or that of all others.
func (h *hostCollector) nameOf(key hostKey) *hostName {
	if n := h.names[key]; n != nil {
		return n
	}
	if len(h.names) >= maxHostNames {
		if gone := h.longestGone(); gone != nil {
			delete(h.names, gone.hostKey)
		} else if others := (hostKey{otherName, otherName, false}); key != others {
			return h.nameOf(others)
		}
	}
	n := &hostName{hostKey: key, since: cmp.Or(h.at, time.Now())}
	h.names[key] = n
	return n
}

// longestGone is the name of which no program was there for the longest time, nil if
// all had one at the last reading.
func (h *hostCollector) longestGone() (gone *hostName) {
	for _, n := range h.names {
		if n.last.Before(h.at) && (gone == nil || n.last.Before(gone.last)) {
			gone = n
		}
	}
	return gone
}

// note logs when it begins and ends that programs cannot be read.
func (h *hostCollector) note(err error) {
	if err != nil && !h.failed {
		h.log.Warn("the BPF programs of this machine cannot be read, so that --collector.bpf-programs has no effect", "err", err)
	}
	if err == nil && h.failed {
		h.log.Info("the BPF programs of this machine can be read again")
	}
	h.failed = err != nil
}
