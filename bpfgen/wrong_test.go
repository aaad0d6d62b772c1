package bpfgen

import (
	"os"
	"strings"
	"testing"
)

// TestWrongScripts compares what is said about each script of
// testdata/wrong.txt, which people of other languages would write, with the
// indented lines below it. Run it with -update after a change of messages, and
// read what has changed as somebody who is called at night.
func TestWrongScripts(t *testing.T) {
	const file = "testdata/wrong.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k := recorded(t, "7.3-amd64")
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		script, _, _ := strings.Cut(block, "\n")
		said := script
		if !strings.HasPrefix(script, "# ") {
			_, err := build(k, script, Options{Run: true})
			if err == nil {
				t.Errorf("%s is right", script)
				continue
			}
			said = strings.ReplaceAll(script+"\n"+err.Error(), "\nscript:1:", "\n    ")
		}
		if said != block && !*update {
			t.Errorf("got\n%s\nwant\n%s", said, block)
		}
		out = append(out, said)
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
