package configtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A fakeSubject shows what the file "series" beside the test file has: lines such
// as "ply_calls_total func=read 5".
type fakeSubject struct {
	folder         string
	failed         map[string]error
	starts, closes int
}

var fakeMetrics = []exporter.MetricInfo{
	{Name: "ply_calls_total", Script: "calls", Type: "counter", Labels: []string{"func", "user"}},
	{Name: "ply_size", Script: "size", Type: "histogram", Bounds: []float64{1, 2.5, 4096}},
	{Name: "ply_wait_seconds", Script: "wait", Type: "summary", Unit: "seconds"},
	{Name: "ply_level", Script: "level", Type: "gauge", Labels: []string{"device"}},
	{Name: "ply_map_dropped_total", Type: "counter", Labels: []string{"map"}},
}

func (f *fakeSubject) Metrics() []exporter.MetricInfo { return fakeMetrics }
func (f *fakeSubject) Start() error                   { f.starts++; return nil }
func (f *fakeSubject) Failed() map[string]error       { return f.failed }
func (f *fakeSubject) Close()                         { f.closes++ }

func (f *fakeSubject) Has(probe string) error {
	switch probe {
	case "kprobe:gone":
		return plylang.ErrorList{{Msg: "no function gone", Missing: true}}
	case "nonsense":
		return plylang.ErrorList{{Msg: "a probe needs a colon"}}
	}
	return nil
}

func (f *fakeSubject) Read(...string) (out []exporter.Series, err error) {
	text, _ := os.ReadFile(filepath.Join(f.folder, "series"))
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		s := exporter.Series{Metric: words[0], Gauge: words[0] == "ply_level"}
		for _, w := range words[1 : len(words)-1] {
			name, value, _ := strings.Cut(w, "=")
			s.Labels = append(s.Labels, exporter.SeriesLabel{Name: name, Value: value})
		}
		if _, err := fmt.Sscan(words[len(words)-1], &s.Value); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// A trial is a run of a test file on a fake.
type trial struct {
	Runner
	subject *fakeSubject
	out     bytes.Buffer
	file    string
}

// newTrial writes a test file; tests are what it says below "tests:".
func newTrial(t *testing.T, tests string) *trial {
	t.Helper()
	folder := t.TempDir()
	r := &trial{subject: &fakeSubject{folder: folder}, file: filepath.Join(folder, "t.yaml")}
	text := "scripts: [{name: a, script: S}]\ntests:\n" + tests
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Runner = Runner{
		Out: &r.out, Load: config.Loader{}.LoadTests,
		Open:   func(*config.Config) (Subject, error) { return r.subject, nil },
		Kernel: func() string { return "6.1.0-47-amd64" },
	}
	return r
}

var times = regexp.MustCompile(`\d+\.\d+s`)

// run runs the file and returns what was printed, without times and folders.
func (r *trial) run(t *testing.T) (string, bool) {
	t.Helper()
	ok := r.Run(context.Background(), r.file)
	text := strings.ReplaceAll(r.out.String(), r.subject.folder+"/", "")
	return times.ReplaceAllString(text, "0s"), ok
}

// What tests print, and that a file passes only when it is ok.
func TestOutput(t *testing.T) {
	const writes = `
    command: |
      echo ply_calls_total func=read user=a 5 >series
      echo ply_calls_total func=write user=a 2 >>series
      echo ply_calls_total func=read user=b 1 >>series
`
	rows := []struct{ name, tests, want string }{
		{"exact", `  - name: n` + writes + `    expect: [{series: 'ply_calls_total{func="read"}', value: 6}]`, "ok  \tt.yaml\t0s\n"},
		{"bounds", `  - name: n` + writes + `    expect: [{series: 'ply_calls_total{func=~"read|write"}', min: 8, max: 8}]`, "ok  \tt.yaml\t0s\n"},
		{"no such series counts as 0", `  - name: n` + writes + `    expect: [{series: 'ply_calls_total{func="open"}', value: 0}]`, "ok  \tt.yaml\t0s\n"},
		{"absent", `  - name: n` + writes + `    expect: [{series: 'ply_calls_total{func!~"re.*|write"}', absent: true}]`, "ok  \tt.yaml\t0s\n"},
		{"labels", `  - name: n` + writes + `    expect: [{series: ply_calls_total, labels: [user, func]}]`, "ok  \tt.yaml\t0s\n"},
		{"too few", `  - name: n` + writes + `    expect: [{series: 'ply_calls_total{func="read"}', min: 7}]`, `--- FAIL: t/n (0s)
    t.yaml:8:60: ply_calls_total{func="read"}: expected at least 7, got 6
            expect: [{series: 'ply_calls_total{func="read"}', min: 7}]
                                                                   ^
    the series, and by how much they went up:
        ply_calls_total{func="read",user="a"} 5
        ply_calls_total{func="write",user="a"} 2
        ply_calls_total{func="read",user="b"} 1
FAIL	t.yaml	0s
`},
		{"too many", `  - name: n` + writes + `    expect: [{series: 'ply_calls_total{user="b"}', max: 0}]`, `--- FAIL: t/n (0s)
    t.yaml:8:57: ply_calls_total{user="b"}: expected at most 0, got 1
            expect: [{series: 'ply_calls_total{user="b"}', max: 0}]
                                                                ^
    the series, and by how much they went up:
        ply_calls_total{func="read",user="a"} 5
        ply_calls_total{func="write",user="a"} 2
        ply_calls_total{func="read",user="b"} 1
FAIL	t.yaml	0s
`},
		{"not absent, and other labels", `  - name: n
    command: echo ply_level device=sda -0.5 >series
    expect:
      - {series: ply_level, absent: true}
      - {series: ply_level, labels: [disk]}
      - {series: ply_level, value: -0.5}`, `--- FAIL: t/n (0s)
    t.yaml:6:37: ply_level: expected no such series, got 1
              - {series: ply_level, absent: true}
                                            ^
    the series:
        ply_level{device="sda"} -0.5
    t.yaml:7:37: ply_level: expected the labels disk, got device
              - {series: ply_level, labels: [disk]}
                                            ^
    the series:
        ply_level{device="sda"} -0.5
FAIL	t.yaml	0s
`},
		{"a gauge that is not there has no value", `  - name: n
    command: "true"
    expect: [{series: ply_level, max: 5}]`, `--- FAIL: t/n (0s)
    t.yaml:5:39: ply_level: expected at most 5, got no such series
            expect: [{series: ply_level, max: 5}]
                                              ^
    the metric has no series
FAIL	t.yaml	0s
`},
		{"what was lost", `  - name: n
    command: echo ply_map_dropped_total map=@x 3 >series
    expect: [{series: ply_size_count, value: 3}]`, `--- FAIL: t/n (0s)
    t.yaml:5:46: ply_size_count: expected 3, got no such series
            expect: [{series: ply_size_count, value: 3}]
                                                     ^
    the metric has no series
    lost meanwhile: ply_map_dropped_total{map="@x"} went up by 3
FAIL	t.yaml	0s
`},
		{"a command that fails", `  - name: n
    command: echo hello; echo there >&2; exit 3
    expect: [{series: ply_size_count, value: 0}]`, `--- FAIL: t/n (0s)
    t.yaml:4:14: command: it exited with status 3
            command: echo hello; echo there >&2; exit 3
                     ^
    output:
    hello
    there
FAIL	t.yaml	0s
`},
		{"a command that must fail", `  - name: n
    command: exit 3
    exit_status: 3
    expect: [{series: ply_size_count, value: 0}]`, "ok  \tt.yaml\t0s\n"},
		{"a command that should have failed", `  - name: n
    command: exit 4
    exit_status: 3
    expect: [{series: ply_size_count, value: 0}]`, `--- FAIL: t/n (0s)
    t.yaml:4:14: command: it exited with status 4, expected 3
            command: exit 4
                     ^
FAIL	t.yaml	0s
`},
		{"a command that is killed", `  - name: n
    command: kill -SEGV $$
    expect: [{series: ply_size_count, value: 0}]`, `--- FAIL: t/n (0s)
    t.yaml:4:14: command: it was killed by a signal: segmentation fault
            command: kill -SEGV $$
                     ^
FAIL	t.yaml	0s
`},
		{"steps and their environment", `  - name: n
    env: {COUNT: 7}
    before: echo ply_size_count $COUNT >series
    command: echo ply_size_count $((2 * COUNT)) >series
    after: echo gone >series; false
    expect: [{series: ply_size_count, value: 7}]`, `--- FAIL: t/n (0s)
    t.yaml:7:12: after: it exited with status 1
            after: echo gone >series; false
                   ^
FAIL	t.yaml	0s
`},
		{"before fails", `  - name: n
    before: "false"
    command: echo not run
    expect: [{series: ply_size_count, value: 7}]`, `--- FAIL: t/n (0s)
    t.yaml:4:13: before: it exited with status 1
            before: "false"
                    ^
FAIL	t.yaml	0s
`},
		{"needs", `  - name: n
    needs: {kernel: "6.2"}
    command: exit 1
    expect: [{series: ply_size_count, value: 7}]
  - name: o
    needs: {kernel: "6.1", commands: [sh, nosuchcommand]}
    command: exit 1
    expect: [{series: ply_size_count, value: 7}]
  - name: p
    needs: {probes: kprobe:gone}
    command: exit 1
    expect: [{series: ply_size_count, value: 7}]`, `--- SKIP: t/n (0s)
    t.yaml:4:12: needs kernel 6.2, this is 6.1.0-47-amd64
--- SKIP: t/o (0s)
    t.yaml:8:12: needs the command nosuchcommand, which is not installed here
--- SKIP: t/p (0s)
    t.yaml:12:12: needs the probe kprobe:gone: no function gone
ok  	t.yaml	0s
`},
		{"a need that is none", `  - name: p
    needs: {probes: nonsense}
    command: exit 1
    expect: [{series: ply_size_count, value: 7}]`, `t.yaml:4:12: needs: probe "nonsense": a probe needs a colon
        needs: {probes: nonsense}
               ^
FAIL	t.yaml [setup failed]
`},
		{"wrong names", `  - name: n
    command: touch ran
    expect:
      - {series: ply_cals_total, value: 1}
      - {series: 'ply_calls_total{fun="read"}', value: 1}
      - {series: 'ply_level{x="read"}', value: 1}
      - {series: ply_size, value: 1}
      - {series: ply_wait_seconds, value: 1}
      - {series: 'ply_size_bucket{le="3"}', value: 1}
      - {series: 'ply_size_bucket{le="4096.0"}', min: 1ms}
      - {series: nothing_like_it, value: 1}
      - {series: ply_wait_seconds_sum, min: 1ms}`, `t.yaml:6:18: the configuration has no metric "ply_cals_total"; did you mean "ply_calls_total"?
          - {series: ply_cals_total, value: 1}
                     ^
t.yaml:7:35: ply_calls_total has no label "fun"; did you mean "func"?
          - {series: 'ply_calls_total{fun="read"}', value: 1}
                                      ^
t.yaml:8:29: ply_level has no label "x": it has device
          - {series: 'ply_level{x="read"}', value: 1}
                                ^
t.yaml:9:18: ply_size is a histogram: write ply_size_bucket, ply_size_count or ply_size_sum
          - {series: ply_size, value: 1}
                     ^
t.yaml:10:18: ply_wait_seconds is a summary: write ply_wait_seconds_count or ply_wait_seconds_sum
          - {series: ply_wait_seconds, value: 1}
                     ^
t.yaml:11:35: ply_size has no bucket that ends at 3: its bounds are 1, 2.5, 4096, +Inf
          - {series: 'ply_size_bucket{le="3"}', value: 1}
                                      ^
t.yaml:12:9: 1ms is a time, but ply_size_bucket is not in seconds: write a number
          - {series: 'ply_size_bucket{le="4096.0"}', min: 1ms}
            ^
t.yaml:13:18: the configuration has no metric "nothing_like_it": ply-exporter check lists what it has
          - {series: nothing_like_it, value: 1}
                     ^
FAIL	t.yaml [setup failed]
`},
		{"expectations that cannot fail", `  - name: n
    command: touch ran
    expect:
      - {series: ply_calls_total, min: 0}
      - {series: ply_size_count, min: -1}
      - {series: ply_size_sum, min: 0}
      - {series: ply_level, min: 0}
      - {series: ply_calls_total, min: 0, max: 5}`, `t.yaml:6:40: ply_calls_total never goes down, so that this cannot fail: write min: 1, or the value
          - {series: ply_calls_total, min: 0}
                                           ^
t.yaml:7:39: ply_size_count never goes down, so that this cannot fail: write min: 1, or the value
          - {series: ply_size_count, min: -1}
                                          ^
FAIL	t.yaml [setup failed]
`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newTrial(t, row.tests)
			got, ok := r.run(t)
			if got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
			if ok != strings.HasPrefix(lastLine(row.want), "ok") {
				t.Errorf("passed: %v", ok)
			}
			if r.subject.starts != r.subject.closes {
				t.Errorf("started %d times, closed %d times", r.subject.starts, r.subject.closes)
			}
			if _, err := os.Stat(filepath.Join(r.subject.folder, "ran")); err == nil {
				t.Error("a command ran though the file is wrong")
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// A verbose run shows every test and what its commands print.
func TestVerboseOutput(t *testing.T) {
	r := newTrial(t, `  - name: one
    command: echo first
    expect: [{series: ply_size_count, value: 0}]
  - name: two
    command: echo second
    expect: [{series: ply_size_count, value: 0}]`)
	r.Verbose, r.Select = true, regexp.MustCompile("t/tw")
	want := "=== RUN   t/two\n--- PASS: t/two (0s)\n    output:\n    second\nPASS\nok  \tt.yaml\t0s\n"
	if got, ok := r.run(t); got != want || !ok {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Nothing starts where no test is selected or all are skipped.
func TestNothingToRun(t *testing.T) {
	const test = `  - name: one
    needs: {kernel: "9.0"}
    command: echo first
    expect: [{series: ply_size_count, value: 0}]`
	for pattern, want := range map[string]string{
		"none": "ok  \tt.yaml\t0s [no tests to run]\n",
		"one":  "--- SKIP: t/one (0s)\n    t.yaml:4:12: needs kernel 9.0, this is 6.1.0-47-amd64\nok  \tt.yaml\t0s\n",
	} {
		r := newTrial(t, test)
		r.Select = regexp.MustCompile(pattern)
		if got, ok := r.run(t); got != want || !ok || r.subject.starts > 0 {
			t.Errorf("%s: started %d times, got\n%s\nwant\n%s", pattern, r.subject.starts, got, want)
		}
	}
}

// A test of a script that does not run fails, others are not affected.
func TestScriptThatDoesNotRun(t *testing.T) {
	r := newTrial(t, `  - name: one
    command: "true"
    expect: [{series: ply_size_count, value: 0}, {series: ply_size_sum, value: 0}]
  - name: two
    command: "true"
    expect: [{series: ply_level, absent: true}]
  - name: three
    command: "true"
    expect: [{series: ply_unknown, absent: true}]`)
	r.subject.failed = map[string]error{"size": errors.New("no kprobes here")}
	want := `--- FAIL: t/one (0s)
    t.yaml:5:23: script size does not run on this kernel: needs: skips the test where it cannot
            expect: [{series: ply_size_count, value: 0}, {series: ply_size_sum, value: 0}]
                              ^
    no kprobes here
--- FAIL: t/three (0s)
    t.yaml:11:23: script size does not run on this kernel: needs: skips the test where it cannot
            expect: [{series: ply_unknown, absent: true}]
                              ^
    no kprobes here
FAIL	t.yaml	0s
`
	if got, ok := r.run(t); got != want || ok {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
