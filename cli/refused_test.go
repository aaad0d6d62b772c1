package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// unlisted runs the command where the lists of what can be probed cannot be read, as
// in a container or in lockdown.
func unlisted(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const script = `for f in debug/kprobes/blacklist tracing/available_filter_functions; do
	mount --bind /dev/null /sys/kernel/$f || exit 99
done
exec "$0" "$@"`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=ply-exporter")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// unprobed are functions in which the kernel allows no kprobe, those of them that it
// has.
func unprobed(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/debug/kprobes/blacklist")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"oops_begin", "oops_end", "preempt_schedule_thunk", "preempt_schedule_notrace_thunk", "warn_thunk_thunk"}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(string(text), "\t"+name+"\n") })
}

// TestRefusedFunctions: of a glob the functions that the kernel refuses are left out,
// with a warning that names them; one that is named is an error. Where the lists of
// them can be read, they are no part of a glob to begin with.
func TestRefusedFunctions(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	glob := "kprobe:@(vfs_read|" + strings.Join(unprobed(t), "|") + ") " + mineSized + " { @[func] = count(); }"
	const counted = "\n@:\nvfs_read              10\n"
	r := unlisted(t, "run", "-c", tenReads, glob)
	refused := regexp.MustCompile(`(?m)^warning: kprobe:@\(vfs_read.*: kprobe(?:_multi)? (\w+)\b[^:]*: .*$`).FindStringSubmatch(r.stderr)
	if r.status != 0 || r.stdout != counted || refused == nil {
		t.Fatalf("%+v", r)
	}
	t.Log(refused[0])
	r = unlisted(t, "run", "-c", tenReads, "kprobe:vfs_read, kprobe:"+refused[1]+" "+mineSized+" { @[func] = count(); }")
	if r.status != 1 || !strings.Contains(r.stderr, refused[1]) {
		t.Errorf("named literally: %+v", r)
	}
	r = ply(t, "run", "-v", "-c", tenReads, "kprobe:"+refused[1]+" ?, "+glob)
	want := "note: script:1:1: kprobe:" + refused[1] + " ? is absent: the kernel allows no probe in its function " + refused[1]
	if r.status != 0 || r.stdout != counted || strings.Contains(r.stderr, "warning") || !strings.Contains(r.stderr, want) {
		t.Errorf("with the lists: %+v", r)
	}
}
