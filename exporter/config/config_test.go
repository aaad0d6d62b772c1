package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/configs"
	"ply-exporter/plylang"
)

func TestWrongConfigurations(t *testing.T) {
	const good = "scripts:\n  - name: a\n    script: S\n"
	tests := []struct {
		name, yaml string
		want       string // all errors, without source lines
	}{
		{"empty file", "", `c.yaml:1:1: empty: a configuration needs at least "scripts:" with one script`},
		{"comments only", "# nothing\n", `c.yaml:1:1: empty: a configuration needs at least "scripts:" with one script`},
		{"no scripts", "namespace: x\n", `c.yaml:1:1: no "scripts:" here: a configuration needs at least one script`},
		{"no script in scripts", "scripts: []\n", `c.yaml:1:10: scripts is empty: a configuration needs at least one`},
		{"a list", "- a\n", "c.yaml:1:1: the configuration must be a mapping (key: value), not a list\n" +
			`c.yaml:1:1: no "scripts:" here: a configuration needs at least one script`},
		{"binary file", "\x7fELF\x00\x00", `c.yaml:1:5: not a text file: it has a NUL byte here`},
		{"not UTF-8", "scripts: \xff\n", `c.yaml:1:10: not valid UTF-8 from here on: save the file as UTF-8`},
		{"a line break of its own kind", "a: b\u2028c: d\n", `c.yaml:1:5: a line break that editors do not count: end lines with a line feed`},
		{"too large", strings.Repeat("# x\n", 3<<20), `c.yaml:1:1: 12582912 bytes are too many for a configuration: the limit is 1048576`},
		{"broken YAML", "scripts:\n  - name: [a\n", `c.yaml:2:12: did not find expected ',' or ']'`},
		{"a tab", "scripts:\n\t- a\n", `c.yaml:2:1: found character that cannot start any token: put the text in quotes, or indent with spaces where it is a tab`},
		{"a map without quotes", "scripts:\n  - name: a\n    metrics:\n      - {help: x, map: @lat}\n", `c.yaml:4:24: found character that cannot start any token: put the text in quotes, or indent with spaces where it is a tab`},
		{"a tab behind a script", good + "    help: |\n      one\n\tmetrics: []\n", `c.yaml:6:1: found a tab character where an indentation space is expected: indent with spaces`},
		{"a key between two depths", "scripts:\n  - name: a\n    script: |\n      S\n   help: x\n", `c.yaml:5:4: did not find expected '-' indicator: indent it like its neighbors`},
		{"text behind quotes", "scripts:\n  - name: a\n    help: 'a'b\n", `c.yaml:3:14: did not find expected key: indent it like its neighbors, and close quotes only at the end of a text`},
		{"quotes that do not end", good + "    help: \"x\n  - name: b\n    script: S\n", `c.yaml:4:11: found unexpected end of stream: close what begins here`},
		{"a colon in a text", good + "    help: a: b\n", `c.yaml:4:12: mapping values are not allowed in this context: put a text with ": " in it in quotes, and indent a key like its neighbors`},
		{"a script that is not indented", "scripts:\n  - name: a\n    script: |\n    S T\n", `c.yaml:4:5: could not find expected ':': a key needs a colon, and the lines of a script more indentation than its key`},
		{"no such anchor", good + "    help: *x\n", `c.yaml:4:12: unknown anchor 'x' referenced`},
		{"a control character", good + "    help: \x07\n", `c.yaml:4:11: control characters are not allowed`},
		{"two documents", good + "---\n" + good, `c.yaml:4:1: a second document: put it into a file of its own`},

		{"unknown key", "script: []\n" + good, `c.yaml:1:1: the configuration has no key "script"; did you mean "scripts"?`},
		{"unknown key, far from all", good + "frobnicate: 1\n", `c.yaml:4:1: the configuration has no key "frobnicate": it may have namespace, defaults, scripts`},
		{"a configuration of ebpf_exporter", good + "programs: []\n", `c.yaml:4:1: the configuration has no key "programs": it is one of ebpf_exporter, and docs/from-ebpf_exporter.md has what is written here`},
		{"a configuration of Prometheus", good + "scrape_configs: []\n", `c.yaml:4:1: the configuration has no key "scrape_configs": it belongs to the configuration of Prometheus`},
		{"the bucket above all", metricYAML("buckets: [1, 2, +Inf]"), `c.yaml:5:36: buckets: "+Inf" is above all bounds and always there: leave it out`},
		{"unknown key of a script", "scripts:\n  - name: a\n    scirpt: S\n", `c.yaml:3:5: a script has no key "scirpt"; did you mean "script"?`},
		{"unknown key of a metric", "scripts:\n  - name: a\n    script: S\n    metrics:\n      - map: \"@\"\n        lables: [a]\n",
			`c.yaml:6:9: a metric has no key "lables"; did you mean "labels"?`},
		{"keys of a metric in a script", good + "    top: 5\n    overflow: drop\n", `c.yaml:4:5: a script has no key "top": it belongs to a metric, in the script's "metrics:"` +
			"\n" + `c.yaml:5:5: a script has no key "overflow": it belongs to a metric, in the script's "metrics:"`},
		{"a key of a script in a metric", metricYAML("sample: auto"), `c.yaml:5:20: a metric has no key "sample": it belongs to a script`},
		{"a key of a label in a metric", metricYAML("ttl: 10m"), `c.yaml:5:20: a metric has no key "ttl": it belongs to a label, in a metric's "labels:"`},
		{"a number with _", metricYAML("top: 10_000"), `c.yaml:5:25: top: write 10000 without _`},
		{"key given twice", good + "    name: b\n", `c.yaml:4:5: name is already given at c.yaml:2:5`},
		{"script name given twice", good + "  - name: a\n    script: T\n", `c.yaml:4:11: script "a" is already defined at c.yaml:2:11`},
		{"map described twice", "scripts:\n  - name: a\n    script: S\n    metrics:\n      - map: \"@\"\n      - map: \"@\"\n",
			`c.yaml:6:9: map "@" is already described at c.yaml:5:9`},

		{"no name", "scripts:\n  - script: S\n", `c.yaml:2:5: a script needs a name`},
		{"no text", "scripts:\n  - name: a\n", `c.yaml:2:5: a script needs "script:" with its text, or "file:"`},
		{"text and file", "scripts:\n  - name: a\n    script: S\n    file: s.ply\n", `c.yaml:4:11: "script:" and "file:" are both given: keep one`},
		{"no such file", "scripts:\n  - name: a\n    file: s.ply\n", `c.yaml:3:11: s.ply: no such file or directory`},
		{"reserved name", "scripts:\n  - name: map\n    script: S\n", `c.yaml:2:11: script name "map" is reserved for the exporter's own metrics: choose another`},
		{"name with a capital", "scripts:\n  - name: Net\n    script: S\n", `c.yaml:2:11: script name "Net": only lower case letters, digits and _ may be in it, a letter first`},
		{"name is a number", "scripts:\n  - name: 12\n    script: S\n", `c.yaml:2:11: name must be text, not a number: write "12"`},
		{"empty script", "scripts:\n  - name: a\n    script: \"\"\n", `c.yaml:3:13: script must not be empty`},
		{"folded script", "scripts:\n  - name: a\n    script: >\n      S\n", `c.yaml:3:13: a folded text (>) moves the lines of the script: use |`},
		{"script on two lines", "scripts:\n  - name: a\n    script: S\n      T\n", `c.yaml:3:13: a script of several lines or with escapes: use | and indent it below`},
		{"quoted script on two lines", "scripts:\n  - name: a\n    script: \"S\n      T\"\n", `c.yaml:3:13: a script of several lines or with escapes: use | and indent it below`},
		{"quoted script with a line feed", "scripts:\n  - name: a\n    script: \"S\\nT\"\n", `c.yaml:3:13: a script of several lines or with escapes: use | and indent it below`},

		{"quoted script with escapes", "scripts:\n  - name: a\n    script: \"S \\\"T\\\"\"\n", `c.yaml:3:13: a script of several lines or with escapes: use | and indent it below`},
		{"a key that is a mapping", "? {a: b}\n: c\n" + good, `c.yaml:1:3: a key must be a word or a number, not a mapping`},
		{"a sample that is none", "scripts:\n  - name: a\n    script: S\n    sample: 1/10\n", `c.yaml:4:13: sample "1/10": give auto, or 1/N with a power of two from 2 to 1024, such as 1/16`},
		{"a sample that is a list", "scripts:\n  - name: a\n    script: S\n    sample: [auto]\n", `c.yaml:4:13: sample must be auto or a part such as 1/16, not a list`},
		{"a merge key that is a text", "scripts:\n  - name: a\n    \"<<\": {script: S}\n", `c.yaml:3:5: a script has no key "<<": it may have name, help, script, file, budget, sample, metrics`},
		{"a number is merged", good + "    <<: 5\n", `c.yaml:4:9: << of a script must be a mapping (key: value), not a number`},
		{"a number in a list is merged", good + "    <<: [{help: x}, 5]\n", `c.yaml:4:21: << of a script must be a mapping (key: value), not a number`},
		{"a number is merged within", good + "    <<: {<<: 5}\n", `c.yaml:4:14: << of << of a script must be a mapping (key: value), not a number`},
		{"two merge keys", good + "    <<: {help: x}\n    <<: {help: y}\n", `c.yaml:5:5: << is already given at c.yaml:4:5`},
		{"a mapping merges itself", "scripts:\n  - &a\n    name: a\n    script: S\n    <<: *a\n", `c.yaml:2:5: a mapping cannot merge itself`},
		{"a mapping merges a list with itself", "scripts:\n  - &a\n    name: a\n    script: S\n    <<: [*a]\n", `c.yaml:5:9: a mapping cannot merge itself`},
		{"what is merged has no such key", "scripts:\n  - name: a\n    <<: {scirpt: S, script: S}\n", `c.yaml:3:10: a script has no key "scirpt"; did you mean "script"?`},

		{"namespace is empty", "namespace: ''\n" + good, `c.yaml:1:12: namespace must not be empty`},
		{"namespace is nothing", "namespace:\n" + good, `c.yaml:1:11: namespace must be text, not empty`},
		{"type is empty", metricYAML("type: ''"), `c.yaml:5:26: type must not be empty`},
		{"scale is empty", metricYAML("scale: ''"), `c.yaml:5:27: scale must not be empty`},
		{"max_entries is a fraction", metricYAML("max_entries: 1e3"), `c.yaml:5:33: max_entries must be a whole number, not a decimal number`},
		{"namespace with a dash", "namespace: my-ns\n" + good, `c.yaml:1:12: namespace "my-ns": only letters, digits and _ may be in it, and no digit first`},
		{"native is text", metricYAML("native: yes"), `c.yaml:5:28: native must be true, false or {bits: 3, max_buckets: 160}, not text`},
		{"native bits", metricYAML("native: {bits: 5}"), `c.yaml:5:35: bits must be from 1 to 4`},
		{"native bound", "defaults: {native: {max_buckets: 11}}\n" + good, `c.yaml:1:34: max_buckets must be at least 12: not every histogram can be told in fewer`},
		{"native key", metricYAML("native: {schema: 3}"), `c.yaml:5:29: native has no key "schema": it may have bits, max_buckets`},
		{"max_entries is text", "defaults: {max_entries: many}\n" + good, `c.yaml:1:25: max_entries must be a whole number, not text`},
		{"max_entries is 0", "defaults: {max_entries: 0}\n" + good, `c.yaml:1:25: max_entries must be from 1 to 10000000`},
		{"labels is text", metricYAML("labels: comm"), `c.yaml:5:28: labels must be a list, not text`},
		{"label is reserved", metricYAML("labels: [le]"), `c.yaml:5:29: label "le" is reserved by Prometheus: choose another name`},
		{"label with a dash", metricYAML("labels: [a-b]"), `c.yaml:5:29: label "a-b": only letters, digits and _ may be in it, and no digit first`},
		{"expression of a label", metricYAML("labels: [{regexp: 'a(b'}]"), `c.yaml:5:39: regexp: missing closing ): "a(b": write \( for the character`},
		{"expression with a wrong part", metricYAML("labels: [{regexp: 'ab[z-a]c'}]"), `c.yaml:5:42: regexp: invalid character class range: "z-a": write \- for the character`},
		{"quoted expression with a wrong part", metricYAML(`labels: [{regexp: "ab**"}]`), `c.yaml:5:41: regexp: invalid nested repetition operator: "**": write .* for any text, and \* for the character`},
		{"expression with an escape", metricYAML(`labels: [{regexp: "\\d**"}]`), `c.yaml:5:38: regexp: invalid nested repetition operator: "**": write .* for any text, and \* for the character`},
		{"expression that ends another", metricYAML("labels: [{regexp: 'a)(b'}]"), `c.yaml:5:39: regexp: unexpected ): "a)(b": write \) for the character`},
		{"expression with two groups", metricYAML("labels: [{regexp: '(a)(b)'}]"), `c.yaml:5:38: regexp: 2 groups, and one is the label's value: write (?:...) for the others`},
		{"expression that is a number", metricYAML("labels: [{regexp: 5}]"), `c.yaml:5:38: regexp must be text, not a number: write "5"`},
		{"expression in a block", "scripts:\n  - name: a\n    script: S\n    metrics:\n      - map: \"@\"\n        labels:\n          - regexp: |\n              a.*\n", `c.yaml:7:21: regexp ends with a line break, and no value does: write it in quotes, on one line`},
		{"glob for an expression", metricYAML("labels: [{regexp: '*.scope'}]"), `c.yaml:5:39: regexp: missing argument to repetition operator: "*": write .* for any text`},
		{"expression that looks ahead", metricYAML("labels: [{regexp: '(?!a)b'}]"), `c.yaml:5:39: regexp: invalid or unsupported Perl syntax: "(?!": expressions are RE2's, as in Prometheus`},
		{"expression with too many repetitions", metricYAML("labels: [{regexp: 'a{1001}'}]"), `c.yaml:5:40: regexp: invalid repeat count: "{1001}": at most 1000 times`},
		{"two errors of labels", metricYAML("labels: [{keep: true}, {name: b, regexp: '(', keep: true}]"), "c.yaml:5:29: a label with \"keep: true\" needs \"regexp:\", which says what to keep\n" +
			`c.yaml:5:62: regexp: missing closing ): "(": write \( for the character`},
		{"keep without an expression", metricYAML("labels: [{name: a, keep: true}]"), `c.yaml:5:29: a label with "keep: true" needs "regexp:", which says what to keep`},
		{"keep is text", metricYAML("labels: [{regexp: a, keep: yes please}]"), `c.yaml:5:47: keep must be true or false, not text`},
		{"buckets are a number", metricYAML("buckets: 5"), `c.yaml:5:29: buckets must be a list of bounds, such as [1ms, 5ms, 10ms], or {min: 1ms, max: 1s}, not a number`},
		{"what a cgroup has not", metricYAML("labels: [{as: [pods]}]"), `c.yaml:5:35: "pods" says nothing of a cgroup; did you mean "pod"?`},
		{"what a cgroup has not, in of", metricYAML("labels: [{as: [{name: k8s_pod, of: image}]}]"), `c.yaml:5:55: of must be one of cgroup, namespace, pod, pod_uid, container, container_id, workload, not "image"`},
		{"a name without of", metricYAML("labels: [{as: [{name: k8s_pod}]}]"), `c.yaml:5:35: "k8s_pod" says nothing of a cgroup: it may have cgroup, namespace, pod, pod_uid, container, container_id, workload`},
		{"no name and no of", metricYAML("labels: [{as: [{map: {a: b}}]}]"), `c.yaml:5:35: a label in "as:" needs "of:", which says what it is of: cgroup, namespace, pod, pod_uid, container, container_id, workload`},
		{"as of nothing", metricYAML("labels: [{as: []}]"), `c.yaml:5:34: as: the list is empty: write what the labels are of, such as [namespace, pod, container]`},
		{"as with a name", metricYAML("labels: [{name: a, as: [pod]}]"), `c.yaml:5:29: a label with "as:" has no name, map, regexp and keep of its own: give them to those in "as:"`},
		{"as in as", metricYAML("labels: [{as: [{as: [pod]}]}]"), `c.yaml:5:36: a label in "as:" has no key "as": it belongs to a label, in a metric's "labels:"`},
		{"label of as given twice", metricYAML("labels: [{as: [pod]}, pod]"), `c.yaml:5:42: label "pod" is given twice`},
		{"no container, and a ttl", metricYAML("labels: [{name: a, ttl: 10m}]"), `c.yaml:5:29: "ttl:" and "min_age:" are for labels of containers: they need "as:"`},
		{"no time", metricYAML("labels: [{as: [pod], ttl: soon, min_age: -1s}]"), "c.yaml:5:46: ttl must be a time such as 10s or 1h30m, not \"soon\"\n" +
			`c.yaml:5:61: min_age must be a time such as 10s or 1h30m, not "-1s"`},
		{"label given twice", metricYAML("labels: [a, a]"), `c.yaml:5:32: label "a" is given twice`},
		{"export is text", metricYAML("export: maybe"), `c.yaml:5:28: export must be true or false, not text`},
		{"unknown type", metricYAML("type: guage"), `c.yaml:5:26: type must be one of counter, gauge, histogram, not "guage"; did you mean "gauge"?`},
		{"unknown unit", metricYAML("unit: ms"), `c.yaml:5:26: unit must be one of seconds, bytes, ratio, none, not "ms"`},
		{"scale is 0", metricYAML("scale: 0"), `c.yaml:5:27: scale must be a number above 0, such as 1e-9`},
		{"scale is an octal number that is none", metricYAML("scale: 08"), `c.yaml:5:27: scale must be a number above 0, such as 1e-9`},
		{"bound is an octal number that is none", metricYAML("buckets: {min: 09ms}"), `c.yaml:5:35: min: "09ms" begins with 0, as octal numbers do, but is none`},
		{"bucket is no number", metricYAML("buckets: {min: low}"), `c.yaml:5:35: min: "low" is no number, duration (10ms) or size (4Ki)`},
		{"bucket below 0", metricYAML("buckets: {min: -1}"), `c.yaml:5:35: min: "-1" is below 0: write a list of bounds if there are negative ones`},
		{"no bounds", metricYAML("buckets: []"), `c.yaml:5:29: buckets: the list is empty: write bounds, such as [1ms, 5ms, 10ms]`},
		{"bounds that do not ascend", metricYAML("buckets: [1ms, 5ms, 5000us]"), `c.yaml:5:40: buckets: 5000us is not above 5ms before it: bounds ascend`},
		{"a bound that is no number", metricYAML("buckets: [1, two]"), `c.yaml:5:33: buckets: "two" is no number, duration (10ms) or size (4Ki)`},
		{"bucket is 0", metricYAML("buckets: {max: 0s}"), `c.yaml:5:35: max: "0s" is not above 0`},
		{"metric name with a dash", metricYAML("name: a-b"), `c.yaml:5:26: metric name "a-b": only letters, digits and _ may be in it, and no digit first`},
		{"metric without a map", "scripts:\n  - name: a\n    script: S\n    metrics: [{name: x}]\n", `c.yaml:4:15: a metric needs "map:", the map it describes, with its sigil`},
		{"all errors at once", "scripts:\n  - name: A\n    scirpt: S\n  - name: b\n    script: 1\n",
			"c.yaml:2:11: script name \"A\": only lower case letters, digits and _ may be in it, a letter first\n" +
				"c.yaml:3:5: a script has no key \"scirpt\"; did you mean \"script\"?\n" +
				"c.yaml:5:13: script must be text, not a number: write \"1\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("c.yaml", []byte(tt.yaml))
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", err, tt.want)
			}
		})
	}
}

func metricYAML(entry string) string {
	return "scripts:\n  - name: a\n    script: S\n    metrics:\n      - {map: \"@\", " + entry + "}\n"
}

func TestAliasesThatGrow(t *testing.T) {
	var b strings.Builder
	b.WriteString("scripts:\n  - name: a\n    script: S\n    metrics:\n      - &m {map: \"@\", labels: &l [")
	b.WriteString(strings.Repeat("x,", 1000) + "x]}\n")
	b.WriteString(strings.Repeat("      - *m\n", 1000))
	_, err := Parse("c.yaml", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 values: aliases repeat too much") {
		t.Errorf("got %.300v", err)
	}
}

// More values than there may be are one error, wherever the limit is reached, and nothing
// is said of what was not read. What is merged through many mappings counts in each.
func TestTooManyValues(t *testing.T) {
	labels := func(m string) string { return metricYAML("labels: [{name: x, map: " + m + "}]") }
	pairs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: v, ", i)
		}
		return "{" + b.String() + "}"
	}
	for name, text := range map[string]string{
		"odd":    labels(pairs(60_000)) + "  - name: b\n",
		"even":   strings.Replace(labels(pairs(60_000)), "@", "@\", help: \"x", 1) + "  - {}\n",
		"list":   metricYAML("labels: ["+strings.Repeat("x,", 110_000)+"]") + "  - name: b\n",
		"merged": labels(strings.Repeat("{<<: ", 2000) + pairs(20_000) + strings.Repeat("}", 2000)),
	} {
		_, err := Parse("c.yaml", []byte(text))
		if err == nil || !strings.HasSuffix(err.Error(), ": more than 100000 values: aliases repeat too much") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %.300v", name, err)
		}
	}
}

// A mapping has what it merges, but for keys of its own; of several the first counts.
func TestMergeKeys(t *testing.T) {
	const text = `
scripts:
  - &a
    name: a
    help: of a
    script: "kprobe:SyS_read { @ = count(); }"
    metrics: [&m {map: "@", name: a_total, help: M}]
  - {<<: *a, name: b, metrics: [{<<: *m, name: b_total}]}
  - <<: [{name: c, help: first}, *a, {help: last}]
    metrics: [{<<: [*m], name: c_total, help: own}]
`
	cfg, err := Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range cfg.Scripts {
		m := s.Metrics[0]
		got = append(got, strings.Join([]string{s.Name, s.Help, m.Map, m.Name, m.Help}, " "))
	}
	want := []string{"a of a @ a_total M", "b of a @ b_total M", "c first @ c_total own"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// An error inside a script is reported at its line and column in the YAML
// file, however the script is written there. The scripts here have the word
// HERE where the error is.
func TestScriptPositions(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"block", "scripts:\n  - name: a\n    script: |\n      one\n        two HERE\n", "c.yaml:5:13"},
		{"block with a comment behind the bar", "scripts:\n  - name: a\n    script: | # x\n      HERE\n", "c.yaml:4:7"},
		{"block with its own indentation", "scripts:\n  - name: a\n    script: |2\n        HERE\n", "c.yaml:4:9"},
		{"block that begins with empty lines", "scripts:\n  - name: a\n    script: |\n\n\n      HERE\n", "c.yaml:6:7"},
		{"block without its last line feed", "scripts:\n  - name: a\n    script: |-\n      HERE\n", "c.yaml:4:7"},
		{"block with carriage returns", "scripts:\r\n  - name: a\r\n    script: |\r\n      one\r\n      HERE\r\n", "c.yaml:5:7"},
		{"block with an anchor on another line", "scripts:\n  - name: a\n    script: &x # text\n      |\n      HERE\n", "c.yaml:5:7"},
		{"block with a tag", "scripts:\n  - name: a\n    script: !!str |\n      HERE\n", "c.yaml:4:7"},
		{"quotes behind an anchor and a tag", "scripts:\n  - name: a\n    script: &x !!str 'one HERE'\n", "c.yaml:3:27"},
		{"plain behind a tag", "scripts:\n  - name: a\n    script: !!str one HERE\n", "c.yaml:3:23"},
		{"plain on its own line", "scripts:\n  - name: a\n    script:\n      one HERE\n", "c.yaml:4:11"},
		{"plain", "scripts:\n  - name: a\n    script: one HERE\n", "c.yaml:3:17"},
		{"double quotes", "scripts:\n  - name: a\n    script: \"one HERE\"\n", "c.yaml:3:18"},
		{"single quotes", "scripts: [{name: a, script: 'HERE'}]\n", "c.yaml:1:30"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("c.yaml", []byte(tt.yaml))
			if err != nil {
				t.Fatal(plylang.Detail(err))
			}
			src := cfg.Scripts[0].Source
			e := plylang.Error{Src: src, Pos: plylang.Pos(strings.Index(src.Text, "HERE")), Msg: "x"}
			if got := e.Error(); got != tt.want+": x" {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("conf/b.yml", "\ufeffnamespace: mine\ndefaults: {max_entries: 5}\nscripts: [{name: b, script: S}]\n")
	write("conf/a.yaml", "scripts: [{name: a, file: ../a.ply}]\n")
	write("conf/..data/c.yaml", "scripts: 1\n")
	write("conf/.hidden.yaml", "scripts: 1\n")
	write("conf/notes.txt", "scripts: 1\n")
	write("a.ply", "\ufeffscript of a\n") // as some editors save it
	cfg, err := Load([]string{filepath.Join(dir, "conf")})
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	a, b := cfg.Scripts[0], cfg.Scripts[1]
	if a.Name != "a" || a.Source.Text != "script of a\n" || a.Namespace != "ply" || a.MaxEntries != 0 {
		t.Errorf("a is %+v", a)
	}
	if b.Name != "b" || b.Namespace != "mine" || b.MaxEntries != 5 {
		t.Errorf("b is %+v", b)
	}

	write("empty/x.txt", "")
	for path, want := range map[string]string{
		"empty":   "empty: the folder has no *.yaml or *.yml file",
		"nowhere": "nowhere: no such file or directory",
	} {
		if _, err := Load([]string{filepath.Join(dir, path)}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestQuickstartParses(t *testing.T) {
	cfg, err := Parse("quickstart.yaml", configs.Quickstart)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	for _, s := range cfg.Scripts {
		if _, err := plylang.Parse(s.Source); err != nil {
			t.Error(plylang.Detail(err))
		}
		for _, m := range s.Metrics {
			if m.Name == "" {
				t.Errorf("script %s, map %s: a shipped configuration writes the name out", s.Name, m.Map)
			}
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(string(configs.Quickstart))
	for _, seed := range []string{
		"", "scripts: [{name: a, script: S}]", "a: &a [*a]\n", "? {a: 1}\n: b\n", "<<: {a: b}\n", "!!binary x",
		"scripts: &s [{name: a, script: \"x\\ny\", metrics: *s}]", "scripts:\n- name: a\n  script: |9\n   x\n", "\ufeffa: b",
		"scripts: [{name: a, script: 'it''s', metrics: [{map: \"@\", buckets: {min: 1us, max: 4Gi}, labels: [{name: a, map: {0: x}}]}]}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := Parse("/nowhere/c.yaml", []byte(text))
		if err != nil {
			_ = plylang.Detail(err)
			return
		}
		for _, s := range cfg.Scripts {
			for i := range s.Source.Text {
				(&plylang.Error{Src: s.Source, Pos: plylang.Pos(i), Msg: "x"}).Detail()
			}
		}
	})
}
