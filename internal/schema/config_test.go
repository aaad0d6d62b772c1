package schema

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"ply-exporter/configs"
	"ply-exporter/exporter/config"
)

// A dialect is a kind of file with a schema and a loader, which must agree.
type dialect struct {
	schema string
	load   func(file string) error
	whole  string // a file that says everything, in JSON, which is YAML
}

// scripts are scripts that say everything.
const scripts = `"namespace": "n", "defaults": {"max_entries": 5, "native": true},
	"scripts": [
		{"name": "a", "help": "h", "script": "S", "metrics": [
			{"map": "@", "name": "m", "help": "h", "type": "histogram", "unit": "none", "scale": 0.5,
				"labels": ["l", {"name": "k", "map": {"0": "zero", "1": 1}, "regexp": "a(.*)", "keep": true},
					{"as": ["pod", {"name": "c", "of": "container", "map": {"a": "b"}, "regexp": "a(.*)", "keep": true}], "ttl": "10m", "min_age": "5s"}, {"drop": true}],
				"buckets": {"min": "1ms", "max": 10}, "native": {"bits": 3, "max_buckets": 12}, "max_entries": 5, "overflow": "evict", "top": 5, "export": true},
			{"map": "$x", "buckets": [1, "2Ki"]}]},
		{"name": "b", "file": "s.ply"}]`

var configuration = dialect{
	schema: configs.Schema,
	load: func(file string) error {
		_, err := config.Load([]string{file})
		return err
	},
	whole: "{" + scripts + "}",
}

var testFile = dialect{
	schema: configs.TestSchema(),
	load: func(file string) error {
		_, err := config.Loader{}.LoadTests(file)
		return err
	},
	whole: "{" + scripts + `, "timeout": "10s",
		"tests": [
			{"name": "t", "before": "b", "command": "c", "after": "a", "env": {"A": "1"}, "timeout": "1m", "exit_status": 5,
				"needs": {"kernel": "5.15", "probes": ["p"], "commands": "c"},
				"expect": [
					{"series": "x{a=\"b\"}", "min": 1, "max": "2s", "labels": ["l"]},
					{"series": "x", "value": 3}, {"series": "x", "absent": true}]}]}`,
}

// loads says what the loader does of a file with that text.
func (d *dialect) loads(t *testing.T, text []byte) error {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string][]byte{"f.yaml": text, "s.ply": []byte("S")} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d.load(filepath.Join(folder, "f.yaml"))
}

// compile compiles a schema, which draft-07 itself must allow.
func compile(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate says what an editor with the schema would of a YAML file.
func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// Every configuration and test file that we ship or show is one by its schema.
func TestSchemaAcceptsOurFiles(t *testing.T) {
	configurations, tests := compile(t, configs.Schema), compile(t, configs.TestSchema())
	n := 0
	check := func(name string, text []byte) {
		s := configurations
		if bytes.Contains(text, []byte("\ntests:")) {
			s = tests
		}
		n++
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	for _, pattern := range []string{"../../configs/*.yaml", "../../configs/*/*.yaml", "../../configs/*/*/*.yaml"} {
		for _, file := range glob(t, pattern) {
			check(file, read(t, file))
		}
	}
	for _, file := range append(glob(t, "../../docs/*.md"), "../../README.md") {
		for _, block := range yamlBlock.FindAllSubmatch(read(t, file), -1) {
			text := block[1]
			if bytes.HasPrefix(text, []byte("  - name:")) {
				text = append([]byte("scripts:\n"), text...)
			}
			check(file, text)
		}
	}
	if n < 10 {
		t.Errorf("only %d files were found", n)
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A schema has the keys that its loader knows, and describes each.
func TestSchemaHasTheKeysOfTheLoader(t *testing.T) {
	for _, d := range []dialect{configuration, testFile} {
		var described map[string]any
		if err := json.Unmarshal([]byte(d.schema), &described); err != nil {
			t.Fatal(err)
		}
		got := keySets(t, described, described)
		want := map[string]bool{}
		for _, broken := range mutations(t, d.whole, func(add func(any), value any) {
			if m, ok := value.(map[string]any); ok {
				add(with(m, "zzzzzzzzzzzz", 1.0))
			}
		}) {
			for _, match := range mayHave.FindAllStringSubmatch(message(d.loads(t, broken)), -1) {
				keys := strings.Split(match[1], ", ")
				slices.Sort(keys)
				want[strings.Join(keys, " ")] = true
			}
		}
		for keys := range want {
			if !got[keys] {
				t.Errorf("the schema has no object with the keys %s", keys)
			}
		}
		for keys := range got {
			if !want[keys] {
				t.Errorf("the loader has no mapping with the keys %s", keys)
			}
		}
	}
}

var mayHave = regexp.MustCompile(`has no key "zzzzzzzzzzzz": it may have (.*)`)

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// keySets are the keys of all objects of a schema; each key must have a
// description, its own or the one that it refers to.
func keySets(t *testing.T, root map[string]any, node any) map[string]bool {
	t.Helper()
	sets := map[string]bool{}
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			for keys := range keySets(t, root, v) {
				sets[keys] = true
			}
		}
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		if node["additionalProperties"] == false {
			var keys []string
			for key, v := range properties {
				keys = append(keys, key)
				if !described(root, v.(map[string]any)) {
					t.Errorf("key %q has no description", key)
				}
			}
			slices.Sort(keys)
			sets[strings.Join(keys, " ")] = true
		}
		for _, v := range node {
			for keys := range keySets(t, root, v) {
				sets[keys] = true
			}
		}
	}
	return sets
}

func described(root, property map[string]any) bool {
	if ref, ok := property["$ref"].(string); ok {
		definitions := root["definitions"].(map[string]any)
		property = definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	text, _ := property["description"].(string)
	return len(text) > 10
}

// odd are values that most keys do not take.
var odd = []any{nil, true, "", "odd one", -1.0, 0.0, 1.5, []any{}, []any{1.0}, map[string]any{}, map[string]any{"zzzzzzzzzzzz": 1.0}}

// contradictions are errors of what is right by itself: the schema cannot know.
var contradictions = regexp.MustCompile(`already (given|defined|described)|given twice|is above|bounds ascend|no such file`)

// Whatever is wrong in one place is refused by the loader and by the schema, or by
// neither.
func TestSchemaAgreesWithTheLoader(t *testing.T) {
	for _, d := range []dialect{configuration, testFile} {
		s := compile(t, d.schema)
		files := append(mutations(t, d.whole, change), []byte(d.whole))
		refused := 0
		for _, text := range files {
			loaded, valid := d.loads(t, text), validate(t, s, text)
			if loaded != nil && contradictions.MatchString(loaded.Error()) && valid == nil {
				continue
			}
			if loaded != nil {
				refused++
			}
			if (loaded == nil) != (valid == nil) {
				t.Errorf("%s\nthe loader says: %v\nthe schema says: %v", text, loaded, valid)
			}
		}
		if refused < len(files)/3 || refused > len(files)*9/10 {
			t.Errorf("of %d files %d are refused", len(files), refused)
		}
	}
}

// change makes what one place of a file may be instead: something odd, with a key
// more, or without one.
func change(add func(any), value any) {
	for _, v := range odd {
		add(v)
	}
	if m, ok := value.(map[string]any); ok {
		add(with(m, "zzzzzzzzzzzz", 1.0))
		for key := range m {
			add(with(m, key, nil))
		}
	}
}

// with returns a copy of a mapping with a key, or without it if the value is nil.
func with(m map[string]any, key string, value any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	if out[key] = value; value == nil {
		delete(out, key)
	}
	return out
}

// mutations returns files that differ from a whole one in one place each.
func mutations(t *testing.T, whole string, change func(add func(any), value any)) (files [][]byte) {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(whole), &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(value any, put func(any) any)
	walk = func(value any, put func(any) any) {
		change(func(v any) {
			text, err := json.Marshal(put(v))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, text)
		}, value)
		switch value := value.(type) {
		case map[string]any:
			for key, v := range value {
				walk(v, func(v any) any { return put(replaced(value, key, v)) })
			}
		case []any:
			for i, v := range value {
				walk(v, func(v any) any {
					list := slices.Clone(value)
					list[i] = v
					return put(list)
				})
			}
		}
	}
	walk(doc, func(v any) any { return v })
	return files
}

func replaced(m map[string]any, key string, value any) map[string]any {
	out := with(m, key, true)
	out[key] = value
	return out
}
