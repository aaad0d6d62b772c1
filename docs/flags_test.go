package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/cli"
)

// helpFlag is a flag in what --help prints: "  -t, --time=SECONDS", "      --[no-]strict".
var helpFlag = regexp.MustCompile(`(?m)^  (-\w,|   ) --(?:\[no-])?([a-z][a-z.-]*)`)

// Every flag is in the documentation of its command, by its short name where it has one.
func TestFlagsInTheDocumentation(t *testing.T) {
	for command, file := range map[string]string{
		"serve": "configuration.md", "check": "configuration.md",
		"run": "run.md", "list": "run.md", "fmt": "run.md", "test": "testing-configurations.md", "dashboard": "dashboards.md",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flags := helpFlag.FindAllStringSubmatch(help(t, command), -1)
		if len(flags) < 3 {
			t.Errorf("%s --help shows only the flags %q", command, flags)
		}
		for _, f := range flags {
			name := strings.TrimRight(f[1], ", ")
			if name == "" {
				name = "--" + f[2]
			}
			if !slices.Contains([]string{"-h", "--version"}, name) && !regexp.MustCompile(`[\x60 ]`+name+`[\x60= ]`).Match(text) {
				t.Errorf("docs/%s does not tell of %s %s", file, command, name)
			}
		}
	}
}

// help is what a command prints for --help.
func help(t *testing.T, command string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "help")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if status := cli.Run([]string{"ply-exporter", command, "--help"}, cli.Streams{In: os.Stdin, Out: out, Err: os.Stderr}); status != 0 {
		t.Errorf("%s --help: status %d", command, status)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
