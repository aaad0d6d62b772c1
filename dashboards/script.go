package dashboards

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ply-exporter/exporter"
)

// script adds the row of a script.
func (p *page) script(s exporter.ScriptInfo, closed bool) {
	var panels []panel
	for _, m := range s.Metrics {
		panels = append(panels, p.metricPanels(s, m)...)
	}
	p.row(rowTitle(s), closed, panels...)
}

// maxTitle is how much of the help of a script the title of its row has.
const maxTitle = 120

func rowTitle(s exporter.ScriptInfo) string {
	help := strings.Join(strings.Fields(s.Help), " ")
	if first, _, more := strings.Cut(help, ". "); more {
		help = first
	}
	help = strings.TrimSuffix(help, ".")
	switch {
	case help == "":
		return s.Name
	case len(help) > maxTitle:
		help = help[:strings.LastIndexByte(help[:maxTitle], ' ')] + " …"
	}
	return s.Name + ": " + help
}

// A family is a metric as its panels need it.
type family struct {
	exporter.MetricInfo
	title  string
	labels []string // as they are after the scrape
	legend string   // {{device}} {{operation}}
	filter string
}

// newFamily gives a metric a title that no other has: one with its unit if needed.
func (p *page) newFamily(s exporter.ScriptInfo, m exporter.MetricInfo) *family {
	f := &family{MetricInfo: m, title: title(s, m), filter: instances}
	if p.titles[f.title] {
		f.title = sentence(nameWithUnit(s, m))
	}
	p.titles[f.title] = true
	var parts []string
	for _, l := range m.Labels {
		l = scraped(l)
		f.labels, parts = append(f.labels, l), append(parts, "{{"+l+"}}")
	}
	f.legend = strings.Join(parts, " ")
	return f
}

// scraped is what a label is called after a scrape, which sets two itself.
func scraped(label string) string {
	if label == "job" || label == "instance" {
		return "exported_" + label
	}
	return label
}

// metricPanels are the panels of a metric.
func (p *page) metricPanels(s exporter.ScriptInfo, m exporter.MetricInfo) []panel {
	f := p.newFamily(s, m)
	switch m.Type {
	case "counter":
		return f.counter()
	case "gauge":
		return f.gauge()
	case "histogram":
		return f.histogram()
	case "summary":
		return f.summary()
	default:
		panic("unexpected type of metric " + m.Type)
	}
}

func (f *family) counter() []panel {
	return []panel{f.lines(f.title, unitPerSecond(f.unit()), rate(f.Name, f.filter, f.labels...), f.legend)}
}

// gauge shows every instance by itself: it is not known what their sum would mean.
func (f *family) gauge() []panel {
	q := query(func(w window) string { return w.read("max", f.Name, f.filter) })
	unit := unitOf(f.unit())
	if f.unit() == "timestamp" {
		inner := q
		q = func(w window) string { return "time() - " + inner(w) }
	}
	labels := append([]string{"instance"}, f.labels...)
	x := f.lines(f.title, unit, q, strings.TrimSpace("{{instance}} "+f.legend))
	x.targets[0].query = byTop(q, "max", labels)
	x.title = topTitle(f.title)
	return []panel{x}
}

// byTop is the top of a query that has no aggregation.
func byTop(q query, aggregation string, labels []string) query {
	grouped := query(func(w window) string { return fmt.Sprintf("%s (%s)", by(aggregation, labels), q(w)) })
	return grouped.top(maxSeries)
}

func (f *family) histogram() []panel {
	unit := unitOf(f.unit())
	description := f.description()
	value := f.value()
	distribution := panel{kind: heat, title: value + ", distribution", description: description, unit: unit, targets: []target{{buckets(f.Name, f.filter), "{{le}}"}}}
	quantiles := panel{title: value + ", quantiles", description: description, unit: unit}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		quantiles.targets = append(quantiles.targets, target{quantile(q, f.Name, f.filter), fmt.Sprintf("p%v", q*100)})
	}
	if len(f.labels) == 0 {
		return []panel{distribution, quantiles}
	}
	count := events(f.Name, f.filter, f.labels...)
	tail := quantile(0.99, f.Name, f.filter, f.labels...)
	slowest := panel{title: value + ", p99 by " + list(f.Labels), description: description, unit: unit, targets: []target{{tail, f.legend}}}
	often := panel{title: f.title + ", number per second by " + list(f.Labels), description: description, unit: "cps", targets: []target{{count, f.legend}}}
	if f.many() {
		slowest.targets[0].query = func(w window) string { return fmt.Sprintf("(%s) and topk(%d, %s)", tail(w), maxSeries, count(whole)) }
		often.targets[0].query = count.top(maxSeries)
		slowest.title, often.title = topTitle(slowest.title), topTitle(often.title)
	}
	return []panel{distribution, quantiles, slowest, often}
}

func (f *family) summary() []panel {
	return []panel{
		f.lines(f.value()+", mean", unitOf(f.unit()), mean(f.Name, f.filter, f.labels...), f.legend),
		f.lines(f.title+", number per second", "cps", rate(f.Name+"_count", f.filter, f.labels...), f.legend),
	}
}

// lines is a panel of lines, of the largest ones if there can be many.
func (f *family) lines(title, unit string, q query, legend string) panel {
	x := panel{title: title, description: f.description(), unit: unit}
	if len(f.labels) > 0 {
		x.title += " by " + list(f.Labels)
	}
	if f.many() {
		q, x.title = q.top(maxSeries), topTitle(x.title)
	}
	if legend == "" {
		legend = f.title
	}
	x.targets = []target{{q, legend}}
	return x
}

// times are words for which a number of seconds needs no other.
var times = []string{"age", "delay", "duration", "latency", "time", "wait"}

// value is the title of what a histogram or summary has a distribution of: "Filesystem
// time", as "Filesystem" could be anything.
func (f *family) value() string {
	if f.unit() != "seconds" || slices.ContainsFunc(times, func(w string) bool { return strings.HasSuffix(f.title, w) }) {
		return f.title
	}
	return f.title + " time"
}

// many says that the metric may have more series than a picture can show.
func (f *family) many() bool { return len(f.labels) > 0 && (f.MaxKeys == 0 || f.MaxKeys > maxSeries) }

func topTitle(title string) string { return fmt.Sprintf("%s (top %d)", title, maxSeries) }

func (f *family) description() string {
	help := strings.TrimSpace(f.Help)
	if help == "" {
		return f.Name
	}
	if !strings.HasSuffix(help, ".") {
		help += "."
	}
	return help + "\n\n" + f.Name
}

// list is labels as people name them: "device and operation".
func list(labels []string) string {
	n := len(labels) - 1
	if n == 0 {
		return labels[0]
	}
	return strings.Join(labels[:n], ", ") + " and " + labels[n]
}

// title is a metric's name without what the row and the axis say: its namespace, unit
// and _total.
func title(s exporter.ScriptInfo, m exporter.MetricInfo) string {
	name := nameWithUnit(s, m)
	if _, suffix := unitSuffix(name); suffix != name {
		name = strings.TrimSuffix(name, suffix)
	}
	return sentence(name)
}

func nameWithUnit(s exporter.ScriptInfo, m exporter.MetricInfo) string {
	return strings.TrimPrefix(strings.TrimSuffix(m.Name, "_total"), s.Namespace+"_")
}

// written are words that are not written in small letters.
var written = map[string]string{
	"bpf": "BPF", "cpu": "CPU", "dns": "DNS", "icmp": "ICMP", "io": "I/O", "ip": "IP", "gc": "GC", "gnutls": "GnuTLS", "nfs": "NFS", "oom": "OOM", "openssl": "OpenSSL", "postgresql": "PostgreSQL", "tcp": "TCP", "tls": "TLS", "udp": "UDP", "vfs": "VFS",
}

// sentence is a name as words.
func sentence(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' })
	if len(words) == 0 {
		return name
	}
	for i, w := range words {
		words[i] = cmp.Or(written[w], w)
	}
	words[0] = strings.ToUpper(words[0][:1]) + words[0][1:]
	return strings.Join(words, " ")
}
