package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/need"
)

const goodConfig = "scripts:\n  - name: a\n    script: |\n      BEGIN { @ = 1; }\n"

// What is wrong with a configuration file is said with its place, before
// anything is attached. FILE stands for the file's name.
func TestWrongConfigurationFiles(t *testing.T) {
	for _, row := range []struct{ name, yaml, want string }{
		{"empty", "", "FILE:1:1: empty: a configuration needs at least \"scripts:\" with one script\n"},
		{"binary", "\x7fELF\x02\x01\x00\x00", "FILE:1:7: not a text file: it has a NUL byte here\n"},
		{"UTF-16", "\xff\xfes\x00c\x00", "FILE:1:4: not a text file: it has a NUL byte here\n"},
		{"not UTF-8", goodConfig + "# \xff\n", "FILE:5:3: not valid UTF-8 from here on: save the file as UTF-8\n"},
		{"huge", goodConfig + strings.Repeat("# x\n", 1<<20), "FILE is larger than 1048576 bytes: too large for what people write\n"},
		{"tab", "scripts:\n\t- name: a\n", "FILE:2:1: found character that cannot start any token: put the text in quotes, or indent with spaces where it is a tab\n"},
		{"unknown key", strings.Replace(goodConfig, "script:", "scrpt:", 1), "FILE:3:5: a script has no key \"scrpt\"; did you mean \"script\"?\n"},
		{"wrong type", "scripts: yes\n", "FILE:1:10: scripts must be a list, not text\n"},
		{"number for text", strings.Replace(goodConfig, "name: a", "name: 7", 1), "FILE:2:11: name must be text, not a number: write \"7\"\n"},
		{"name twice", goodConfig + goodConfig[len("scripts:\n"):], "FILE:5:11: script \"a\" is already defined at FILE:2:11\n"},
		{"folded script", strings.Replace(goodConfig, "|", ">", 1), "FILE:3:13: a folded text (>) moves the lines of the script: use |\n"},
		{"alias to itself", "scripts: &a [*a]\n", "FILE:1:10: a script must be a mapping (key: value), not a list\n"},
		{"alias bomb", aliasBomb(), "namespace must be text, not a list\n"},
		{"unhashable key", "? {a: 1}\n: b\n", "FILE:1:3: a key must be a word or a number, not a mapping\n"},
		{"deep nesting", strings.Repeat("[", 100_000), "FILE:1:10001: exceeded max depth of 10000\n"},
	} {
		file := writeFile(t, "probes.yaml", row.yaml)
		want := strings.ReplaceAll(row.want, "FILE", file)
		if r := ply(t, "--config", file); r.status != 1 || r.stdout != "" || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "internal error") {
			t.Errorf("%s: status %d, standard error\n%.500s\nwant\n%s", row.name, r.status, r.stderr, want)
		}
	}
}

// aliasBomb is a document of a billion values.
func aliasBomb() string {
	text := "defaults:\n  a: &l0 [x]\n"
	last := "l0"
	for _, name := range strings.Fields("l1 l2 l3 l4 l5 l6 l7 l8 l9") {
		text += "  " + name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+last+",", 10), ",") + "]\n"
		last = name
	}
	return text + "namespace: *" + last + "\n" + goodConfig
}

// Files that cannot be read are named.
func TestConfigurationsThatCannotBeRead(t *testing.T) {
	empty, pipe := t.TempDir(), filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", "/nowhere/probes.yaml"}, "configuration /nowhere/probes.yaml: no such file or directory\n"},
		{[]string{"--config", ""}, "a configuration has no name: give a file or a folder, or /dev/stdin\n"},
		{[]string{"--config", "-"}, "a configuration has no name: give a file or a folder, or /dev/stdin\n"},
		{[]string{"check", "--btf", "/dev/zero", "--release", "6.1"}, "/dev/zero: is no BTF file, which has the types of a kernel, such as /sys/kernel/btf/vmlinux\n"},
		{[]string{"--config.file", "/nowhere/probes.yaml"}, "configuration /nowhere/probes.yaml: no such file or directory\n"},
		{[]string{"check", "--config", empty}, "configuration " + empty + ": the folder has no *.yaml or *.yml file\n"},
		{[]string{"check", "--config", pipe}, pipe + `:1:1: empty: a configuration needs at least "scripts:" with one script` + "\n    \n    ^\n"},
		{[]string{"run", "/nowhere/x.ply"}, "/nowhere/x.ply: no such file or directory\n"},
		{[]string{"run", "x.ply"}, "x.ply: no such file or directory\n"},
		{[]string{"run", empty}, empty + " is a directory, not a script\n"},
		{[]string{"run", "/dev/zero"}, "/dev/zero is too large to be a script\n"},
		{[]string{"fmt", "/nowhere/x.ply"}, "/nowhere/x.ply: no such file or directory\n"},
	} {
		if r := ply(t, row.args...); r.status != 1 || !strings.HasSuffix(r.stderr, row.want) {
			t.Errorf("%q: status %d, standard error %q, want %q", row.args, r.status, r.stderr, row.want)
		}
	}
}

// An error inside a script stands at its line and column of the file that the
// user edits, however the script is written there.
func TestScriptErrorsInConfigurations(t *testing.T) {
	const mistake = `no variable or built-in named "pidd"; did you mean "pid"?`
	for _, row := range []struct{ name, yaml, place string }{
		{"block", "scripts:\n  - name: a\n    script: |\n      BEGIN {\n        @ = pidd;\n      }\n", "5:13"},
		{"block without its last line feed", "scripts:\n  - name: a\n    script: |-\n      BEGIN { @ = pidd; }\n", "4:19"},
		{"block with its own indentation", "scripts:\n  - name: a\n    script: |2\n        BEGIN { @ = pidd; }\n", "4:21"},
		{"plain", "scripts:\n  - name: a\n    script: BEGIN { @ = pidd; }\n", "3:25"},
		{"double quotes", "scripts:\n  - name: a\n    script: \"BEGIN { @ = pidd; }\"\n", "3:26"},
		{"single quotes", "scripts:\n  - name: a\n    script: 'BEGIN { @ = pidd; }'\n", "3:26"},
		{"carriage returns", "scripts:\r\n  - name: a\r\n    script: |\r\n      BEGIN {\r\n        @ = pidd;\r\n      }\r\n", "5:13"},
		{"byte order mark", "\ufeffscripts:\n  - name: a\n    script: |\n      BEGIN { @ = pidd; }\n", "4:19"},
		{"letters of several bytes", "scripts:\n  - name: a\n    script: |\n      BEGIN { print(\"äö\", pidd); }\n", "4:29"},
	} {
		file := writeFile(t, "probes.yaml", row.yaml)
		want := file + ":" + row.place + ": " + mistake + "\n    "
		if r := ply(t, "--config", file); r.status != 1 || !strings.HasPrefix(r.stderr, want) {
			t.Errorf("%s: status %d, standard error\n%s\nwant\n%s", row.name, r.status, r.stderr, want)
		}
	}
}

// A script in a file of its own has its own lines, with either line end.
func TestScriptErrorsInFiles(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		script := writeFile(t, "a.ply", strings.Join([]string{"BEGIN {", "  @ = 1;", "  @b = pidd;", "}", ""}, end))
		const mistake = `:3:8: no variable or built-in named "pidd"; did you mean "pid"?` + "\n      @b = pidd;\n           ^\n"
		config := writeFile(t, "probes.yaml", "scripts:\n  - name: a\n    file: "+script+"\n")
		for _, args := range [][]string{{"--config", config}, {"run", script}} {
			if r := ply(t, args...); r.status != 1 || r.stderr != script+mistake {
				t.Errorf("%q: status %d, standard error\n%s", args, r.status, r.stderr)
			}
		}
	}
}

func TestDamagedScripts(t *testing.T) {
	for _, row := range []struct{ name, script, want string }{
		{"empty", "", "FILE:1:1: script is empty: write a probe and what to do there, as in kprobe:vfs_read { @[comm] = count(); }\n"},
		{"comments only", "# nothing\n", "FILE:1:1: script is empty"},
		{"NUL byte", "BEGIN { @ = 1;\x00 }", "FILE:1:15: NUL byte: a script is text\n"},
		{"NUL byte in a text", "BEGIN { @[\"a\x00b\"] = 1; }", "FILE:1:13: a string cannot hold a NUL byte"},
		{"not UTF-8", "BEGIN { \xff }", "FILE:1:9: invalid UTF-8 (byte 0xff): a script is text\n"},
		{"binary", "\x7fELF\x02\x01\x01\x00\x00", "FILE:1:1: unexpected character '\\x7f'\n"},
		{"10 MB", strings.Repeat("BEGIN { @ = 1; }\n", 600_000), "FILE:1:1: script has 10200000 bytes, the limit is 1048576\n"},
		{"10 MB of a text", `BEGIN { print("` + strings.Repeat("x", 10_000_000) + `"); }`, "FILE:1:1: script has 10000020 bytes, the limit is 1048576\n"},
		{"1 MB of a text", `BEGIN { print("` + strings.Repeat("x", 1_000_000) + `"); }`, "FILE:1:1: probe needs more than 33280 bytes of memory for its values: use shorter strings\n"},
		{"large number", "BEGIN { @ = 18446744073709551616; }", "FILE:1:13: 18446744073709551616: number does not fit 64 bits\n"},
		{"larger number", "BEGIN { @ = " + strings.Repeat("9", 10_000) + "; }", "number does not fit 64 bits\n"},
		{"large duration", "BEGIN { @ = 9223372036854775807h; }", "FILE:1:13: 9223372036854775807h: number does not fit 64 bits\n"},
		{"large repetition", "BEGIN { unroll(1000000000) { @ += 1; } }", "FILE:1:16: unroll repeats 1 to 64 times, not 1000000000\n"},
		{"repetitions of repetitions", "BEGIN { unroll(64) { unroll(64) { unroll(64) { @ += 1; } } } }", "FILE:1:1: probe is too long: it has more than 32767 instructions"},
	} {
		file := writeFile(t, "s.ply", row.script)
		want := strings.ReplaceAll(row.want, "FILE", file)
		if r := ply(t, "run", "-e", file); r.status != 1 || !strings.Contains(r.stderr, want) || len(r.stderr) > 5000 {
			t.Errorf("%s: status %d, standard error\n%.500s\nwant\n%s", row.name, r.status, r.stderr, want)
		}
	}
}

// Whatever is nested 10,000 deep is an error at the place where it is too much.
func TestDeepNesting(t *testing.T) {
	const n = 10_000
	wrap := func(before, open, middle, end, after string) string {
		return before + strings.Repeat(open, n) + middle + strings.Repeat(end, n) + after
	}
	for _, row := range []struct{ script, want string }{
		{wrap("BEGIN { @ = ", "(", "1", ")", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN ", "{", "", "}", ""), "nested deeper than 200 levels"},
		{wrap("BEGIN { ", "if (1) ", "@ = 1;", "", " }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { ", "if (pid) {} else ", "@ = 1;", "", " }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "!", "1", "", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "- ", "1", "", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "(u8)", "1", "", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "pid ? ", "1", " : 1", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "abs(", "1", ")", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "@a[", "1", "]", "; }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { ", "unroll(2) {", "@ = 1;", "}", " }"), "nested deeper than 200 levels"},
		{wrap("BEGIN { @ = ", "pid + ", "1", "", "; }"), "more than 1000 operators in one expression"},
		{wrap("BEGIN { @ = curtask", "->parent", "->pid", "", "; }"), "more than 1000 members in one expression"},
		{wrap("BEGIN { @[", "pid, ", "pid", "", "] = count(); }"), "the key of @ has"},
	} {
		file := writeFile(t, "s.ply", row.script)
		if r := ply(t, "run", "-e", file); r.status != 1 || !strings.Contains(r.stderr, row.want) {
			t.Errorf("%.40s…: status %d, standard error\n%.500s\nwant %q", row.script, r.status, r.stderr, row.want)
		}
	}
}

func TestUnknownProbes(t *testing.T) {
	need.BPF(t)
	for _, row := range []struct{ script, want string }{
		{"tracepoint:sched/sched_swich", `this kernel has no tracepoint sched/sched_swich; did you mean "sched/sched_switch"?`},
		{"tracepoint:shed/sched_switch", `this kernel has no tracepoint shed/sched_switch; did you mean "sched/sched_switch"?`},
		{"tracepoint:*/nothing*", `no tracepoint of this kernel matches */nothing*`},
		{"tracepoint:sched", `tracepoint "sched" lacks its category: write tracepoint:category/event`},
		{"kprobe:SyS_raed", `did you mean "read"?`},
		{"rawtracepoint:sched_swich", `did you mean "sched_switch"?`},
		{"trakepoint:sched/sched_switch", `did you mean "tracepoint"?`},
		{"BEGINN {}", `"BEGINN" has no provider`},
		{"profile:99khz", `profile "99khz" is no rate: write profile:99hz`},
		{"profile:0hz", `a rate of 0 never fires: use 1hz or more`},
		{"profile:9999999hz", `9999999hz is too fast: use 10000hz or less`},
		{"profile:99999999999999999999hz", `is no rate: write profile:99hz`},
		{"profile:9999:99hz", `cpu 9999 is not online`},
		{"interval:0", `an interval of 0 has no meaning: use 100us or more`},
		{"interval:99999999999999999999s", `is no time: write interval:10ms`},
	} {
		if r := ply(t, "run", "-e", row.script); r.status != 1 || !strings.Contains(r.stderr, row.want) || !strings.Contains(r.stderr, "^") {
			t.Errorf("%s: status %d, standard error\n%s\nwant %s", row.script, r.status, r.stderr, row.want)
		}
	}
}

func TestTimesThatCannotBeKept(t *testing.T) {
	for _, args := range [][]string{{"-t", "1e300"}, {"-t", "nan"}, {"-t", "inf"}, {"--time=-1"}, {"-i", "1e-12"}, {"--interval=-1"}} {
		r := ply(t, append(append([]string{"run"}, args...), "BEGIN { exit(0); }")...)
		if r.status != 2 || !strings.Contains(r.stderr, "use seconds, such as 1.5, or a duration, such as 1h30m or 200ms, from ") {
			t.Errorf("%q: status %d, standard error %q", args, r.status, r.stderr)
		}
	}
}

// Nobody is told that all went well when what was asked for was not written.
func TestFullDiskOfOtherCommands(t *testing.T) {
	need.BPF(t)
	script := writeFile(t, "a.ply", "BEGIN { @ = 1; }\n")
	config := writeFile(t, "probes.yaml", goodConfig)
	for _, args := range [][]string{{"--help"}, {"list", "tracepoint:sched/*"}, {"fmt", script}, {"check", "--config", config}} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := plyCommand(t.Context(), args...)
		var errs strings.Builder
		cmd.Stdout, cmd.Stderr = full, &errs
		_ = cmd.Run()
		_ = full.Close()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "standard output: ") || strings.Contains(errs.String(), "internal error") {
			t.Errorf("%q: status %d, standard error %q", args, cmd.ProcessState.ExitCode(), errs.String())
		}
	}
}

// Options of serving that cannot be meant stop the start.
func TestWrongServingOptions(t *testing.T) {
	config := writeFile(t, "probes.yaml", goodConfig)
	binary := writeFile(t, "web.yaml", "scripts: []\n")
	for _, row := range []struct {
		args   []string
		want   string
		status int
	}{
		{[]string{"--web.telemetry-path", "metrics"}, "does not begin with a slash", 1},
		{[]string{"--web.telemetry-path", "/-/ready"}, "is where the health checks are", 1},
		{[]string{"--metrics.max-series=-1"}, "is below 0", 1},
		{[]string{"--metrics.max-series=many"}, "--metrics.max-series \"many\": give a whole number, such as 100", 2},
		{[]string{"--web.config.file", filepath.Join(t.TempDir(), "none")}, "no such file or directory", 1},
		{[]string{"--web.config.file", binary}, "field scripts not found", 1},
		{[]string{"--web.listen-address", ""}, "--web.listen-address is empty, which would be any port: give one, as in --web.listen-address=:10759", 1},
		{[]string{"--web.listen-address", ":99999"}, ":99999 is no address to listen on: give host:port, as in 127.0.0.1:10759, or :port for all addresses", 1},
		{[]string{"--web.listen-address", "127.0.0.1"}, "127.0.0.1 is no address to listen on", 1},
		{[]string{"--web.listen-address", "192.0.2.1:80"}, "192.0.2.1:80 is no address of this machine", 1},
		{[]string{"--log.level", "loud"}, "unrecognized log level loud", 2},
	} {
		args := append([]string{"--config", config, "--web.listen-address", freeAddress(t)}, row.args...)
		if row.args[0] == "--web.listen-address" {
			args = append([]string{"--config", config}, row.args...)
		}
		if r := ply(t, args...); r.status != row.status || !strings.Contains(r.stderr, row.want) {
			t.Errorf("%q: status %d, standard error\n%s\nwant %q", row.args, r.status, r.stderr, row.want)
		}
	}
}
