package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is wrong with a test file is reported at its place.
func TestWrongTestFiles(t *testing.T) {
	const scripts = "scripts: [{name: a, script: S}]\n"
	entry := func(more string) string {
		return scripts + "tests:\n  - name: n\n    command: c\n    expect:\n      - {" + more + "}\n"
	}
	tests := []struct{ name, yaml, want string }{
		{"empty", "", `t.yaml:1:1: empty: a test file needs at least "tests:" with one test`},
		{"unknown key", "test: []\n" + entry("series: x, value: 1"), `t.yaml:1:1: the test file has no key "test"; did you mean "tests"?`},
		{"nothing to test", "tests: [{name: n, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:1:1: nothing to test here: name a configuration with "config:", or write "scripts:" as in one`},
		{"two configurations", "config: c.yaml\n" + entry("series: x, value: 1"), `t.yaml:1:9: "config:" and "scripts:" are both given: keep one`},
		{"defaults of another file", "config: c.yaml\nnamespace: x\ntests: [{name: n, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:1:1: "namespace:" and "defaults:" are for "scripts:" in this file, not for "config:"`},
		{"no configuration", "config: c.yaml\ntests: [{name: n, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:1:9: configuration c.yaml: no such file or directory: give it relative to the test file`},
		{"no tests", scripts, `t.yaml:1:1: no "tests:" here: a test file needs at least one`},
		{"an empty list", scripts + "tests: []\n", `t.yaml:2:8: tests is empty: a test file needs at least one`},
		{"nothing in a test", scripts + "tests:\n  - {}\n", "t.yaml:3:5: a test needs a name\n" +
			"t.yaml:3:5: a test needs \"command:\", which is run by sh -c\nt.yaml:3:5: a test needs \"expect:\", a list of series and what is true of them"},
		{"a name given twice", scripts + "tests:\n  - &t {name: n, command: c, expect: [{series: x, value: 1}]}\n  - *t\n", `t.yaml:3:15: test "n" is already defined at t.yaml:3:15`},
		{"a name with blanks", scripts + "tests: [{name: a b, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:2:16: test name "a b": only letters, digits, _, . and - may be in it`},
		{"a script that is wrong", "scripts: [{name: A, script: S}]\ntests: [{name: n, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:1:18: script name "A": only lower case letters, digits and _ may be in it, a letter first`},
		{"scripts of one name", "scripts: [{name: a, script: S}, {name: a, script: S}]\ntests: [{name: n, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:1:40: script "a" is already defined at t.yaml:1:18`},
		{"timeout", "timeout: 0s\n" + entry("series: x, value: 1"), `t.yaml:1:10: timeout must be a time such as 10s or 1h30m, not "0s"`},
		{"a timeout without a unit", "timeout: 10\n" + entry("series: x, value: 1"), `t.yaml:1:10: timeout must be a time such as 10s or 1h30m, not "10"`},
		{"kernel", scripts + "tests: [{name: a, needs: {kernel: new}, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:2:35: kernel must be a release such as 5.15, not "new"`},
		{"exit status", scripts + "tests: [{name: a, exit_status: 256, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:2:32: exit_status must be from 1 to 255`},
		{"a variable", scripts + "tests: [{name: a, env: {A=B: 1}, command: c, expect: [{series: x, value: 1}]}]\n",
			`t.yaml:2:25: a variable's name has no = in it`},

		{"no series", entry("value: 1"), `t.yaml:6:9: an expectation needs "series:", such as ply_x_total{device="sda"}`},
		{"nothing expected", entry("series: x"), `t.yaml:6:9: an expectation says what is true of its series: value, min, max, absent: true, or labels`},
		{"absent: false", entry("series: x, absent: false"), `t.yaml:6:9: an expectation says what is true of its series: value, min, max, absent: true, or labels`},
		{"value and bound", entry("series: x, value: 1, max: 2"), `t.yaml:6:9: value is exact: leave out min and max`},
		{"absent with a value", entry("series: x, absent: true, value: 0"), `t.yaml:6:9: a series that is absent has no value and no labels: leave them out`},
		{"bounds that cross", entry("series: x, min: 2, max: 1"), `t.yaml:6:9: min 2 is above max 1`},
		{"a value that is no number", entry("series: x, value: many"), `t.yaml:6:28: value: "many" is no number, duration (10ms) or size (4Ki)`},
		{"no metric", entry(`series: '{a="b"}', value: 1`), `t.yaml:6:19: series: a series begins with the name of its metric`},
		{"no quotes", entry(`series: 'x{a=b}', value: 1`), `t.yaml:6:23: series: expected the value of label a in quotes`},
		{"no operator", entry(`series: 'x{a}', value: 1`), `t.yaml:6:22: series: expected =, !=, =~ or !~ after label a`},
		{"no end", entry(`series: 'x{a="b"', value: 1`), `t.yaml:6:26: series: expected , or } here`},
		{"no label", entry(`series: 'x{="b"}', value: 1`), `t.yaml:6:21: series: expected a label here`},
		{"more behind", entry(`series: 'x{a="b"} > 5', value: 1`), `t.yaml:6:28: series: nothing may follow the labels`},
		{"no brace", entry(`series: 'x(a="b")', value: 1`), `t.yaml:6:20: series: expected { here`},
		{"regular expression", entry(`series: 'x{a=~"("}', value: 1`), "t.yaml:6:24: series: error parsing regexp: missing closing ): `^(?s:()$`"},
		{"escape", entry(`series: 'x{a="\d"}', value: 1`), `t.yaml:6:23: series: "\d" has an escape that is none: write \\ for a backslash`},
		{"on several lines", scripts + "tests:\n  - name: n\n    command: c\n    expect:\n      - series: |\n          x{\n          a\n          }\n        value: 1\n",
			`t.yaml:6:17: series: expected =, !=, =~ or !~ after label a`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Loader{}.parseTests("t.yaml", []byte(tt.yaml))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

// Everything that a test file can say.
func TestTestFile(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"sub/c.yaml": "scripts: [{name: a, script: S}]\n",
		"t.yaml": `
config: sub/c.yaml
timeout: 5s
tests:
  - name: all
    needs: {kernel: 5.15, probes: [a, b], commands: dd}
    before: b
    command: |
      c
    after: a
    env: {A: 1, B: "two words"}
    timeout: 1m
    exit_status: 0
    expect:
      - series: x_bucket{le="4096.0", a=~'it\'s "so"', b!~` + "`\\d+`" + `,}
        min: 1.5
        max: 4Ki
      - {series: y, labels: []}
  - {name: short, command: c, expect: [{series: x, value: 10ms}]}
`,
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Loader{}.LoadTests(filepath.Join(folder, "t.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all, short := f.Tests[0], f.Tests[1]
	if len(f.Config.Scripts) != 1 || all.Timeout != time.Minute || short.Timeout != 5*time.Second {
		t.Errorf("%d scripts, timeouts %v and %v", len(f.Config.Scripts), all.Timeout, short.Timeout)
	}
	if n := all.Needs; n.Kernel != "5.15" || len(n.Probes) != 2 || n.Commands[0] != "dd" {
		t.Errorf("needs: %+v", n)
	}
	if all.Before != "b" || all.Command != "c\n" || all.After != "a" || strings.Join(all.Env, ",") != "A=1,B=two words" {
		t.Errorf("%+v", all)
	}
	x := all.Expect[0].Series
	if x.Metric != "x_bucket" || len(x.Matchers) != 3 || x.Matchers[0].Value != "4096" {
		t.Errorf("%+v", x)
	}
	for value, want := range map[string]bool{`it's "so"`: true, `xit's "so"`: false, "": false} {
		if x.Matchers[1].Matches(value) != want {
			t.Errorf("%q matches %s: %v", x.Matchers[1].Value, value, !want)
		}
	}
	if m := x.Matchers[2]; m.Matches("12") || !m.Matches("1a") || !m.Matches("") {
		t.Errorf("%+v", m)
	}
	if all.Expect[1].Labels == nil || short.Expect[0].Value.Number.FloatString(2) != "0.01" {
		t.Errorf("%+v %+v", all.Expect[1], short.Expect[0])
	}
}
