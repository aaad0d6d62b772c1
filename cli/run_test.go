package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// Scripts whose output is the same on every machine.
func TestRun(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	for _, row := range []struct {
		name   string
		args   []string
		stdout string
		stderr string // is part of standard error
		status int
	}{
		{"maps are printed at the end", []string{"BEGIN { @a = 1 + 2 * 3; @[\"x\"] = count(); exit(0); }"},
			"\n@a: 7\n\n@:\nx                      1\n", "de-activating probes\n", 0},
		{"exit's status", []string{"BEGIN { exit(7); }"}, "", "", 7},
		{"printf", []string{`BEGIN { printf("%d|%5s|%x\n", -1, "ab", 255); exit(0); }`}, "-1|   ab|ff\n", "", 0},
		{"print", []string{`BEGIN { print("a", 2, 3ms); exit(0); }`}, "a, 2, 3ms\n", "", 0},
		{"JSON", []string{"-f", "json", `BEGIN { @n["k"] = 9007199254740993; print(-1); exit(0); }`},
			`{"type":"attached","probes":0}` + "\n" + `{"type":"print","data":[-1]}` + "\n" +
				`{"type":"map","name":"@n","data":[{"key":["k"],"value":9007199254740993}]}` + "\n", "", 0},
		{"END runs after the exit", []string{`BEGIN { exit(0); } END { printf("bye\n"); }`}, "bye\n", "", 0},
		{"arguments", []string{`BEGIN { print($1, $2); exit(0); }`, "0x10", "text"}, "16, text\n", "", 0},
		{"compile only", []string{"-e", "BEGIN { @ = 1; }"}, "", "", 0},
		{"what is misread", []string{"-e", "kretprobe:SyS_openat { @[errno(retval)] = count(); }"}, "", "warning: script:1:26: errno(retval) names results that are no errors, too", 0},
		{"a mistake", []string{"BEGIN { @ = pidd; }"}, "", "script:1:13: no variable or built-in named \"pidd\"; did you mean \"pid\"?\n    BEGIN { @ = pidd; }\n                ^", 1},
		{"the command's end ends the run", []string{"-c", "exec /bin/true", "kprobe:SyS_execve / pid == $target / { @ = count(); }"}, "\n@: 1\n", "", 0},
		{"a command that fails", []string{"-c", "exit 3", "BEGIN { @ = 1; }"}, "\n@: 1\n", "command: exit status 3", 0},
		{"nothing to wait for", []string{`BEGIN { @ = 1; } END { print("end"); }`}, "end\n\n@: 1\n", "", 0},
		{"what cannot be read", []string{`BEGIN { print(str(uptr(16))); }`}, "\n", "1 reading of the memory of processes failed, and gave zero or the empty string", 0},
		{"a time limit", []string{"-t", "0.1", "BEGIN { @ = 1; }"}, "\n@: 1\n", "", 0},
		{"nothing to do", []string{}, "", "required argument 'script' not provided", 2},
		{"an unknown option", []string{"--frobnicate"}, "", "unknown long flag", 2},
	} {
		r := ply(t, append([]string{"run"}, row.args...)...)
		if r.stdout != row.stdout || r.status != row.status || !strings.Contains(r.stderr, row.stderr) {
			t.Errorf("%s: status %d, standard output\n%s\nstandard error\n%s\nwant status %d, output\n%s\nerror with\n%s",
				row.name, r.status, r.stdout, r.stderr, row.status, row.stdout, row.stderr)
		}
	}
}

// A script comes as a file, an executable file, or on standard input.
func TestRunReadsScripts(t *testing.T) {
	need.BPF(t)
	const script = "#!/usr/bin/env -S ply-exporter run\nBEGIN { printf(\"hello\\n\"); exit(0); }\n"
	if r := ply(t, "run", writeFile(t, "hello.ply", script)); r.stdout != "hello\n" {
		t.Errorf("file: %+v", r)
	}
	if r := plyInput(t, script, "run", "-"); r.stdout != "hello\n" {
		t.Errorf("standard input: %+v", r)
	}
	if r := ply(t, "run", t.TempDir()); r.status != 1 || !strings.Contains(r.stderr, "is a directory") {
		t.Errorf("folder: %+v", r)
	}
}

// A script with a first line of its own is a command, for whoever has the
// binary in the path.
func TestScriptIsACommand(t *testing.T) {
	need.BPF(t)
	need.Command(t, "env")
	folder := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(folder, "ply-exporter")); err != nil {
		t.Fatal(err)
	}
	script := writeFile(t, "greet", "#!/usr/bin/env -S ply-exporter run\nBEGIN { printf(\"hello %s\\n\", $1); exit(5); }\n")
	if err := os.Chmod(script, 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), script, "you")
	cmd.Env = append(os.Environ(), asCommand+"=ply-exporter", "PATH="+folder+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 5 || string(out) != "hello you\n" {
		t.Errorf("%v, %q", err, out)
	}
}

// -S shows the tree and the instructions, -v how probes were attached and why;
// with -e nothing runs.
func TestRunShows(t *testing.T) {
	need.BPF(t)
	for _, row := range []struct {
		args []string
		want []string
	}{
		{[]string{"-S", "-e", "kprobe:SyS_getppid { $n.count() }"}, []string{"kprobe:SyS_getppid { $n = count(); }\n", "; 1:22: $n.count()", "StXAtomicAddDW"}},
		{[]string{"-v", "-t", "0.1", "kprobe:SyS_get* { @ = count(); }"}, []string{"\nkprobe:SyS_get*: ", "one attachment to raw_syscalls/sys_enter"}},
		{[]string{"-v", "-t", "0.1", "--attach=plain", "tracepoint:sched/sched_switch { @ = count(); }"}, []string{"\ntracepoint:sched/sched_switch: tracepoint, 1 attach point: "}},
	} {
		r := ply(t, append([]string{"run"}, row.args...)...)
		for _, want := range row.want {
			if r.status != 0 || !strings.Contains(r.stderr, want) {
				t.Errorf("%q: status %d, standard error lacks %q:\n%s", row.args, r.status, want, r.stderr)
			}
		}
	}
}

func TestFullDisk(t *testing.T) {
	need.BPF(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	cmd := plyCommand(t.Context(), "run", `BEGIN { printf("x\n"); } interval:10ms { printf("y\n"); }`)
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = full, &errs
	err = cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "standard output: ") {
		t.Errorf("%v, standard error %q", err, errs.String())
	}
}

// A binary called ply is "ply-exporter run".
func TestBinaryNamedPly(t *testing.T) {
	need.BPF(t)
	link := filepath.Join(t.TempDir(), "ply")
	if err := os.Symlink(os.Args[0], link); err != nil {
		t.Fatal(err)
	}
	cmd := plyCommand(t.Context(), "BEGIN { @ = 4; exit(0); }")
	cmd.Path, cmd.Env = link, append(os.Environ(), asCommand+"=ply")
	out, err := cmd.Output()
	if err != nil || string(out) != "\n@: 4\n" {
		t.Errorf("%v, %q", err, out)
	}
}
