package config

import (
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"ply-exporter/plylang"
)

// script returns the text of a script that stands in the YAML file, and where
// it stands there, so that its errors are reported at the file's own lines.
func (v value) script() *plylang.Source {
	text := v.text("script")
	if text == "" {
		return nil
	}
	at := v.textPos()
	line, col := v.doc.src.Position(at)
	src := &plylang.Source{File: v.doc.src.File, Text: text, Line: line}
	switch v.node.Style &^ yaml.TaggedStyle {
	case yaml.FoldedStyle:
		v.fail("a folded text (>) moves the lines of the script: use |")
		return nil
	case yaml.LiteralStyle:
		src.Line++
		src.Indent = v.blockIndent(text, src.Line)
	default:
		if v.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			at, col = at+1, col+1
		}
		if !strings.HasPrefix(v.doc.src.Text[at:], text) {
			v.fail("a script of several lines or with escapes: use | and indent it below")
			return nil
		}
		src.Indent = col - 1
	}
	return src
}

// properties matches the anchor and the tag before a text, with what separates
// them from it.
var properties = regexp.MustCompile(`^(?:[&!]\S*|\s+|#.*)*`)

// textPos returns where a text itself begins, or the bar before it.
func (v value) textPos() plylang.Pos {
	pos := v.pos()
	return pos + plylang.Pos(len(properties.FindString(v.doc.src.Text[pos:])))
}

// blockIndent returns how many columns YAML cut off each line of a literal
// block whose first line is given: what the first line with text has more in
// the file than in the block.
func (v value) blockIndent(text string, first int) int {
	for i, cut := range strings.Split(text, "\n") {
		if strings.Trim(cut, " ") != "" {
			return max(0, len(v.doc.line(first+i))-len(cut))
		}
	}
	return 0
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
	data, err := v.doc.loader.read(name)
	if err != nil {
		v.fail("%s", err)
		return nil
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		v.fail("%s is empty", name)
		return nil
	}
	src := &plylang.Source{File: name, Text: string(data)}
	v.doc.loader.keep(src)
	return src
}
