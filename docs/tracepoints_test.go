package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// tracepointRow is a row of tracepoints.md: event, footnote, meaning, fields, whose.
var tracepointRow = regexp.MustCompile("(?m)^\\| `(\\w+/\\w+)`( \\[\\^\\d+])? \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|")

// absentTracepoints are those that came later than the oldest recorded kernel.
var absentTracepoints = map[string]string{"lock/contention_begin": "5.10-amd64"}

// Every tracepoint of the page is in the kernels that it is said to be in, with
// its fields, and its task is the one that check takes it for.
func TestTracepointsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("tracepoints.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := tracepointRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) < 30 {
		t.Errorf("only %d tracepoints were found", len(rows))
	}
	for _, name := range recorded.Names() {
		k, err := kernel.Open(recorded.Files(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if absentTracepoints[row[1]] == name {
				continue
			}
			checkTracepoint(t, name, k, row)
		}
	}
}

func checkTracepoint(t *testing.T, name string, k *kernel.Kernel, row []string) {
	t.Helper()
	event, fields, own := row[1], strings.Split(row[4], ", "), strings.HasPrefix(row[5], "its own")
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = "@f" + string(rune('a'+i)) + "[data->" + strings.Trim(f, "`") + "] = count();"
	}
	compile(t, name, k, "tracepoint:"+event+" { "+strings.Join(keys, " ")+" }")
	script := compile(t, name, k, "tracepoint:"+event+" { @[pid] = count(); }")
	if warned := len(bpfgen.Bystanders(script)) > 0; script != nil && warned == own {
		t.Errorf("%s: %s: the page says whose is %q, check warns: %v", name, event, row[5], warned)
	}
}

// compile compiles a script for a kernel, and returns its checked tree.
func compile(t *testing.T, name string, k *kernel.Kernel, text string) *plylang.Script {
	t.Helper()
	obj, err := bpfgen.Build(&plylang.Source{Text: text}, k, bpfgen.Options{}, nil)
	if err != nil {
		t.Errorf("%s: %s", name, plylang.Detail(err))
		return nil
	}
	return obj.Script
}
