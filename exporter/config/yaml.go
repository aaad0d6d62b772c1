package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"ply-exporter/plylang"
)

// Limits on a configuration file. A document may use aliases, but not to grow
// beyond maxValues when they are followed.
const (
	maxFileSize = 1 << 20
	maxValues   = 100_000
)

// A document is one YAML file being read. What is wrong with it collects in
// errs, each diagnostic at its position in the file.
type document struct {
	src    *plylang.Source
	loader Loader // of the scripts that it names
	lines  []int  // byte offset at which each line begins
	errs   plylang.ErrorList
	values int
}

// A value is one node of a document, its aliases followed.
type value struct {
	doc  *document
	node *yaml.Node
}

// parseDocument parses data as the only YAML document of a file, which must not be
// empty: it says what it needs. The value's node is nil when there is none; the
// document's errs then say why.
func parseDocument(file string, data []byte, needs string) (doc *document, root value) {
	doc = &document{src: &plylang.Source{File: file, Text: string(data)}}
	doc.lines = append(doc.lines, 0)
	for i, c := range data {
		if c == '\n' {
			doc.lines = append(doc.lines, i+1)
		}
	}
	if !doc.readable(data) {
		return doc, value{}
	}
	first, second, err := decodeYAML(data)
	switch {
	case err != nil:
		doc.errs.Add(doc.src, doc.faultPosition(data, err), "%s", yamlMessage(err))
	case isEmpty(first):
		doc.errs.Add(doc.src, 0, "empty: %s", needs)
	case second != nil:
		doc.errs.Add(doc.src, doc.offset(max(second.Line, 1), 1), "a second document: put it into a file of its own")
	default:
		return doc, doc.value(first.Content[0])
	}
	return doc, value{}
}

// readable refuses what YAML would read differently from how people count
// lines, and what is no text at all.
func (d *document) readable(data []byte) bool {
	switch {
	case len(data) > maxFileSize:
		d.src.Text = ""
		d.errs.Add(d.src, 0, "%d bytes are too many for a configuration: the limit is %d", len(data), maxFileSize)
	case bytes.IndexByte(data, 0) >= 0:
		d.errs.Add(d.src, plylang.Pos(bytes.IndexByte(data, 0)), "not a text file: it has a NUL byte here")
	case !utf8.Valid(data):
		d.errs.Add(d.src, plylang.Pos(invalidUTF8(data)), "not valid UTF-8 from here on: save the file as UTF-8")
	case breakSpecial.Match(data):
		d.errs.Add(d.src, plylang.Pos(breakSpecial.FindIndex(data)[0]),
			"a line break that editors do not count: end lines with a line feed")
	}
	return len(d.errs) == 0
}

// breakSpecial matches what ends a line in YAML but not in an editor.
var breakSpecial = regexp.MustCompile("\r(?:[^\n]|$)|[\u0085\u2028\u2029]")

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// decodeYAML returns the first document of data and the second, if there is
// one. The YAML package panics on some hostile documents; that is an error like
// any other.
func decodeYAML(data []byte) (first, second *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be read as YAML: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var docs [2]yaml.Node
	for i := range docs {
		if err := dec.Decode(&docs[i]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, err
		}
		if i > 0 {
			second = &docs[i]
		}
	}
	return &docs[0], second, nil
}

func isEmpty(n *yaml.Node) bool {
	return len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!null"
}

// faultPosition returns where an error of the YAML package is. The package
// tells the line at which the list or mapping around it began, or none at all.
// But it reads from the front and stops at what is wrong, so the shortest
// beginning of the file that gives this very error ends there. A file so large
// that trying takes long has to do with the package's line.
func (d *document) faultPosition(data []byte, err error) plylang.Pos {
	if m := yamlPrefix.FindStringSubmatch(err.Error()); len(data) > maxTried && m != nil {
		line, _ := strconv.Atoi(m[1])
		return d.offset(max(line, 1), 1)
	}
	n := sort.Search(len(data), func(n int) bool {
		_, _, e := decodeYAML(data[:n])
		return e != nil && e.Error() == err.Error()
	})
	return plylang.Pos(max(n-1, 0))
}

// maxTried is the size of a file up to which the place of an error is searched.
const maxTried = 128 << 10

var yamlPrefix = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlHints say what to do about what the YAML package finds, by the beginning
// of its message.
var yamlHints = []struct{ message, hint string }{
	{"found character that cannot start any token", "put the text in quotes, or indent with spaces where it is a tab"},
	{"found a tab character", "indent with spaces"},
	{"mapping values are not allowed", `put a text with ": " in it in quotes, and indent a key like its neighbors`},
	{"could not find expected ':'", "a key needs a colon, and the lines of a script more indentation than its key"},
	{"did not find expected key", "indent it like its neighbors, and close quotes only at the end of a text"},
	{"did not find expected '-' indicator", "indent it like its neighbors"},
	{"found unexpected end of stream", "close what begins here"},
}

// yamlMessage is an error of the YAML package without its position, with a hint.
func yamlMessage(err error) string {
	msg := yamlPrefix.ReplaceAllString(err.Error(), "")
	for _, c := range yamlHints {
		if strings.HasPrefix(msg, c.message) {
			return msg + ": " + c.hint
		}
	}
	return msg
}

// line returns the text of a line, from 1, without its end.
func (d *document) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	text, _, _ := strings.Cut(d.src.Text[d.lines[n-1]:], "\n")
	return strings.TrimSuffix(text, "\r")
}

// offset returns the byte offset of a line and a column as YAML counts them:
// from 1, columns in characters.
func (d *document) offset(line, col int) plylang.Pos {
	if line < 1 || line > len(d.lines) {
		return plylang.Pos(len(d.src.Text))
	}
	at := d.lines[line-1]
	for ; col > 1 && at < len(d.src.Text) && d.src.Text[at] != '\n'; col-- {
		_, size := utf8.DecodeRuneInString(d.src.Text[at:])
		at += size
	}
	return plylang.Pos(at)
}

func (d *document) value(n *yaml.Node) value {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.values++
	return value{d, n}
}

func (v value) pos() plylang.Pos { return v.doc.offset(v.node.Line, v.node.Column) }

func (v value) fail(format string, args ...any) {
	v.doc.errs.Add(v.doc.src, v.pos(), format, args...)
}

// kind names what a value is, in the user's words.
func (v value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch v.node.Tag {
	case "!!str":
		return "text"
	case "!!int":
		return "a number"
	case "!!float":
		return "a decimal number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	}
	return v.node.Tag
}

func (v value) isScalar() bool { return v.node.Kind == yaml.ScalarNode }

// text returns the value's text; what YAML takes for something else must be
// quoted. It is not empty but after an error.
func (v value) text(what string) string {
	if !v.isScalar() || v.node.Tag != "!!str" {
		hint := ""
		if v.isScalar() && v.node.Tag != "!!null" {
			hint = fmt.Sprintf(": write \"%s\"", v.node.Value)
		}
		v.fail("%s must be text, not %s%s", what, v.kind(), hint)
		return ""
	}
	return v.notEmpty(what)
}

// word returns the text of any scalar: for what people write without quotes.
// It is not empty but after an error.
func (v value) word(what string) string {
	if !v.isScalar() || v.node.Tag == "!!null" {
		v.fail("%s must be a word or a number, not %s", what, v.kind())
		return ""
	}
	return v.notEmpty(what)
}

func (v value) notEmpty(what string) string {
	if v.node.Value == "" {
		v.fail("%s must not be empty", what)
	}
	return v.node.Value
}

// count returns a whole number from 1 to limit.
func (v value) count(what string, limit int) int {
	if !v.isScalar() || v.node.Tag != "!!int" {
		v.fail("%s must be a whole number, not %s", what, v.kind())
		return 0
	}
	n, ok := parseNumber(v.node.Value)
	if !ok || !n.IsInt() || !n.Num().IsInt64() || n.Num().Int64() < 1 || n.Num().Int64() > int64(limit) {
		v.fail("%s must be from 1 to %d", what, limit)
		return 0
	}
	return int(n.Num().Int64())
}

// flag returns true or false.
func (v value) flag(what string) bool {
	if !v.isScalar() || v.node.Tag != "!!bool" {
		v.fail("%s must be true or false, not %s", what, v.kind())
		return false
	}
	return strings.EqualFold(v.node.Value, "true")
}

// choice returns one of the words allowed.
func (v value) choice(what string, allowed ...string) string {
	word := v.word(what)
	for _, a := range allowed {
		if a == word {
			return word
		}
	}
	if word != "" {
		v.fail("%s must be one of %s, not %q%s", what, strings.Join(allowed, ", "), word, plylang.DidYouMean(word, allowed))
	}
	return ""
}

// list returns the elements of a list.
func (v value) list(what string) []value {
	if v.node.Kind != yaml.SequenceNode {
		v.fail("%s must be a list, not %s", what, v.kind())
		return nil
	}
	var out []value
	for _, n := range v.node.Content {
		if v.tooMany() {
			return nil
		}
		out = append(out, v.doc.value(n))
	}
	return out
}

func (v value) tooMany() bool {
	if v.doc.values == maxValues {
		v.fail("more than %d values: aliases repeat too much", maxValues)
		v.doc.values++
	}
	return v.doc.values > maxValues
}

// pairs returns keys and values of a mapping, each key once.
func (v value) pairs(what string) [][2]value {
	if v.node.Kind != yaml.MappingNode {
		v.fail("%s must be a mapping (key: value), not %s", what, v.kind())
		return nil
	}
	var out [][2]value
	seen := map[string]value{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.doc.value(v.node.Content[i])
		if v.tooMany() {
			return nil
		}
		name := key.word("a key")
		if name == "" {
			continue
		}
		if first, ok := seen[name]; ok {
			line, col := v.doc.src.Position(first.pos())
			key.fail("%s is already given at %s:%d:%d", name, v.doc.src.Name(), line, col)
			continue
		}
		seen[name] = key
		out = append(out, [2]value{key, v.doc.value(v.node.Content[i+1])})
	}
	return out
}

// A field is one key of a mapping and how its value is taken.
type field[T any] struct {
	key string
	set func(dst *T, v value)
}

// recordPlaces makes every field remember where it was given.
func recordPlaces[T any](where func(*T) places, fields []field[T]) []field[T] {
	for i, f := range fields {
		fields[i].set = func(dst *T, v value) {
			where(dst)[f.key] = v.position()
			f.set(dst, v)
		}
	}
	return fields
}

// readMapping fills dst from the mapping v. Keys that no field names are
// errors.
func readMapping[T any](v value, what string, dst *T, fields []field[T]) {
	for _, pair := range v.pairs(what) {
		key, val := pair[0], pair[1]
		if f := findField(fields, key.node.Value); f != nil {
			f.set(dst, val)
			continue
		}
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.key
		}
		key.fail("%s has no key %q%s", what, key.node.Value, orOneOf(key.node.Value, names))
	}
}

func findField[T any](fields []field[T], key string) *field[T] {
	for i := range fields {
		if fields[i].key == key {
			return &fields[i]
		}
	}
	return nil
}

// orOneOf says which names exist: the nearest, or all when none is near.
func orOneOf(word string, candidates []string) string {
	if q := plylang.DidYouMean(word, candidates); q != "" {
		return q
	}
	return ": it may have " + strings.Join(candidates, ", ")
}
