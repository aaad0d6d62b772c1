// Package config reads the configuration: one or several YAML files, every
// value with its position, so that whoever finds it wrong later can say where.
// It knows nothing of kernels and metrics.
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"ply-exporter/plylang"
)

// A Config is what all configuration files say together.
type Config struct {
	Scripts []*Script
}

// A Script is one entry of "scripts:".
type Script struct {
	Name       string
	Help       string
	Source     *plylang.Source // nil when it could not be read
	Metrics    []*Metric
	Namespace  string // first part of inferred metric names
	MaxEntries int    // keys of a map that no metric limits; 0: the code generator's default

	At Position // of its name
}

// A Metric is one entry of "metrics:". It refines what is inferred for a map;
// what is zero keeps the inferred value.
type Metric struct {
	Map        string // with its sigil
	Name       string
	Help       string
	Type       string // counter, gauge, histogram
	Unit       string // seconds, bytes, ratio, none
	Scale      string // a positive decimal number
	Labels     []Label
	Buckets    *BucketLimits
	MaxEntries int
	Evict      bool
	Export     *bool

	where map[string]Position // of each key given
}

// A Label names a key of a map and may give its values other names.
type Label struct {
	Name string
	Map  map[string]string
}

// BucketLimits are the lowest and the highest finite bound of a histogram.
// Either may be "", which keeps the default.
type BucketLimits struct{ Min, Max string }

// A Position is somewhere in a configuration file.
type Position struct {
	src *plylang.Source
	pos plylang.Pos
}

// Errorf returns an error at the position.
func (p Position) Errorf(format string, args ...any) *plylang.Error {
	return &plylang.Error{Src: p.src, Pos: p.pos, Msg: fmt.Sprintf(format, args...)}
}

func (p Position) String() string {
	if p.src == nil {
		return "?"
	}
	line, col := p.src.Position(p.pos)
	return fmt.Sprintf("%s:%d:%d", p.src.Name(), line, col)
}

// At returns where a key of the metric was given, else where the metric is.
func (m *Metric) At(key string) Position {
	if p, ok := m.where[key]; ok {
		return p
	}
	return m.where[""]
}

// Given returns where a key of the metric was given, if it was.
func (m *Metric) Given(key string) (Position, bool) {
	p, ok := m.where[key]
	return p, ok
}

// Load reads configuration files; of a folder, every *.yaml in it whose name
// does not begin with a dot, sorted. Its error is a plylang.ErrorList with
// everything that is wrong, or says which file cannot be read.
func Load(paths []string) (*Config, error) {
	files, err := expandFolders(paths)
	if err != nil {
		return nil, err
	}
	cfg := &Config{}
	var errs plylang.ErrorList
	for _, file := range files {
		data, err := readLimited(file)
		if err != nil {
			return nil, err
		}
		scripts, found := readConfig(file, data)
		cfg.Scripts = append(cfg.Scripts, scripts...)
		errs = append(errs, found...)
	}
	return cfg.finish(errs)
}

// Parse reads one configuration from memory. Files it names are looked for
// beside file.
func Parse(file string, data []byte) (*Config, error) {
	scripts, errs := readConfig(file, data)
	return (&Config{Scripts: scripts}).finish(errs)
}

func (c *Config) finish(errs plylang.ErrorList) (*Config, error) {
	errs = append(errs, duplicateNames(c.Scripts)...)
	if len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

func expandFolders(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("configuration %s", cause(err))
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		inside, err := filesIn(path)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
	}
	return files, nil
}

func filesIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("configuration %s", cause(err))
	}
	var files []string
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if strings.HasPrefix(e.Name(), ".") || filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		files = append(files, path)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("configuration %s: the folder has no *.yaml file", folder)
	}
	sort.Strings(files)
	return files, nil
}

// topLevel is what one file says.
type topLevel struct {
	namespace  string
	maxEntries int
	scripts    []*Script
	Given      bool
}

// readConfig reads one file's text.
func readConfig(file string, data []byte) ([]*Script, plylang.ErrorList) {
	doc, root := parseDocument(file, data)
	if root.node == nil {
		return nil, doc.errs
	}
	var top topLevel
	readMapping(root, "the configuration", &top, []field[topLevel]{
		{"namespace", func(t *topLevel, v value) { t.namespace = v.namespace() }},
		{"defaults", func(t *topLevel, v value) { t.maxEntries = readDefaults(v) }},
		{"scripts", func(t *topLevel, v value) { t.scripts, t.Given = readScripts(v), true }},
	})
	if !top.Given {
		root.fail(`no "scripts:" here: a configuration needs at least one script`)
	}
	for _, s := range top.scripts {
		s.Namespace, s.MaxEntries = top.namespace, top.maxEntries
		if s.Namespace == "" {
			s.Namespace = defaultNamespace
		}
	}
	doc.errs.Sort()
	return top.scripts, doc.errs
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

func readDefaults(v value) (maxEntries int) {
	readMapping(v, "defaults", &maxEntries, []field[int]{
		{"max_entries", func(n *int, v value) { *n = v.count("max_entries", maxMaxEntries) }},
	})
	return maxEntries
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

func duplicateNames(scripts []*Script) plylang.ErrorList {
	var errs plylang.ErrorList
	seen := map[string]*Script{}
	for _, s := range scripts {
		first, ok := seen[s.Name]
		if ok && s.Name != "" {
			errs = append(errs, s.At.Errorf("script %q is already defined at %s", s.Name, first.At))
			continue
		}
		seen[s.Name] = s
	}
	return errs
}
