package exporter

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/version"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

// The status types are what /api/v1/status answers, and what the page is made of.
// Programs read them: members are added, but neither renamed nor taken away. What is
// not known is null.
type (
	instanceStatus struct {
		Version string         `json:"version"`
		Started time.Time      `json:"started"`
		Read    time.Time      `json:"read"` // when the maps were
		Scrape  *scrapeStatus  `json:"scrape"`
		Config  configStatus   `json:"config"`
		Reload  *reloadStatus  `json:"reload"` // null before the first
		Scripts []scriptStatus `json:"scripts"`
	}

	// scrapeStatus is of the last scrape.
	scrapeStatus struct {
		Time    time.Time `json:"time"`
		Seconds float64   `json:"seconds"`
	}

	configStatus struct {
		Hash   string    `json:"hash"`
		Loaded time.Time `json:"loaded"`
	}

	reloadStatus struct {
		Time  time.Time `json:"time"`
		OK    bool      `json:"ok"`
		Error string    `json:"error"` // with positions, source lines and carets
	}

	scriptStatus struct {
		Name    string        `json:"name"`
		Help    string        `json:"help"`
		File    string        `json:"file"`
		State   string        `json:"state"` // up, failed, waiting for a program, unreadable or over, which is over its budget
		Error   string        `json:"error"`
		Hash    *string       `json:"hash"`
		Created *time.Time    `json:"created"`
		Pinned  bool          `json:"pinned"`     // outlives the exporter
		Waits   []string      `json:"waits_for"`  // programs and libraries that are not there
		Behind  string        `json:"unfollowed"` // why it is not attached to files that have changed
		Cost    costStatus    `json:"cost"`
		Probes  []probeStatus `json:"probes"`
		Maps    []mapStatus   `json:"maps"`
	}

	costStatus struct {
		Budget float64 `json:"budget"` // share of one CPU; 0 is no bound
		takenStatus
		Sample *float64 `json:"sample_ratio"` // part of the events that is looked at
	}

	takenStatus struct {
		CPU        *float64 `json:"cpu_ratio"` // of one CPU, in the mean of a minute
		RunsPerSec *float64 `json:"runs_per_second"`
		RunSeconds *float64 `json:"run_seconds"` // of one run
	}

	probeStatus struct {
		Spec     string  `json:"spec"`
		Kind     string  `json:"kind"`
		Why      string  `json:"why"`
		Sites    int     `json:"sites"`
		Covers   int     `json:"covers"`
		Attached bool    `json:"attached"`
		Error    string  `json:"error"`
		Missed   *uint64 `json:"missed"`

		Cost takenStatus `json:"cost"` // of the programs that serve it
	}

	mapStatus struct {
		Name     string `json:"name"`
		Metric   string `json:"metric"` // "" if it is not exported
		Type     string `json:"type"`
		Unit     string `json:"unit"`
		Query    string `json:"query"`
		Entries  int    `json:"entries"`
		Max      int    `json:"max_entries"`
		Dropped  uint64 `json:"dropped"`
		Overflow uint64 `json:"overflow"` // updates that are in the series whose labels say other
		Filtered int    `json:"filtered"`
		Memory   uint64 `json:"memory_bytes"`

		Expire  float64 `json:"expire_seconds"` // after which keys go that are not updated; 0: never
		Expired uint64  `json:"expired"`        // keys
	}
)

// pageAge is how old what the exporter tells of itself may be.
const pageAge = 2 * time.Second

// A shared is a body as it was made last. All who ask within pageAge get the same
// one, so that however many they are, scrapes are not slower.
type shared struct {
	lock sync.Mutex
	body []byte
	at   time.Time // when the maps were read
}

// get returns the body, made anew when it is too old.
func (s *shared) get(make func() ([]byte, time.Time, error)) ([]byte, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.body != nil && time.Since(s.at) < pageAge {
		return s.body, nil
	}
	body, at, err := make()
	if err != nil {
		return nil, err
	}
	s.body, s.at = body, at
	return body, nil
}

// forget has the next visit get a body that is made anew.
func (s *shared) forget() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.body = nil
}

// changed notes that scripts were started or stopped. Only who may change them
// calls it.
func (in *instance) changed() {
	in.page.forget()
	in.status.forget()
	in.noteReady()
}

// serveStatus answers what programs want to know of the exporter.
func (in *instance) serveStatus(w http.ResponseWriter, _ *http.Request) {
	body, err := in.status.get(func() ([]byte, time.Time, error) {
		view, at := in.view()
		body, err := json.MarshalIndent(view.status(), "", "  ")
		return append(body, '\n'), at, err
	})
	in.serveShared(w, body, err, "application/json")
}

// serveShared answers with what was made, or says that it could not be.
func (in *instance) serveShared(w http.ResponseWriter, body []byte, err error, typ string) {
	if err != nil {
		in.opt.Log.Error("the exporter cannot tell of itself", "err", err)
		http.Error(w, "this could not be made; see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}

// serveConfig answers the files of the configuration that runs, each after its name.
// The file of --web.config.file, which has passwords, is none of them.
func (in *instance) serveConfig(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	for i, f := range in.reloads.last().files {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("# " + decode.ForLabel.Escape(f.Name()) + "\n" + f.Text)
	}
	in.serveShared(w, b.Bytes(), nil, "text/plain; charset=utf-8")
}

// newStatus is the part of the status that is not of scripts. The collector's lock
// is held.
func (in *instance) newStatus(read time.Time) instanceStatus {
	last := in.reloads.last()
	s := instanceStatus{
		Version: version.Version, Started: in.started.UTC(), Read: read.UTC(),
		Config: configStatus{last.hash, last.at.UTC()},
	}
	if c := in.collector; !c.scraped.IsZero() {
		s.Scrape = &scrapeStatus{c.scraped.UTC(), c.took.Seconds()}
	}
	if !last.when.IsZero() {
		s.Reload = &reloadStatus{Time: last.when.UTC(), OK: last.failed == nil}
		if last.failed != nil {
			s.Reload.Error = plylang.Detail(last.failed)
		}
	}
	return s
}

// status is of the script as long as nothing of it was read.
func (s *script) status(budget float64) scriptStatus {
	v := scriptStatus{
		Name: s.conf.Name, Help: s.conf.Help, File: s.conf.Source.Name(), State: "up",
		Cost: costStatus{Budget: budget}, Probes: []probeStatus{}, Maps: []mapStatus{}, Waits: []string{},
	}
	r := s.running
	if r == nil {
		v.State, v.Error = "failed", plylang.Detail(s.err)
		if waits := s.waits(); waits != nil {
			v.State, v.Waits = "waiting", waits
		}
		return v
	}
	v.Behind, v.Waits = r.unfollowed, append(v.Waits, r.gone...)
	created := r.created.UTC()
	v.Hash, v.Created, v.Pinned = &r.object.Hash, &created, r.tracer.Pinned()
	v.Cost.takenStatus = r.spent.status()
	if r.object.Sampled {
		ratio := 1 / float64(r.every)
		v.Cost.Sample = &ratio
	}
	for _, p := range r.tracer.Probes() {
		v.Probes = append(v.Probes, p.status(r.spent.probes[p.Spec]))
	}
	return v
}

// String is for the page.
func (c costStatus) String() string {
	parts := []string{cmp.Or(c.takenStatus.String(), "cost not known yet")}
	if c.Sample != nil && *c.Sample < 1 {
		parts = append(parts, fmt.Sprintf("looks at one event in %.0f", 1 / *c.Sample))
	}
	if c.Budget > 0 {
		parts = append(parts, "budget "+config.Share(c.Budget).String())
	}
	return strings.Join(parts, " · ")
}

// String is for the page; it is empty as long as nothing is known.
func (t takenStatus) String() string {
	var parts []string
	if t.CPU != nil {
		parts = append(parts, config.Share(*t.CPU).String()+" of a CPU", unitText(math.Round(*t.RunsPerSec), "")+" runs a second")
	}
	if t.RunSeconds != nil {
		parts = append(parts, secondsText(*t.RunSeconds)+" for a run")
	}
	return strings.Join(parts, " · ")
}

// status is what was found out of it.
func (t *taken) status() (v takenStatus) {
	if t == nil {
		return v
	}
	if len(t.samples) > 0 {
		share, runs := t.share(), t.runs()
		v.CPU, v.RunsPerSec = &share, &runs
	}
	if mean, known := t.runSeconds(); known {
		v.RunSeconds = &mean
	}
	return v
}

func (p Probe) status(t *taken) probeStatus {
	v := probeStatus{Spec: p.Spec, Kind: p.Kind, Why: p.Why, Sites: p.Sites, Covers: p.Covers, Attached: p.Attached, Cost: t.status()}
	if p.MissedKnown {
		v.Missed = &p.Missed
	}
	if p.Err != nil {
		v.Error = plylang.Detail(p.Err)
	}
	return v
}

func (r mapReading) status() mapStatus {
	m, mp := r.series.m, r.series.mp
	v := mapStatus{
		Name: mp.Name, Type: typeName(m.typ), Unit: m.unit, Entries: r.entries, Max: mp.MaxEntries,
		Dropped: r.dropped, Overflow: r.overflowed, Filtered: r.filtered, Memory: r.memory,
	}
	if mp.Expiry != nil {
		v.Expire, v.Expired = mp.Expiry.After.Seconds(), r.expired
	}
	if m.exported {
		v.Metric, v.Query = m.name, m.query()
	}
	return v
}

// query is what one asks Prometheus about the metric first, with all its labels.
func (m *metric) query() string {
	const lately = "[5m]"
	switch m.typ {
	case counter:
		return "rate(" + m.name + lately + ")"
	case dto.MetricType_HISTOGRAM:
		return "histogram_quantile(0.99, rate(" + m.name + "_bucket" + lately + "))"
	case dto.MetricType_SUMMARY:
		return "rate(" + m.name + "_sum" + lately + ") / rate(" + m.name + "_count" + lately + ")"
	}
	return m.name
}
