package exporter

import (
	"slices"
	"strings"
	"unicode"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// inferName returns <namespace>_<script>_<map>, with the unit and, on
// counters, _total. The map's part is left out for "@" and when it equals the
// script's name; a suffix already there is not repeated.
func inferName(s *config.Script, mapName, unit string, counter bool) string {
	name := join(s.Namespace, s.Name)
	if part := snake(strings.TrimLeft(mapName, "$@")); part != "" && part != s.Name {
		name = join(name, part)
	}
	if counter {
		name = strings.TrimSuffix(name, "_total")
	}
	if suffix := unitSuffix[unit]; !strings.HasSuffix(name, suffix) {
		name = join(name, suffix)
	}
	if counter {
		name = join(name, "total")
	}
	return name
}

// join puts one _ between the parts of a name.
func join(a, b string) string { return strings.TrimRight(a, "_") + "_" + strings.TrimLeft(b, "_") }

// snake turns a name into lower case words with _ between: "rxBytes" and
// "RXBytes" become "rx_bytes".
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if r > unicode.MaxASCII || r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			r = '_'
		}
		if unicode.IsUpper(r) && startsWord(runes, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// startsWord says whether the upper case letter at i begins a word: after a
// lower case letter or digit, or as the last capital before a small letter.
func startsWord(runes []rune, i int) bool {
	if i == 0 || runes[i-1] == '_' {
		return false
	}
	if !unicode.IsUpper(runes[i-1]) {
		return true
	}
	return i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

// Suffixes that a family's samples or its metadata may carry.
var familySuffixes = []string{"_total", "_bucket", "_sum", "_count", "_created", "_info"}

// ownPrefixes begin the metrics of the exporter's own process, and those that
// it has of itself and of the machine, which are no script's.
var ownPrefixes = []string{"go_", "process_", "promhttp_", "ply_exporter_", "ply_host_bpf_program"}

// scrapeMetrics are those that Prometheus itself makes of each target.
var scrapeMetrics = []string{
	"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
	"scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes",
}

// A family is a metric's name as collisions see it: a counter's without
// _total.
func family(name string, counter bool) string {
	if counter {
		return strings.TrimSuffix(name, "_total")
	}
	return name
}

// collide says whether two families may not be in one exposition, because one
// is, or has a sample with, the other's name.
func collide(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	rest, ok := strings.CutPrefix(b, a)
	return ok && (rest == "" || slices.Contains(familySuffixes, rest))
}

// A nameCheck finds metrics that would get one name.
type nameCheck struct {
	byName map[string]*metric // by family and by family with each suffix
}

// add reports what m collides with, if anything.
func (c *nameCheck) add(m *metric) *plylang.Error {
	fam := family(m.name, m.isCounter())
	if own := selfFamily(fam); own != "" {
		return m.nameAt.Errorf("metric name %s belongs to the exporter's own %s: choose another with name:", m.name, own)
	}
	if slices.Contains(scrapeMetrics, m.name) {
		return m.nameAt.Errorf("metric name %s belongs to Prometheus, which makes it of each target: choose another with name:", m.name)
	}
	if c.byName == nil {
		c.byName = map[string]*metric{}
	}
	claims := []string{fam}
	for _, suffix := range familySuffixes {
		claims = append(claims, fam+suffix)
	}
	if other := c.clash(fam, claims); other != nil {
		return m.nameAt.Errorf("map %s of script %s would be exported as %s, which collides with %s of map %s, script %s: set name: in one of them",
			m.decl.Name, m.script.Name, m.name, other.name, other.decl.Name, other.script.Name)
	}
	c.byName[fam] = m
	return nil
}

func (c *nameCheck) clash(fam string, claims []string) *metric {
	for _, claim := range claims {
		if other := c.byName[claim]; other != nil {
			return other
		}
	}
	for _, suffix := range familySuffixes {
		if base, ok := strings.CutSuffix(fam, suffix); ok && c.byName[base] != nil {
			return c.byName[base]
		}
	}
	return nil
}

// selfFamily returns which of the exporter's own metrics a family collides
// with, "" when none.
func selfFamily(fam string) string {
	for _, own := range selfMetrics {
		if collide(fam, family(own.name, own.typ == dto.MetricType_COUNTER)) {
			return own.name
		}
	}
	for _, prefix := range ownPrefixes {
		if strings.HasPrefix(fam, prefix) {
			return prefix + "*"
		}
	}
	return ""
}
