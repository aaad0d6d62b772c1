package cli

import (
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// A script's arguments are any texts, dashes first too.
func TestArgumentsOfTheScript(t *testing.T) {
	need.BPF(t)
	const show = `BEGIN { printf("%v|%v\n", $1, $2); exit(0); }`
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-", "--", "-"}, "-|-"},
		{[]string{"-5", "-0x10"}, "-5|-16"},
		{[]string{"-.5", "-5k"}, "-.5|-5k"},
		{[]string{"--", "-t", "--time"}, "-t|--time"},
		{[]string{"--", "--", "-1"}, "--|-1"},
		{[]string{"", " "}, "| "},
		{[]string{"@file", "a=b"}, "@file|a=b"},
		{[]string{"0x7fffffffffffffff", "-9223372036854775808"}, "9223372036854775807|-9223372036854775808"},
		{[]string{"one", "-t", "1h30m", "two", "-f", "text"}, "one|two"},
		{[]string{"\"quoted\" \\", "$2"}, "\"quoted\" \\|$2"},
		{[]string{"\xff", "\u00e4"}, `\xff|` + "\u00e4"},
	} {
		r := ply(t, append([]string{"run", show}, row.args...)...)
		if r.status != 0 || r.stdout != row.want+"\n" {
			t.Errorf("%q: %+v, want %q", row.args, r, row.want)
		}
	}
}

// Times are seconds or have units.
func TestTimes(t *testing.T) {
	for _, text := range []string{"0", "1", "1.5", ".5", "1e3", "1h30m", "200ms", "100us", "+2s", "876000h"} {
		if r := ply(t, "run", "-e", "-t", text, "BEGIN { @ = 1; }"); r.status != 0 {
			t.Errorf("-t %s: %+v", text, r)
		}
	}
	for _, text := range []string{"", "-5", "-1s", "-0.1", "1d", "0x5", "five", "1e400", "NaN", "1e-10", "99999999h", "1 s", "-"} {
		want := `ply-exporter: invalid time "` + text + `" for -t: use seconds, such as 1.5, or a duration, such as 1h30m or 200ms, from 1ns to 100 years; see ply-exporter --help` + "\n"
		if r := ply(t, "run", "-e", "-t", text, "BEGIN { @ = 1; }"); r.status != 2 || !strings.HasSuffix(r.stderr, want) {
			t.Errorf("-t %q: %+v", text, r)
		}
	}
}

// What is wrong with a command line is said with what to do, and the status is 2.
func TestWrongUsage(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "required argument 'script' not provided"},
		{[]string{"run", "x", "-x"}, "unknown short flag '-x'; put -- before it if it is an argument of the script"},
		{[]string{"run", "x", "--x"}, "unknown long flag '--x'; put -- before it if it is an argument of the script"},
		{[]string{"list", "-x"}, "unknown short flag '-x'"},
		{[]string{"run", "x", "-test.v"}, "unknown flag '-test.v'; put -- before it if it is an argument of the script"},
		{[]string{"chekc", "--config", "x"}, `unexpected chekc; did you mean "check"?`},
		{[]string{"list", "x", "chekc"}, "unexpected chekc"},
		{[]string{"frobnicate"}, "unexpected frobnicate"},
		{[]string{"probes.yaml"}, "unexpected probes.yaml: write --config probes.yaml"},
		{[]string{"dashboard", "a/probes.yml"}, "unexpected a/probes.yml: write --config a/probes.yml"},
		{[]string{"check", "kprobe:f { @ = count(); }"}, "unexpected kprobe:f { @ = count(); }: run traces a script, and run -e compiles it only"},
		{[]string{"--web.listen-addres", ":1"}, `unknown long flag '--web.listen-addres'; did you mean "--web.listen-address"?`},
		{[]string{"check", "--confg=x"}, `unknown long flag '--confg'; did you mean "--config"?`},
		{[]string{"run", "--timee", "1", "x"}, `unknown long flag '--timee'; did you mean "--time"?; put -- before it if it is an argument of the script`},
		{[]string{"run", "-c", "", "x"}, "the command of -c is empty"},
		{[]string{"run", "-c", " \n", "x"}, "the command of -c is empty"},
		{[]string{"run", "-f", "-", "x"}, "enum value must be one of text,json, got '-'"},
		{[]string{"run", "-i", "100us", "x"}, `invalid time "100us" for -i: use seconds, such as 1.5, or a duration, such as 1h30m or 200ms, from 1ms to 100 years`},
		{[]string{"check", "--cpus", "x"}, `--cpus "x": give a whole number, such as 100`},
		{[]string{"check", "--metrics.max-series", "1e3"}, `--metrics.max-series "1e3": give a whole number, such as 100`},
		{[]string{"serve", "--web.max-requests", "1.5"}, `--web.max-requests "1.5": give a whole number, such as 100`},
		{[]string{"run", "-t"}, "expected argument for flag '-t'"},
	} {
		if r := ply(t, row.args...); r.status != 2 || r.stdout != "" || r.stderr != "ply-exporter: "+row.want+"; see ply-exporter --help\n" {
			t.Errorf("%q: %+v, want %q", row.args, r, row.want)
		}
	}
}
