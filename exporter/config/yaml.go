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

	values  int  // so far; what is merged counts wherever it is merged
	refused bool // because there are more than maxValues

	merging []*yaml.Node // what is merged into the mapping that is being read
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
