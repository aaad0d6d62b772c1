package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

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
				"ply-exporter serve --log.l":    "--log.level",
				"ply-exporter --log.level d":    "debug",
				"ply-exporter config sh":        "show",
				"ply-exporter config schema te": "test",
				"ply-exporter help un":          "unpin",
				"ply --format j":                "json",
				"ply -f j":                      "json",
				"ply --format=j":                "json",
				"ply-exporter --log.level=":     "debug\ninfo\nwarn\nerror",
				"ply -e --attach p":             "plain",
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

// What may follow is known without a shell, too: what is hidden is not offered, and
// where a file may be, nothing is.
func TestComplete(t *testing.T) {
	for line, want := range map[string]string{
		"ply-exporter config ":         "list show schema",
		"ply-exporter --help config ":  "list show schema",
		"ply-exporter config list -":   "--help --version",
		"ply-exporter config show a ":  "",
		"ply-exporter unpin --":        "--help --version --bpf.pin-path",
		"ply-exporter list x -":        "--help --version --verbose",
		"ply-exporter --attach ":       "auto plain",
		"ply-exporter --strict ":       "",
		"ply-exporter check --config ": "",
		"ply-exporter run ":            "",
		"ply ":                         "",
	} {
		words := strings.Split(line, " ")
		_, out, errs := calledBy(t, words[0], append([]string{completes}, words[1:]...)...)
		if got := strings.Join(strings.Fields(out), " "); got != want || errs != "" {
			t.Errorf("%s: %q, errors %q, want %q", line, got, errs, want)
		}
	}
}

// before is what a shell has that waits for a person.
var before = map[string]string{"zsh": "compdef() {}\n"}

// completers print what a shell would offer for the words in its arguments:
// bash's function is called as bash does, zsh's with the last step, which needs a
// terminal, replaced.
var completers = map[string]string{
	"bash": `
for word; do
	if [[ $word == --*=* ]]; then COMP_WORDS+=("${word%%=*}" = ${word#*=}); else COMP_WORDS+=("$word"); fi
done
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `
compadd() { for m in $matches; do [[ $m == $PREFIX* ]] && print -r -- $m; done }
compset() { [[ $PREFIX == --*=* ]] && IPREFIX=${PREFIX%%=*}= PREFIX=${PREFIX#*=} }
_files() {}
typeset -A compstate=(nmatches 1)
words=("$@") CURRENT=$# PREFIX=${@[-1]}
_ply_exporter`,
}
