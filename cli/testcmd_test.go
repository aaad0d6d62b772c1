package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

var documentedYAML = regexp.MustCompile("(?ms)^```yaml\n(# (\\w+\\.yaml)\n.*?)^```$")

// The test files in the documentation pass.
func TestDocumentedTestFiles(t *testing.T) {
	need.BPF(t)
	text, err := os.ReadFile("../docs/testing-configurations.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var files []string
	for _, match := range documentedYAML.FindAllStringSubmatch(string(text), -1) {
		path := filepath.Join(folder, match[2])
		if err := os.WriteFile(path, []byte(match[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(match[1], "\ntests:") {
			files = append(files, path)
		}
	}
	r := ply(t, append([]string{"test"}, files...)...)
	if r.status != 0 || len(files) != 2 || strings.Count(r.stdout, "ok  \t") != 2 || r.stderr != "" {
		t.Errorf("%d files: %+v", len(files), r)
	}
}

const countedReads = `
scripts:
  - name: reads
    script: |
      kprobe:SyS_read / comm == "ply-workload" / { @size = quantize(arg(2)); }
`

// Values are exact, whatever other processes do.
func TestTestCommand(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	workload := "env: {" + asCommand + ": \"\", " + asWorkload + ": 777}\n    command: " + os.Args[0]
	file := writeFile(t, "reads.yaml", countedReads+`
tests:
  - name: exact
    `+workload+`
    expect:
      - {series: 'ply_reads_size_bucket{le="2048"}', value: 0}
      - {series: 'ply_reads_size_bucket{le="4096.0"}', value: 777}
      - {series: ply_reads_size_sum, value: 3182592}
  - name: again
    `+workload+`
    expect: [{series: ply_reads_size_count, value: 777}]
  - name: wrong
    `+workload+`
    expect: [{series: ply_reads_size_count, max: 776}]
`)
	r := ply(t, "test", file)
	if r.status != 1 || strings.Count(r.stdout, "--- FAIL") != 1 || !strings.Contains(r.stdout, "ply_reads_size_count: expected at most 776, got 777\n") {
		t.Errorf("%+v", r)
	}
	if r := ply(t, "test", "--run", "reads/(exact|again)$", file); r.status != 0 || !strings.HasPrefix(r.stdout, "ok  \t"+file) {
		t.Errorf("%+v", r)
	}
}

// What is wrong before any test runs, and how it ends.
func TestTestCommandOfWrongFiles(t *testing.T) {
	need.BPF(t)
	const tests = "tests: [{name: n, command: \"true\", expect: [{series: ply_a_total, value: 0}]}]\n"
	wrong := writeFile(t, "wrong.yaml", "scripts: [{name: a, script: \"BEGIN { @ = cuont(); }\"}]\n"+tests)
	missing := writeFile(t, "missing.yaml", "scripts: [{name: a, script: \"kprobe:no_such_function_anywhere { @ = count(); }\"}]\n"+tests)
	open := writeFile(t, "open.yaml", tests)
	if err := os.Chmod(open, 0o666); err != nil { //nolint:gosec // that is what is refused
		t.Fatal(err)
	}
	for _, row := range []struct {
		args   []string
		status int
		want   string // in what is printed
	}{
		{[]string{}, 2, "required argument 'file' not provided"},
		{[]string{"--run", "(", wrong}, 2, "test: --run \"(\": error parsing regexp"},
		{[]string{"/nonexistent.yaml"}, 1, "/nonexistent.yaml: no such file or directory\nFAIL\t/nonexistent.yaml [setup failed]\nFAIL\n"},
		{[]string{wrong}, 1, "wrong.yaml:1:42: no variable or built-in named \"cuont\"; did you mean \"count\"?"},
		{[]string{missing}, 1, "missing.yaml [setup failed]\n"},
		{[]string{open}, 1, "all users may write to the file"},
	} {
		r := ply(t, append([]string{"test"}, row.args...)...)
		if r.status != row.status || !strings.Contains(r.stdout+r.stderr, row.want) {
			t.Errorf("%q: %+v, want %q", row.args, r, row.want)
		}
	}
}

// ^C kills the command and ends the program.
func TestInterruptedTestCommand(t *testing.T) {
	need.BPF(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "t.yaml")
	text := countedReads + `
tests:
  - name: long
    command: echo $$ >new && mv new pid && sleep 1000
    after: touch cleaned
    expect: [{series: ply_reads_size_count, value: 0}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := plyCommand(context.Background(), "test", file)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); !exists(filepath.Join(folder, "pid")) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasSuffix(out.String(), "ply-exporter: interrupted\n") || !exists(filepath.Join(folder, "cleaned")) {
		t.Errorf("status %d, after has run: %v\n%s", cmd.ProcessState.ExitCode(), exists(filepath.Join(folder, "cleaned")), out.String())
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
