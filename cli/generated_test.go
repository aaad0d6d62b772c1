package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"ply-exporter/internal/need"
)

// manPage is the man page of a day, as a file.
func manPage(t *testing.T) (path, text string) {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1764374400")
	r := ply(t, "--help-man")
	if r.status != 0 || r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	return writeFile(t, "ply-exporter.1", r.stdout), r.stdout
}

// The title line names the page, its section, the day and the version, and
// nothing depends on when the page is made.
func TestManPageTitle(t *testing.T) {
	_, page := manPage(t)
	title, _, _ := strings.Cut(page, "\n")
	if !strings.HasPrefix(title, `.TH ply\-exporter 1 "2025-11-29" "ply\-exporter `) || !strings.HasSuffix(title, `" "User Commands"`) {
		t.Errorf("title %q", title)
	}
	if _, again := manPage(t); again != page {
		t.Error("two pages of one day differ")
	}
}

// Every command, flag and argument that the help shows is in the man page, and
// no other.
func TestManPageHasAll(t *testing.T) {
	_, page := manPage(t)
	p := program{commands: map[string]func() int{}}
	p.define()
	model := p.app.Model()
	has := func(yes bool, text string) {
		t.Helper()
		if strings.Contains(page, text) != yes {
			t.Errorf("%q: want %v", text, yes)
		}
	}
	flags := func(flags []*kingpin.FlagModel) {
		for _, f := range flags {
			has(!f.Hidden, `\fB\-\-`+roff(f.Name)+`\fR`)
		}
	}
	flags(model.Flags)
	for _, c := range model.FlattenedCommands() {
		has(!c.Hidden, `\fB`+roff("ply-exporter "+c.FullCommand)+`\fR`)
		flags(c.Flags)
		for _, a := range c.Args {
			has(true, `\fI`+roff(a.Name)+`\fR`)
		}
	}
	for _, title := range []string{"FILES", "EXIT STATUS", "ENVIRONMENT", "SIGNALS", "EXAMPLES"} {
		has(true, "\n.SH "+title+"\n")
	}
}

// The formatters have no complaint.
func TestManPageIsClean(t *testing.T) {
	page, _ := manPage(t)
	for _, formatter := range [][]string{
		{"mandoc", "-T", "lint", "-W", "warning"},
		{"groff", "-ww", "-man", "-T", "utf8", "-z"},
	} {
		t.Run(formatter[0], func(t *testing.T) {
			out, err := exec.Command(need.Command(t, formatter[0]), append(formatter[1:], page)...).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Each shell completes commands, flags and their values, for both names of the
// program.
func TestCompletions(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"ply-exporter", "ply"} {
		script := "#!/bin/sh\nexec env " + asCommand + "=" + name + " " + os.Args[0] + ` "$@"` + "\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for shell, completer := range completers {
		t.Run(shell, func(t *testing.T) {
			script := ply(t, "--completion-script-"+shell).stdout
			for line, want := range map[string]string{
				"ply-exporter ch":               "check",
				"ply-exporter check --all":      "--allow-writable",
				"ply-exporter serve --attach p": "plain",
				"ply-exporter config show qui":  "quickstart",
				"ply --tim":                     "--time",
				"ply --format j":                "json",
			} {
				cmd := exec.Command(need.Command(t, shell), append([]string{"-c", before[shell] + script + completer, shell}, strings.Split(line, " ")...)...)
				out, err := cmd.CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != want {
					t.Errorf("%s: %q, %v, want %q", line, got, err, want)
				}
			}
		})
	}
}

// before is what a shell has that waits for a person.
var before = map[string]string{"zsh": "compdef() {}\n"}

// completers print what a shell would offer for the words in its arguments:
// bash's function is called as bash does, zsh's with the last step, which needs a
// terminal, replaced.
var completers = map[string]string{
	"bash": `
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `
compadd() { for m in $matches; do [[ $m == ${words[CURRENT]}* ]] && print -r -- $m; done }
_files() {}
typeset -A compstate=(nmatches 1)
words=("$@") CURRENT=$#
_ply_exporter`,
}
