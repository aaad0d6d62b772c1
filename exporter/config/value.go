package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"ply-exporter/plylang"
)

// A value is one node of a document, its aliases followed.
type value struct {
	doc  *document
	node *yaml.Node
}

func (v value) pos() plylang.Pos { return v.doc.offset(v.node.Line, v.node.Column) }

func (v value) fail(format string, args ...any) {
	if v.doc.refused {
		return // a fault of what was not read
	}
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
	if plain := strings.ReplaceAll(v.node.Value, "_", ""); plain != v.node.Value {
		v.fail("%s: write %s without _", what, plain)
		return 0
	}
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

// tooMany says whether the document has more values than it may have, once as an error.
func (v value) tooMany() bool {
	if v.doc.values >= maxValues && !v.doc.refused {
		v.fail("more than %d values: aliases repeat too much", maxValues)
		v.doc.refused = true
	}
	return v.doc.refused
}

// pairs returns keys and values of a mapping, each key once. What it merges (<<: *anchor)
// comes behind its own, where it has no such key itself.
func (v value) pairs(what string) [][2]value {
	if v.node.Kind != yaml.MappingNode {
		v.fail("%s must be a mapping (key: value), not %s", what, v.kind())
		return nil
	}
	var out, merged [][2]value
	seen := map[string]value{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, val := v.doc.value(v.node.Content[i]), v.doc.value(v.node.Content[i+1])
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
		if key.node.ShortTag() == "!!merge" {
			merged = append(merged, val.merged(what)...)
		} else {
			out = append(out, [2]value{key, val})
		}
	}
	v.doc.values += len(merged)
	if v.tooMany() {
		return nil
	}
	for _, pair := range merged {
		name := pair[0].node.Value
		if _, ok := seen[name]; !ok {
			seen[name] = pair[0]
			out = append(out, pair)
		}
	}
	return out
}

// merged are the pairs of a mapping, or of several in a list, that another one merges.
// Of several the first that has a key counts.
func (v value) merged(what string) (out [][2]value) {
	if slices.Contains(v.doc.merging, v.node) {
		v.fail("a mapping cannot merge itself")
		return nil
	}
	v.doc.merging = append(v.doc.merging, v.node)
	defer func() { v.doc.merging = v.doc.merging[:len(v.doc.merging)-1] }()
	what = "<< of " + what
	if v.node.Kind != yaml.SequenceNode {
		return v.pairs(what)
	}
	for _, item := range v.list(what) {
		out = append(out, item.pairs(what)...)
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
		key.fail("%s has no key %q%s", what, key.node.Value, orElsewhere(key.node.Value, keysOf(fields)))
	}
}

func keysOf[T any](fields []field[T]) (keys []string) {
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

func findField[T any](fields []field[T], key string) *field[T] {
	for i := range fields {
		if fields[i].key == key {
			return &fields[i]
		}
	}
	return nil
}

// elsewhere are the keys of what people mistake for each other.
var elsewhere []struct {
	place string
	keys  []string
}

func init() { // fields refer to readMapping
	add := func(place string, keys []string) {
		elsewhere = append(elsewhere, struct {
			place string
			keys  []string
		}{place, keys})
	}
	add("the top level", keysOf(configFields))
	add("a script", keysOf(scriptFields))
	add(`a metric, in the script's "metrics:"`, keysOf(metricFields))
	add(`a label, in a metric's "labels:"`, keysOf(labelFields))
	add("defaults", keysOf(defaultFields))
}

// orElsewhere says which key was meant, or where it belongs, or which there are.
func orElsewhere(key string, keys []string) string {
	if q := plylang.DidYouMean(key, keys); q != "" {
		return q
	}
	for _, e := range elsewhere {
		if slices.Contains(e.keys, key) {
			return ": it belongs to " + e.place
		}
	}
	if hint := foreignKeys[key]; hint != "" {
		return ": " + hint
	}
	return orOneOf(key, keys)
}

// foreignKeys are keys of other programs' configurations, and what to do instead.
var foreignKeys = map[string]string{
	"programs": ofEBPFExporter, "counters": ofEBPFExporter, "histograms": ofEBPFExporter, "tracing": ofEBPFExporter,
	"kprobes": ofEBPFExporter, "tracepoints": ofEBPFExporter, "decoders": ofEBPFExporter,
	"bucket_type": ofEBPFExporter, "bucket_min": ofEBPFExporter, "bucket_max": ofEBPFExporter,
	"scrape_configs": ofPrometheus, "global": ofPrometheus, "rule_files": ofPrometheus, "groups": ofPrometheus,
	"relabel_configs": ofPrometheus, "metric_relabel_configs": ofPrometheus,
}

const (
	ofEBPFExporter = "it is one of ebpf_exporter, and docs/from-ebpf_exporter.md has what is written here"
	ofPrometheus   = "it belongs to the configuration of Prometheus"
)

// orOneOf says which names exist: the nearest, or all when none is near.
func orOneOf(word string, candidates []string) string {
	if q := plylang.DidYouMean(word, candidates); q != "" {
		return q
	}
	return ": it may have " + strings.Join(candidates, ", ")
}
