package exporter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"ply-exporter/plylang"
)

// script returns the text of a script that stands in the YAML file, and where
// it stands there, so that its errors are reported at the file's own lines.
func (v value) script() *plylang.Source {
	text := v.text("script")
	if text == "" {
		if v.isScalar() && v.node.Tag == "!!str" {
			v.fail("the script is empty")
		}
		return nil
	}
	src := &plylang.Source{File: v.doc.src.File, Text: text, Line: v.node.Line}
	switch v.node.Style &^ yaml.TaggedStyle {
	case yaml.FoldedStyle:
		v.fail("a folded text (>) moves the lines of the script: use |")
		return nil
	case yaml.LiteralStyle:
		src.Line++
		src.Indent = v.blockIndent(text)
	default:
		if v.spansLines(text) {
			v.fail("a script of several lines: use | and indent it below")
			return nil
		}
		src.Indent = v.inlineIndent()
	}
	return src
}

// blockIndent returns how many columns YAML cut off each line of a literal
// block: what the first line with text has more in the file than in the block.
func (v value) blockIndent(text string) int {
	for i, cut := range strings.Split(text, "\n") {
		if strings.Trim(cut, " ") != "" {
			return max(0, len(v.doc.line(v.node.Line+1+i))-len(cut))
		}
	}
	return 0
}

// inlineIndent returns the bytes before a text that stands on its key's line.
func (v value) inlineIndent() int {
	_, col := v.doc.src.Position(v.pos())
	if v.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		col++
	}
	return col - 1
}

// spansLines says whether a plain or quoted text takes more than one line in
// the file, or has a line break that was escaped.
func (v value) spansLines(text string) bool {
	if strings.Contains(text, "\n") {
		return true
	}
	if v.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
		return !strings.HasPrefix(v.doc.src.Text[v.pos():], text)
	}
	quote := v.doc.src.Text[v.pos()]
	rest := v.doc.line(v.node.Line)
	_, col := v.doc.src.Position(v.pos())
	return !closes(rest[col:], quote)
}

// closes says whether a quoted text ends in s, which begins after the opening
// quote.
func closes(s string, quote byte) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] == quote && quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return true
		}
	}
	return false
}

// scriptFile reads the script that "file:" names, relative to the
// configuration's own folder.
func (v value) scriptFile() *plylang.Source {
	name := v.text("file")
	if name == "" {
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(v.doc.src.File), name)
	}
	data, err := readLimited(name)
	if err != nil {
		v.fail("%s", err)
		return nil
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		v.fail("%s is empty", name)
		return nil
	}
	return &plylang.Source{File: name, Text: string(data)}
}

// readLimited reads a file, but not one that is too large to be meant.
func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.New(cause(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, errors.New(cause(err))
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes: too large for what people write", name, maxFileSize)
	}
	return data, nil
}

// cause says in words why a file cannot be used: "x.yaml: no such file".
func cause(err error) string {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return err.Error()
	}
	return p.Path + ": " + p.Err.Error()
}
