package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// parsed is what the parser makes of a command line, whose words blanks divide: the
// command, its arguments and the flags that are given, or the error.
func parsed(line string) string {
	p := program{args: strings.Split(line, " ")}
	p.define()
	c, args, err := p.parse(markDashes(p.args))
	if err != nil {
		return "error: " + unmark(err.Error())
	}
	text := fmt.Sprintf("%s %q", c.name, args)
	c.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			text += fmt.Sprintf(" %s=%s", f.Name, f.Value)
		}
	})
	return text
}

// Flags may stand anywhere before "--", in all forms that GNU programs take.
func TestParse(t *testing.T) {
	testParse(t, map[string]string{
		"--strict":                           `serve [] strict=true`,
		"serve --strict":                     `serve [] strict=true`,
		"run -ev x":                          `run ["x"] compile=true verbose=true`,
		"run x -e y -v -- -e --verbose":      `run ["x" "y" "-e" "--verbose"] compile=true verbose=true`,
		"run -fjson x":                       `run ["x"] format=json`,
		"run -f=json x":                      `run ["x"] format=json`,
		"run --format=json x":                `run ["x"] format=json`,
		"run --format json x":                `run ["x"] format=json`,
		"run -evt5 x":                        `run ["x"] time=5s compile=true verbose=true`,
		"run -c= x":                          `run ["x"] command==`,
		"run --command=-v -v x":              `run ["x"] command=-v verbose=true`,
		"run -c-v -v x":                      `run ["x"] command=-v verbose=true`,
		"run -c=-e x -- -e":                  `run ["x" "-e"] command=-e`,
		"run --command=-x x":                 `run ["x"] command=-x`,
		"run x - -5 -.5 -- -":                `run ["x" "-" "-5" "-.5" "-"]`,
		"run --no-verbose x":                 `run ["x"] verbose=false`,
		"run --verbose=false x":              `run ["x"] verbose=false`,
		"run --no-verbose=false x":           `run ["x"] verbose=true`,
		"check --no-kernel":                  `check [] no-kernel=true`,
		"check --no-no-kernel":               `check [] no-kernel=false`,
		"check --kernel a --kernel b":        `check [] kernel=[a,b]`,
		"check --metrics.max-series -1":      `check [] metrics.max-series=-1`,
		"--web.listen-address :1":            `serve [] web.listen-address=[:1]`,
		"--config.auto-reload-interval 1d":   `serve [] config.auto-reload-interval=1d`,
		"--config.auto-reload-interval 0.5h": `serve [] config.auto-reload-interval=30m`,
		"config show x":                      `config show ["x"]`,
	})
}

// What is wrong is named as it was written.
func TestParseErrors(t *testing.T) {
	testParse(t, map[string]string{
		"":                                      `error: unexpected `,
		"run":                                   `error: required argument 'script' not provided`,
		"unpin":                                 `error: required flag '--bpf.pin-path' not provided`,
		"config":                                `error: must select a subcommand of 'config'`,
		"config x":                              `error: unexpected x`,
		"record a b":                            `error: unexpected b`,
		"--config x check --no-kernel":          `error: unexpected check`,
		"check x --bogus":                       `error: unexpected x`,
		"rnu -t 5 x":                            `error: unexpected rnu`,
		"run --no-time x":                       `error: unknown long flag '--no-time'`,
		"run --no-verbose=x x":                  `error: --verbose=x: give true or false, or nothing, which is true`,
		"run --=x":                              `error: unknown long flag '--=x'`,
		"run ---x":                              `error: unknown long flag '---x'`,
		"run -vÄ x":                             `error: unknown short flag '-Ä'`,
		"run -t":                                `error: expected argument for flag '-t'`,
		"run --time":                            `error: expected argument for flag '--time'`,
		"run -t -v x":                           `error: expected argument for flag '-t'`,
		"run -vet -v x":                         `error: expected argument for flag '-t'`,
		"run --time -v x":                       `error: expected argument for flag '--time'`,
		"--config --strict":                     `error: expected argument for flag '--config'`,
		"run -t 1 --time 2 x":                   `error: flag 'time' cannot be repeated`,
		"--strict --strict":                     `error: flag 'strict' cannot be repeated`,
		"--strict --no-strict":                  `error: flag 'strict' cannot be repeated`,
		"--strict=x":                            `error: --strict=x: give true or false, or nothing, which is true`,
		"run --attach x y":                      `error: enum value must be one of auto,plain, got 'x'`,
		"--config.auto-reload-interval x":       `error: --config.auto-reload-interval "x": give a time with its unit, such as 30s or 1d`,
		"--config.auto-reload-interval 30":      `error: --config.auto-reload-interval "30": give a time with its unit, such as 30s or 1d`,
		"--web.listen-address= ":                `error: unexpected `,
		"--capabilities.keep all --log.level x": `error: unrecognized log level x`,
	})
}

// testParse parses lines and compares what becomes of them.
func testParse(t *testing.T, lines map[string]string) {
	t.Helper()
	for line, want := range lines {
		if got := parsed(line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// Whatever else stands on the command line, --help is answered.
func TestHelpAmongOthers(t *testing.T) {
	for line, command := range map[string]string{
		"--help":                    "ply-exporter [<flags>] <command>",
		"help":                      "ply-exporter [<flags>] <command>",
		"-h":                        "ply-exporter [<flags>] <command>",
		"--strict --help":           "ply-exporter [<flags>] <command>",
		"--help check":              "ply-exporter check [<flags>]\n",
		"check --help":              "ply-exporter check [<flags>]\n",
		"help check":                "ply-exporter check [<flags>]\n",
		"check -h --bogus":          "ply-exporter check [<flags>]\n",
		"run --help":                "ply-exporter run [<flags>] <script> [<args>...]\n",
		"unpin --help":              "ply-exporter unpin --bpf.pin-path=PATH\n",
		"config --help":             "ply-exporter config <command> [<args> ...]\n",
		"config schema x --help":    "ply-exporter config schema [<of>]\n",
		"help config schema":        "ply-exporter config schema [<of>]\n",
		"--help-long":               "ply-exporter [<flags>] <command>",
		"fmt --help --completion-x": "ply-exporter fmt [<flags>] <file>...\n",
	} {
		if r := ply(t, strings.Fields(line)...); r.status != 0 || r.stderr != "" || !strings.HasPrefix(r.stdout, "usage: "+command) {
			t.Errorf("%s: %+v", line, r)
		}
	}
	if _, help, _ := calledBy(t, "ply", "--help"); !strings.HasPrefix(help, "usage: ply [<flags>] <script> [<args>...]\n") {
		t.Errorf("ply --help: %s", help)
	}
	for line, want := range map[string]string{
		"help chekc":        `unexpected chekc; did you mean "check"?`,
		"help config shw":   `unexpected shw; did you mean "show"?`,
		"config shw":        `unexpected shw; did you mean "show"?`,
		"help run x":        `unexpected x`,
		"--strict run -e x": `unexpected run: a command stands before its flags`,
		"check run":         `unexpected run`,
		"config schema no":  `enum value must be one of config,test, got 'no'`,
	} {
		if r := ply(t, strings.Fields(line)...); r.status != 2 || r.stdout != "" || r.stderr != "ply-exporter: "+want+"; see ply-exporter --help\n" {
			t.Errorf("%s: %+v, want %q", line, r, want)
		}
	}
}

// The help has every command and every flag that is not hidden, in lines that fit.
func TestHelpHasAll(t *testing.T) {
	for _, width := range []string{"60", "80", "132"} {
		t.Setenv("COLUMNS", width)
		p := program{Streams: Streams{}}
		p.define()
		for _, c := range p.commands {
			help := p.helpOf(c, false)
			if c == p.root {
				help = p.helpOf(c, true)
			}
			checkLines(t, c.name, help, p.width())
			c.flags.VisitAll(func(f *pflag.Flag) {
				if row := regexp.MustCompile(`(?m)^ {2,8}(-\w, )?` + regexp.QuoteMeta(flagTitle(f)) + `( |$)`); row.MatchString(help) == f.Hidden {
					t.Errorf("%s: hidden is %v of %s in\n%s", c.name, f.Hidden, flagTitle(f), help)
				}
			})
			for _, part := range p.within(c) {
				if !strings.Contains(help, "\n"+part.synopsis()+"\n") {
					t.Errorf("%q has no %q\n%s", c.name, part.synopsis(), help)
				}
			}
		}
	}
}

// checkLines looks at the lines of a help. Only a word of its own may be wider.
func checkLines(t *testing.T, name, help string, width int) {
	t.Helper()
	for line := range strings.Lines(help) {
		line = strings.TrimSuffix(line, "\n")
		if strings.TrimRight(line, " ") != line || len([]rune(line)) > width && len(strings.Fields(line)) > 1 {
			t.Errorf("%s --help, %d columns: line %q", name, width, line)
		}
	}
}
