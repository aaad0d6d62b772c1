package exporter

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint/validations"
	"github.com/prometheus/common/model"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Check compiles every script, lets this kernel verify it, and
// writes to w what each will export and what it costs. Its error holds all
// mistakes, and all that this kernel lacks or that exceeds the limit of memory.
// It warns of more series than the limit.
func Check(w io.Writer, cfg *config.Config, b Backend, limits Limits) error {
	scripts, _ := compile(cfg, b)
	limitMemory(scripts, limits.Memory)
	var errs joined
	series, memory := 0, 0
	for _, s := range scripts {
		if s.err == nil {
			s.err = b.Verify(s.compiled.object)
		}
		if s.err != nil {
			errs = append(errs, s.err)
			fmt.Fprintf(w, "script %s: %s\n", s.conf.Name, s.whyNot())
			continue
		}
		s.compiled.describe(w, s.fullKeys(b))
		series += s.compiled.maxSeries()
		memory += s.compiled.object.Memory()
		for _, note := range s.notes {
			fmt.Fprintf(w, "    note: %s\n", indent(note.Detail()))
		}
		for _, warning := range append(s.warnings, s.compiled.metrics.lint()...) {
			fmt.Fprintf(w, "    warning: %s\n", indent(warning.Detail()))
		}
	}
	fmt.Fprintf(w, "all scripts together: at most %s series, about %s of kernel memory\n", groupDigits(uint64(series)), memoryText(memory))
	if limits.Series > 0 && series > limits.Series {
		fmt.Fprintf(w, "warning: the maps have room for %s series, a scrape sends %s: lower max_entries or raise --metrics.max-series\n",
			groupDigits(uint64(series)), groupDigits(uint64(limits.Series)))
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// whyNot says whose fault it is that a script does not run.
func (s *script) whyNot() string {
	if s.mistaken {
		return "has errors"
	}
	return "does not run here"
}

// maxSeries is how many series the script can have.
func (c *compiled) maxSeries() (n int) {
	for i, m := range c.metrics {
		if m.exported {
			n += m.maxSeries(c.object.Maps[i])
		}
	}
	return n
}

// maxSeries is how many series the metric can have, with those of the other keys.
func (m *metric) maxSeries(mp *object.Map) int {
	n, other := mp.MaxEntries, mp.Overflow != nil && len(m.labels) > 0
	switch {
	case m.top > 0 && m.starts(): // as many linger
		n, other = min(n, 2*m.top), true
	case m.top > 0:
		n = min(n, m.top)
	}
	if other {
		n++
	}
	return n * m.seriesPerSample()
}

// describe writes what a script exports.
func (c *compiled) describe(w io.Writer, full map[string]fullKey) {
	fmt.Fprintf(w, "script %s: %s, %s, about %s of kernel memory\n", c.conf.Name,
		plural(len(c.object.Programs), "program"), plural(c.sites(), "attach point"), memoryText(c.object.Memory()))
	for _, line := range c.programLines() {
		fmt.Fprintln(w, line)
	}
	if text := c.conf.Sample.String(); text != "" {
		fmt.Fprintf(w, "    looks at %s\n", text)
	}
	for i, m := range c.metrics {
		if m.exported {
			m.describe(w, c.object.Maps[i], c.object.CPUs, c.checked)
			if key, dropped := full[m.decl.Name]; dropped {
				fmt.Fprintf(w, "        dropped from the key: %s; with all of it at most %s series, about %s of kernel memory\n",
					strings.Join(key.parts, ", "), groupDigits(uint64(key.series)), memoryText(key.memory))
			}
			continue
		}
		mp := c.object.Maps[i]
		fmt.Fprintf(w, "    %s is not exported, about %s of kernel memory\n", m.decl.Name, memoryText(mp.Memory(c.object.CPUs)))
		if mp.Expiry != nil {
			fmt.Fprintf(w, "        %s\n", expiryText(mp.Expiry))
		}
	}
}

// programLines are a line for each way in which a specification is attached: of
// a glob's many programs most say the same.
func (c *compiled) programLines() []string {
	var lines []string
	programs := map[string]int{}
	for _, p := range c.object.Programs {
		line := fmt.Sprintf("    %s: %s%s", specList(p.Specs), p.Attach, reason(p.Why))
		if programs[line]++; programs[line] == 1 {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		if n := programs[line]; n > 1 {
			lines[i] += fmt.Sprintf(", %d programs", n)
		}
	}
	return lines
}

func reason(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func (c *compiled) sites() (n int) {
	for _, p := range c.object.Programs {
		n += len(p.Points)
	}
	return n
}

func (m *metric) describe(w io.Writer, mp *object.Map, cpus int, checked *plylang.Script) {
	line, col := checked.Src.Position(m.decl.Pos)
	fmt.Fprintf(w, "    %s%s\n", m.signature(), reason(cmp.Or(m.whyGauge(), m.sinceStart(mp))))
	fmt.Fprintf(w, "        from %s at %s:%d:%d, %s\n", sourceText(m.decl), checked.Src.Name(), line, col, shortList(storingSpecs(checked, m.decl)))
	for _, l := range m.labels {
		if text := l.text(); text != "" {
			fmt.Fprintf(w, "        %s\n", text)
		}
	}
	for _, line := range m.groupNotes() {
		fmt.Fprintf(w, "        %s\n", line)
	}
	if m.typ == dto.MetricType_HISTOGRAM {
		fmt.Fprintf(w, "        le: %s\n", m.bounds.text())
	}
	if b, ok := mp.Buckets.(*object.Exponential); ok {
		fmt.Fprintf(w, "        native: %s\n", m.native.text(b))
	}
	switch {
	case m.top > 0 && m.starts():
		fmt.Fprintf(w, "        the %d largest, and one of all others; series that were among them stay for some minutes\n", m.top)
	case m.top > 0:
		fmt.Fprintf(w, "        the %d largest\n", m.top)
	}
	fmt.Fprintf(w, "        at most %s series, about %s of kernel memory\n",
		groupDigits(uint64(m.maxSeries(mp))), memoryText(mp.Memory(cpus)))
	if mp.KeySize > 0 {
		fmt.Fprintf(w, "        keys: %s, %s\n", groupDigits(uint64(mp.MaxEntries)), m.maxKeysBy(mp))
	}
	if mp.Expiry != nil {
		fmt.Fprintf(w, "        %s\n", expiryText(mp.Expiry))
	}
}

// expiryText says when keys go.
func expiryText(e *object.Expiry) string {
	return fmt.Sprintf("keys not updated for %s expire, at most %s later", model.Duration(e.After), model.Duration(e.Tick()))
}

// signature is a metric's name, labels and type.
func (m *metric) signature() string {
	names := make([]string, len(m.labels))
	for i, l := range m.labels {
		names[i] = l.name
	}
	labels := ""
	if len(names) > 0 {
		labels = "{" + strings.Join(names, ",") + "}"
	}
	return m.name + labels + " " + typeName(m.typ)
}

// whyGauge says why a metric that adds up is no counter; "" where it is one, or
// is told to be a gauge.
func (m *metric) whyGauge() string {
	adds := bpfgen.ValuesOf(m.decl.Agg).Metrics
	if m.typ != dto.MetricType_GAUGE || adds[0] != object.MetricCounter || m.given != nil && m.given.Type != "" {
		return ""
	}
	return fmt.Sprintf("%s is signed, so that the sum can fall: type: counter says that it does not", m.decl.Args[0])
}

// sinceStart says of the largest and the smallest values that they are those since the
// script started, which alerts on them do not end by: "" of others, and of points in time,
// which go on.
func (m *metric) sinceStart(mp *object.Map) string {
	if m.decl.Agg == nil || m.decl.Value == nil || m.decl.Value.Unit == plylang.Timestamp || mp.Cleared() {
		return ""
	}
	switch m.decl.Agg.Name {
	case "max":
		return "the largest since the script started, so that it never falls: quantize() tells what is recent"
	case "min":
		return "the smallest since the script started, so that it never rises: quantize() tells what is recent"
	}
	return ""
}

// maxKeysBy says who limits the keys of a map.
func (m *metric) maxKeysBy(mp *object.Map) string {
	switch {
	case mp.Storage == object.Array:
		return "as many as its key can have"
	case m.given != nil && m.given.MaxEntries > 0:
		return "by its max_entries"
	case m.script.MaxEntries > mp.MaxEntries:
		return fmt.Sprintf("the default of histograms: max_entries of defaults, %s, is for other maps", groupDigits(uint64(m.script.MaxEntries)))
	case m.script.MaxEntries > 0:
		return "by max_entries of defaults"
	}
	return "by default"
}

// lint says of the names the user chose what promtool would.
func (list metrics) lint() plylang.ErrorList {
	var errs plylang.ErrorList
	for _, m := range list.exported() {
		for _, problem := range lintMetric(m) {
			errs = append(errs, m.nameAt.Errorf("metric %s: %s", m.name, problem))
		}
	}
	return errs
}

// noTotal is what promlint says of a name that warn has more to say of.
const noTotal = `counter metrics should have "_total" suffix`

// abbreviated is what promlint says of a name with a part such as s or ms. In a
// name that is inferred it comes from that of a script or a map.
const abbreviated = "metric names should not contain abbreviated units"

// lints are the validations of promlint, whose Linter would link the parsers of all
// exposition formats.
var lints = []func(*dto.MetricFamily) []error{
	validations.LintHelp,
	validations.LintMetricUnits,
	validations.LintCounter,
	validations.LintHistogramSummaryReserved,
	validations.LintMetricTypeInName,
	validations.LintReservedChars,
	validations.LintCamelCase,
	validations.LintUnitAbbreviations,
	validations.LintDuplicateMetric,
}

// lintFamily is what promlint says of a family, sorted, each text once.
func lintFamily(f *dto.MetricFamily) []string {
	var texts []string
	for _, lint := range lints {
		for _, err := range lint(f) {
			texts = append(texts, err.Error())
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func lintMetric(m *metric) []string {
	sample := &dto.Metric{}
	for i := range m.labels {
		sample.Label = append(sample.Label, &dto.LabelPair{Name: &m.labels[i].name, Value: new(string)})
	}
	f := &dto.MetricFamily{Name: &m.name, Help: &m.help, Type: m.typ.Enum(), Metric: []*dto.Metric{sample}}
	inferred := m.given == nil || m.given.Name == ""
	return slices.DeleteFunc(lintFamily(f), func(text string) bool {
		return text == noTotal || inferred && text == abbreviated
	})
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }
