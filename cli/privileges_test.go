package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// programForAll is a copy of the test binary that every user may execute.
func programForAll(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ply-privileges")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	name := filepath.Join(dir, "ply-exporter")
	to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// under runs a shell command that ends in the words of the command: exec "$@".
func under(t *testing.T, program, shell string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", shell, "sh", program}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=ply-exporter")
	cmd.Dir = "/"
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

const (
	asNobody = `exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"`
	only     = `exec setpriv --inh-caps=-all --bounding-set=-all`
	counting = "tracepoint:sched/sched_switch { @ = count(); }"
	nothing  = "BEGIN { @ = 1; }"
)

// Whoever may not trace is told what is missing.
func TestMissingPrivileges(t *testing.T) {
	need.BPF(t)
	need.Command(t, "setpriv")
	program := programForAll(t)
	const grant = "no permission to use BPF: run as root, or grant "
	for _, row := range []struct{ name, shell, script, want string }{
		{"nobody", asNobody, nothing, grant + "CAP_BPF and CAP_PERFMON\n"},
		{"nobody", asNobody, "profile:99hz { @ = count(); }", grant + "CAP_BPF and CAP_PERFMON\n"},
		{"nobody", asNobody, counting, "/sys/kernel/tracing may not be read: run as root or with CAP_DAC_READ_SEARCH\n"},
		{"nobody", asNobody, "kprobe:SyS_read { @ = count(); }", "/sys/kernel/tracing may not be read: run as root or with CAP_DAC_READ_SEARCH\n"},
		{"root without capabilities", only + ` "$@"`, nothing, grant + "CAP_BPF and CAP_PERFMON\n"},
		{"root without capabilities", only + ` "$@"`, counting, grant + "CAP_BPF and CAP_PERFMON\n"},
		{"CAP_BPF alone", only + `,+bpf "$@"`, counting, grant + "CAP_PERFMON\n"},
		{"CAP_PERFMON alone", only + `,+perfmon "$@"`, counting, grant + "CAP_BPF\n"},
	} {
		r := under(t, program, row.shell, "run", "-t", "0.1", row.script)
		if r.status != 1 || !strings.Contains(r.stderr, row.want) {
			t.Errorf("%s: %s: status %d, standard error\n%s\nwant %s", row.name, row.script, r.status, r.stderr, row.want)
		}
	}
}

// CAP_BPF and CAP_PERFMON suffice, and so does CAP_SYS_ADMIN.
func TestSufficientPrivileges(t *testing.T) {
	need.BPF(t)
	need.Command(t, "setpriv")
	program := programForAll(t)
	for capabilities, script := range map[string]string{
		"+bpf,+perfmon": "rawtracepoint:sched_switch { @ = count(); }", // perf events may need more: kernel.perf_event_paranoid
		"+sys_admin":    counting,
	} {
		r := under(t, program, only+`,`+capabilities+` "$@"`, "run", "-c", "sleep 0.05", script)
		if r.status != 0 || !strings.Contains(r.stdout, "@: ") {
			t.Errorf("%s: %+v", capabilities, r)
		}
	}
}

// The exporter that may not trace says so and keeps serving, unless --strict;
// check fails.
func TestExporterWithoutPrivileges(t *testing.T) {
	need.BPF(t)
	need.Command(t, "setpriv")
	program := programForAll(t)
	config := filepath.Join(filepath.Dir(program), "probes.yaml")
	if err := os.WriteFile(config, []byte(goodConfig), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	const want = "no permission to use BPF: run as root, or grant CAP_BPF and CAP_PERFMON\n"
	for _, args := range [][]string{{"--strict", "--config", config, "--web.listen-address", freeAddress(t)}, {"check", "--config", config}} {
		r := under(t, program, asNobody, args...)
		if r.status != 1 || !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// A file that this user may not read is named.
func TestFilesWithoutPermission(t *testing.T) {
	need.Root(t)
	need.Command(t, "setpriv")
	program := programForAll(t)
	for _, name := range []string{"secret.ply", "secret.yaml"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(program), name), []byte(nothing), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, config := filepath.Join(filepath.Dir(program), "secret.ply"), filepath.Join(filepath.Dir(program), "secret.yaml")
	for _, args := range [][]string{{"run", script}, {"fmt", script}, {"--config", config}, {"check", "--config", config}} {
		r := under(t, program, asNobody, args...)
		if r.status != 1 || !strings.Contains(r.stderr, args[len(args)-1]+": permission denied\n") {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// A folder of PATH that this user may not look into is passed over. It is named if nothing
// is found.
func TestPathWithoutPermission(t *testing.T) {
	need.Root(t)
	need.Command(t, "setpriv")
	program := programForAll(t)
	shut := filepath.Join(t.TempDir(), "shut")
	if err := os.Mkdir(shut, 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(program)
	looking := "PATH=" + shut + "/bin:" + filepath.Dir(program) + ":$PATH; " + asNobody
	if r := under(t, program, looking, "list", "uprobe:"+name+":main.main"); r.status != 0 || r.stdout != "uprobe:"+program+":main.main\n" {
		t.Errorf("%+v", r)
	}
	const mayNot = ": permission denied: the files of other users' processes are for root or CAP_SYS_PTRACE\n"
	if r := under(t, program, looking, "list", "uprobe:/proc/1/root/bin/bash:main"); r.status != 1 || !strings.HasSuffix(r.stderr, mayNot) {
		t.Errorf("%+v, want %s", r, mayNot)
	}
	if r := under(t, program, looking, "list", "uprobe:/proc/*/root/none:main"); r.status != 1 || !strings.HasSuffix(r.stderr, mayNot) {
		t.Errorf("%+v, want %s", r, mayNot)
	}
	want := "ply-exporter: there is no " + name + "x as far as one may look: lstat " + filepath.Dir(shut) + ": permission denied\n"
	if r := under(t, program, looking, "list", "uprobe:"+name+"x:main.main"); r.status != 1 || r.stderr != want {
		t.Errorf("%+v, want %s", r, want)
	}
}

// noTracefs runs the rest in a mount namespace that has no tracefs.
const noTracefs = `exec unshare -m sh -c 'umount /sys/kernel/tracing; umount /sys/kernel/debug/tracing /sys/kernel/debug 2>/dev/null; `

// tracefs is mounted where it is missing; who may not mount is told how.
func TestWithoutTracefs(t *testing.T) {
	need.BPF(t)
	need.Command(t, "unshare")
	need.Command(t, "setpriv")
	program := programForAll(t)
	r := under(t, program, noTracefs+`exec "$@"' sh "$@"`, "run", "-c", "sleep 0.05", counting)
	if r.status != 0 || !strings.Contains(r.stdout, "@: ") {
		t.Errorf("root: %+v", r)
	}
	const want = `tracefs is not mounted: run "mount -t tracefs tracefs /sys/kernel/tracing"` + "\n"
	unable := noTracefs + only + `,+bpf,+perfmon "$@"' sh "$@"`
	for _, args := range [][]string{{"run", "-t", "0.1", counting}, {"run", "-t", "0.1", "tracepoint:sched/* { @ = count(); }"}, {"list", "tracepoint:*"}} {
		if r := under(t, program, unable, args...); r.status != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := under(t, program, unable, "run", "-t", "0.1", nothing); r.status != 0 || r.stdout != "\n@: 1\n" {
		t.Errorf("a script that needs no tracefs: %+v", r)
	}
}

// With few open files allowed the script fails whole, never by half.
func TestTooFewFiles(t *testing.T) {
	need.BPF(t)
	r := under(t, programForAll(t), `ulimit -n 20; exec "$@"`, "run", "-t", "0.1", "tracepoint:sched/* { @[probe] = count(); }")
	if r.status != 1 || !strings.Contains(r.stderr, "too many open files: raise the limit (ulimit -n, LimitNOFILE=) or match fewer probes\n") {
		t.Errorf("%+v", r)
	}
}

// Without /proc nothing can be known of this process, without /sys nothing of the
// kernel, and the library makes no map.
func TestWithoutMounts(t *testing.T) {
	need.BPF(t)
	need.Command(t, "unshare")
	for _, tt := range []struct{ folder, script, want string }{
		{"/proc", nothing, "/proc is not mounted: run \"mount -t proc proc /proc\"\n"},
		{"/sys", nothing, "/sys is not mounted: run \"mount -t sysfs sysfs /sys\"\n"},
		{"/sys", "tracepoint:sched/sched_switch { @ = count(); }", "/sys is not mounted: run \"mount -t sysfs sysfs /sys\", then \"mount -t tracefs tracefs /sys/kernel/tracing\"\n"},
	} {
		r := under(t, programForAll(t), `exec unshare -m sh -c 'umount -l `+tt.folder+`; exec "$@"' sh "$@"`, "run", "-t", "0.1", tt.script)
		if r.status != 1 || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%s: %+v, want %s", tt.folder, r, tt.want)
		}
	}
}
