package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"ply-exporter/plylang"
)

// A TestFile is what one test file says: which configuration it is about, and
// its tests.
type TestFile struct {
	Config *Config
	Tests  []*Test
}

// A Test is one entry of "tests:".
type Test struct {
	Name                   string
	Needs                  Needs
	Before, Command, After string // for sh -c; Before and After may be ""
	Env                    []string
	Timeout                time.Duration // of each of the commands
	ExitStatus             int           // of the command
	Expect                 []*Expectation

	where places
}

// At returns where a key of the test was given, else where the test is.
func (t *Test) At(key string) Position { return t.where.at(key) }

// Needs are what a test is skipped without.
type Needs struct {
	Kernel   string // the oldest release, "5.15"
	Probes   []string
	Commands []string

	At Position
}

// An Expectation is one entry of "expect:": what is true of the series that its
// selector picks, added up.
type Expectation struct {
	Series          *Selector
	Value, Min, Max *Bound // nil when not given
	Absent          bool   // there is no such series
	Labels          []string

	where places
}

// At returns where a key of the expectation was given, else where it is.
func (e *Expectation) At(key string) Position { return e.where.at(key) }

// DefaultTimeout is how long a command of a test may take unless the file says.
const DefaultTimeout = 30 * time.Second

// maxTimeout is longer than anybody waits for a test.
const maxTimeout = 24 * time.Hour

// LoadTests reads a test file and the configuration that it names. Its error is a
// plylang.ErrorList with everything that is wrong, or says which file cannot be
// read.
func (l Loader) LoadTests(file string) (*TestFile, error) {
	data, err := l.read(file)
	if err != nil {
		return nil, err
	}
	return l.parseTests(file, data)
}

func (l Loader) parseTests(file string, data []byte) (*TestFile, error) {
	doc, root := parseDocument(file, data, `a test file needs at least "tests:" with one test`)
	doc.loader = l
	if root.node == nil {
		return nil, doc.errs
	}
	top := testTop{timeout: DefaultTimeout}
	readMapping(root, "the test file", &top, testTopFields)
	errs := top.finish(root)
	errs.Sort()
	if err := errs.Err(); err != nil {
		return nil, err
	}
	cfg, err := top.config(l, file)
	return &TestFile{cfg, top.tests}, err
}

// testTop is what a test file says: a configuration by its name, or scripts as in
// a configuration.
type testTop struct {
	topLevel
	files   []string
	at      Position // of "config:"
	timeout time.Duration
	tests   []*Test
	tested  bool
}

var testTopFields = append([]field[testTop]{
	{"config", func(t *testTop, v value) { t.files, t.at = v.texts("config"), v.position() }},
	{"timeout", func(t *testTop, v value) { t.timeout = v.timeout() }},
	{"tests", func(t *testTop, v value) { t.tests, t.tested = readTests(v), true }},
}, fieldsOf(configFields, func(t *testTop) *topLevel { return &t.topLevel })...)

// fieldsOf are the fields of a part of T.
func fieldsOf[T, U any](fields []field[U], part func(*T) *U) []field[T] {
	var out []field[T]
	for _, f := range fields {
		out = append(out, field[T]{f.key, func(t *T, v value) { f.set(part(t), v) }})
	}
	return out
}

// finish completes the tests and returns all errors of the file.
func (t *testTop) finish(root value) plylang.ErrorList {
	switch {
	case len(root.doc.errs) > 0:
	case len(t.files) > 0 && t.Given:
		root.doc.errs = append(root.doc.errs, t.at.Errorf(`"config:" and "scripts:" are both given: keep one`))
	case len(t.files) == 0 && !t.Given:
		root.fail(`nothing to test here: name a configuration with "config:", or write "scripts:" as in one`)
	case len(t.files) > 0 && (t.namespace != "" || t.defaults != (defaults{})):
		root.fail(`"namespace:" and "defaults:" are for "scripts:" in this file, not for "config:"`)
	case !t.tested:
		root.fail(`no "tests:" here: a test file needs at least one`)
	}
	for _, test := range t.tests {
		if test.Timeout == 0 {
			test.Timeout = t.timeout
		}
	}
	return append(root.doc.errs, duplicateTests(t.tests)...)
}

func duplicateTests(tests []*Test) plylang.ErrorList {
	var errs plylang.ErrorList
	seen := map[string]*Test{}
	for _, t := range tests {
		if first, ok := seen[t.Name]; ok && t.Name != "" {
			errs = append(errs, t.At("name").Errorf("test %q is already defined at %s", t.Name, first.At("name")))
			continue
		}
		seen[t.Name] = t
	}
	return errs
}

// config is the configuration that is tested.
func (t *testTop) config(l Loader, file string) (*Config, error) {
	if len(t.files) == 0 {
		return (&Config{Scripts: t.defaulted()}).finish(nil)
	}
	paths := slices.Clone(t.files)
	for i, path := range paths {
		if !filepath.IsAbs(path) {
			paths[i] = filepath.Join(filepath.Dir(file), path)
		}
		if _, err := os.Stat(paths[i]); err != nil {
			return nil, plylang.ErrorList{t.at.Errorf("configuration %s: give it relative to the test file", cause(err))}
		}
	}
	return l.Load(paths)
}

var (
	testName   = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	kernelName = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
)

var testFields = recordPlaces(func(t *Test) places { return t.where }, []field[Test]{
	{"name", func(t *Test, v value) { t.Name = v.testName() }},
	{"needs", func(t *Test, v value) { t.Needs = readNeeds(v) }},
	{"before", func(t *Test, v value) { t.Before = v.text("before") }},
	{"command", func(t *Test, v value) { t.Command = v.text("command") }},
	{"after", func(t *Test, v value) { t.After = v.text("after") }},
	{"env", func(t *Test, v value) { t.Env = readEnv(v) }},
	{"timeout", func(t *Test, v value) { t.Timeout = v.timeout() }},
	{"exit_status", func(t *Test, v value) { t.ExitStatus = v.exitStatus() }},
	{"expect", func(t *Test, v value) { t.Expect = readExpectations(v) }},
})

func readTests(v value) []*Test {
	var out []*Test
	elems := v.list("tests")
	if v.isList() && len(elems) == 0 {
		v.fail("tests is empty: a test file needs at least one")
	}
	for _, e := range elems {
		out = append(out, readTest(e))
	}
	return out
}

func readTest(v value) *Test {
	t := &Test{where: places{"": v.position()}}
	before := len(v.doc.errs)
	readMapping(v, "a test", t, testFields)
	if len(v.doc.errs) > before {
		return t
	}
	for _, key := range []struct {
		missing bool
		what    string
	}{
		{t.Name == "", `a test needs a name`},
		{t.Command == "", `a test needs "command:", which is run by sh -c`},
		{len(t.Expect) == 0, `a test needs "expect:", a list of series and what is true of them`},
	} {
		if key.missing {
			v.fail("%s", key.what)
		}
	}
	return t
}

func (v value) testName() string {
	name := v.word("name")
	if name != "" && !testName.MatchString(name) {
		v.fail("test name %q: only letters, digits, _, . and - may be in it", name)
	}
	return name
}

func readNeeds(v value) Needs {
	n := Needs{At: v.position()}
	readMapping(v, "needs", &n, []field[Needs]{
		{"kernel", func(n *Needs, v value) { n.Kernel = v.kernelRelease() }},
		{"probes", func(n *Needs, v value) { n.Probes = v.texts("probes") }},
		{"commands", func(n *Needs, v value) { n.Commands = v.texts("commands") }},
	})
	return n
}

func (v value) kernelRelease() string {
	release := v.word("kernel")
	if release != "" && !kernelName.MatchString(release) {
		v.fail("kernel must be a release such as 5.15, not %q", release)
	}
	return release
}

// texts are the elements of a list, or one text alone.
func (v value) texts(what string) []string {
	if v.isScalar() {
		return []string{v.text(what)}
	}
	var out []string
	for _, e := range v.list(what) {
		out = append(out, e.text(what))
	}
	return out
}

func readEnv(v value) []string {
	var out []string
	for _, pair := range v.pairs("env") {
		name := pair[0].node.Value
		if strings.Contains(name, "=") {
			pair[0].fail("a variable's name has no = in it")
		}
		if v := pair[1]; v.isScalar() && v.node.Value == "" && v.node.Tag == "!!str" {
			out = append(out, name+"=")
			continue
		}
		out = append(out, name+"="+pair[1].word("the value of "+name))
	}
	return out
}

func (v value) timeout() time.Duration { return v.duration("timeout", time.Nanosecond, maxTimeout) }

func (v value) exitStatus() int {
	const most = 255
	if v.isScalar() && v.node.Value == "0" {
		return 0
	}
	return v.count("exit_status", most)
}

var expectationFields = recordPlaces(func(e *Expectation) places { return e.where }, []field[Expectation]{
	{"series", func(e *Expectation, v value) { e.Series = v.selector() }},
	{"value", func(e *Expectation, v value) { e.Value = v.bound("value") }},
	{"min", func(e *Expectation, v value) { e.Min = v.bound("min") }},
	{"max", func(e *Expectation, v value) { e.Max = v.bound("max") }},
	{"absent", func(e *Expectation, v value) { e.Absent = v.flag("absent") }},
	{"labels", func(e *Expectation, v value) { e.Labels = append([]string{}, v.labelNames()...) }},
})

// labelNames are those of a list, which may be empty.
func (v value) labelNames() (out []string) {
	for _, e := range v.list("labels") {
		out = append(out, e.text("a label"))
	}
	return out
}

func readExpectations(v value) []*Expectation {
	var out []*Expectation
	for _, v := range v.list("expect") {
		e := &Expectation{where: places{"": v.position()}}
		before := len(v.doc.errs)
		readMapping(v, "an expectation", e, expectationFields)
		if len(v.doc.errs) == before {
			e.check(v)
		}
		out = append(out, e)
	}
	return out
}

// check finds keys that are missing, or contradict each other.
func (e *Expectation) check(v value) {
	bounded := e.Min != nil || e.Max != nil
	switch {
	case e.Series == nil:
		v.fail(`an expectation needs "series:", such as ply_x_total{device="sda"}`)
	case e.Value == nil && !bounded && !e.Absent && e.Labels == nil:
		v.fail(`an expectation says what is true of its series: value, min, max, absent: true, or labels`)
	case e.Value != nil && bounded:
		v.fail("value is exact: leave out min and max")
	case e.Absent && (bounded || e.Value != nil || e.Labels != nil):
		v.fail("a series that is absent has no value and no labels: leave them out")
	case e.Min != nil && e.Max != nil && e.Min.Number.Cmp(e.Max.Number) > 0:
		v.fail("min %s is above max %s", e.Min.Text, e.Max.Text)
	}
}

// selector reads the selector of series, and reports its errors where they are.
func (v value) selector() *Selector {
	text := v.text("series")
	if text == "" {
		return nil
	}
	s, at, err := parseSelector(text)
	if err != nil {
		v.doc.errs.Add(v.doc.src, v.inText(text, at), "series: %s", err)
		return nil
	}
	return s
}

// inText returns where an offset of a text is in the file: where the text begins,
// if it is written with escapes or on several lines.
func (v value) inText(text string, offset int) plylang.Pos {
	at := v.textPos()
	for _, begin := range []plylang.Pos{at, at + 1} {
		if strings.HasPrefix(v.doc.src.Text[min(int(begin), len(v.doc.src.Text)):], text) {
			return begin + plylang.Pos(offset)
		}
	}
	return at
}

// MatcherAt returns where a matcher's label is, or nearby.
func (e *Expectation) MatcherAt(label string) Position {
	p := e.At("series")
	if i := strings.Index(e.Series.Text, label); i > 0 {
		text := p.src.Text[p.pos:]
		if j := strings.Index(text, e.Series.Text); j == 0 || j == 1 {
			return Position{p.src, p.pos + plylang.Pos(i+j)}
		}
	}
	return p
}
