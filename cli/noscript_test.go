package cli

import (
	"os/exec"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// What is missing for all scripts is said once, and ends the start.
func TestNoScriptCanRun(t *testing.T) {
	need.BPF(t)
	const yaml = "scripts:\n  - {name: a, script: \"tracepoint:sched/sched_switch { @ = count(); }\"}\n" +
		"  - {name: b, script: \"tracepoint:irq/softirq_* { @ = count(); }\"}\n"
	args := []string{"--config", writeFile(t, "probes.yaml", yaml), "--web.listen-address", freeAddress(t)}
	without := limited(t, programForAll(t), "-SYS_ADMIN -BPF", args...)
	if want := "no permission to use BPF: run as root, or grant CAP_BPF"; without.status != 1 || strings.Count(without.stderr, want) != 1 {
		t.Errorf("without CAP_BPF: %+v\nwant status 1 and once %q", without, want)
	}
	hidden := withoutTracefs(t, args...)
	if want := "tracefs is not mounted"; hidden.status != 1 || strings.Count(hidden.stderr, want) != 1 {
		t.Errorf("without tracefs: %+v\nwant status 1 and once %q", hidden, want)
	}
}

// What is missing costs the scripts that need it, and no others.
func TestScriptsThatNeedNoTracefs(t *testing.T) {
	need.BPF(t)
	const yaml = "scripts:\n  - {name: a, script: \"tracepoint:sched/sched_switch { @ = count(); }\"}\n" +
		"  - {name: b, script: \"profile:99hz { @ = count(); }\"}\n"
	r := withoutTracefs(t, "--strict", "--config", writeFile(t, "probes.yaml", yaml), "--web.listen-address", freeAddress(t))
	for _, want := range []string{`msg="script does not run" script=a err="`, `msg="script runs" script=b `} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in\n%s", want, r.stderr)
		}
	}
}

// withoutTracefs runs the command where tracefs is not mounted and may not be.
func withoutTracefs(t *testing.T, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), need.Command(t, "unshare"), append([]string{"--mount", "sh", "-c",
		`umount -l /sys/kernel/tracing /sys/kernel/debug 2>/dev/null; exec "$@"`, "sh", programForAll(t)}, args...)...)
	cmd.Env = append(cmd.Environ(), asCommand+"=ply-exporter", asLimited+"=-SYS_ADMIN")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}
