package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every flag of serving is in its documentation.
func TestFlagsInTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	help := ply(t, "serve", "--help")
	flags := regexp.MustCompile(`(?m)^ .*--(?:\[no-\])?([a-z][a-z.-]+)`).FindAllStringSubmatch(help.stdout+help.stderr, -1)
	if len(flags) < 10 {
		t.Fatalf("%d flags in\n%+v", len(flags), help)
	}
	for _, f := range flags {
		if name := "--" + f[1]; !strings.HasPrefix(f[1], "help") && f[1] != "version" && !strings.Contains(string(doc), name) {
			t.Errorf("docs/configuration.md does not have %s", name)
		}
	}
}
