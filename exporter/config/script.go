package config

import (
	"cmp"
	"regexp"
	"slices"
	"time"

	"ply-exporter/plylang"
)

// topLevel is what one file says.
type topLevel struct {
	namespace string
	defaults  defaults
	scripts   []*Script
	Given     bool
}

// defaults hold for the maps of one file that do not say otherwise.
type defaults struct {
	maxEntries int
	expire     *time.Duration
	native     *Native
}

// readConfig reads one file's text.
func (l Loader) readConfig(file string, data []byte) ([]*Script, plylang.ErrorList) {
	doc, root := parseDocument(file, data, `a configuration needs at least "scripts:" with one script`)
	doc.loader = l
	l.keep(doc.src)
	if root.node == nil {
		return nil, doc.errs
	}
	var top topLevel
	readMapping(root, "the configuration", &top, configFields)
	if !top.Given {
		root.fail(`no "scripts:" here: a configuration needs at least one script`)
	}
	doc.errs.Sort()
	return top.defaulted(), doc.errs
}

var configFields = []field[topLevel]{
	{"namespace", func(t *topLevel, v value) { t.namespace = v.namespace() }},
	{"defaults", func(t *topLevel, v value) { readMapping(v, "defaults", &t.defaults, defaultFields) }},
	{"scripts", func(t *topLevel, v value) { t.scripts, t.Given = readScripts(v), true }},
}

// defaulted are the scripts with what holds for their file.
func (t *topLevel) defaulted() []*Script {
	for _, s := range t.scripts {
		s.Namespace, s.MaxEntries, s.Expire = cmp.Or(t.namespace, defaultNamespace), t.defaults.maxEntries, t.defaults.expire
		s.Native = t.defaults.native
	}
	return t.scripts
}

const (
	defaultNamespace = "ply"
	maxMaxEntries    = 10_000_000
)

var (
	scriptName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	metricName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

func (v value) namespace() string {
	name := v.text("namespace")
	if name != "" && !metricName.MatchString(name) {
		v.fail("namespace %q: only letters, digits and _ may be in it, and no digit first", name)
	}
	return name
}

var defaultFields = []field[defaults]{
	{"max_entries", func(d *defaults, v value) { d.maxEntries = v.count("max_entries", maxMaxEntries) }},
	{"expire", func(d *defaults, v value) { d.expire = v.expire() }},
	{"native", func(d *defaults, v value) { d.native = v.native() }},
}

func readScripts(v value) []*Script {
	var out []*Script
	elems := v.list("scripts")
	if v.isList() && len(elems) == 0 {
		v.fail("scripts is empty: a configuration needs at least one")
	}
	for _, e := range elems {
		out = append(out, readScript(e))
	}
	return out
}

var scriptFields = []field[Script]{
	{"name", func(s *Script, v value) { s.Name, s.At = v.scriptName(), v.position() }},
	{"help", func(s *Script, v value) { s.Help = v.text("help") }},
	{"script", func(s *Script, v value) { s.setSource(v, v.script) }},
	{"file", func(s *Script, v value) { s.setSource(v, v.scriptFile) }},
	{"budget", func(s *Script, v value) { s.Budget = v.budget() }},
	{"sample", func(s *Script, v value) { s.Sample = v.sample() }},
	{"metrics", func(s *Script, v value) { s.Metrics = readMetrics(v) }},
}

func readScript(v value) *Script {
	s := &Script{At: v.position()}
	before := len(v.doc.errs)
	readMapping(v, "a script", s, scriptFields)
	if len(v.doc.errs) > before {
		return s
	}
	if s.Name == "" {
		v.fail("a script needs a name")
	}
	if s.Source == nil {
		v.fail(`a script needs "script:" with its text, or "file:"`)
	}
	return s
}

func (s *Script) setSource(v value, read func() *plylang.Source) {
	if s.Source != nil {
		v.fail(`"script:" and "file:" are both given: keep one`)
		return
	}
	s.Source = read()
}

// reservedNames would make metric names that the exporter itself uses.
var reservedNames = []string{"exporter", "map", "probe", "scrape", "script"}

func (v value) scriptName() string {
	name := v.text("name")
	switch {
	case name == "":
	case !scriptName.MatchString(name):
		v.fail("script name %q: only lower case letters, digits and _ may be in it, a letter first", name)
	case slices.Contains(reservedNames, name):
		v.fail("script name %q is reserved for the exporter's own metrics: choose another", name)
	}
	return name
}

func (v value) position() Position { return Position{v.doc.src, v.pos()} }
