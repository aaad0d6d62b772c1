package configtest

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A testRun is a run of one test.
type testRun struct {
	*fileRun
	test          *config.Test
	shell         *shell
	commandFailed bool
}

// run runs the test and returns what is wrong, each as text to be printed.
func (t *testRun) run(ctx context.Context) (faults []string) {
	if faults := t.notRunning(); len(faults) > 0 {
		return faults
	}
	shell, err := newShell(filepath.Dir(t.file), t.test.Env)
	if err != nil {
		return []string{t.fault("command", err)}
	}
	t.shell = shell
	defer t.close()
	faults = t.steps(ctx)
	if t.test.After != "" { // also after ^C: it cleans up
		if err := t.shell.run(context.WithoutCancel(ctx), t.test.After, t.test.Timeout, 0); err != nil {
			faults = append(faults, t.fault("after", err))
		}
	}
	return faults
}

// close ends what the commands have left, and waits for what it still prints.
func (t *testRun) close() {
	t.shell.close()
	const patience = time.Second // somebody who left the process group may have the output open
	select {
	case <-t.shell.out.done:
	case <-time.After(patience):
	}
}

// steps runs before and the command between two readings, and compares these.
func (t *testRun) steps(ctx context.Context) []string {
	if t.test.Before != "" {
		if err := t.shell.run(ctx, t.test.Before, t.test.Timeout, 0); err != nil {
			return []string{t.fault("before", err)}
		}
	}
	scripts := t.scripts()
	before, err := t.subject.Read(scripts...)
	if err != nil {
		return []string{t.fault("command", err)}
	}
	if err := t.shell.run(ctx, t.test.Command, t.test.Timeout, t.test.ExitStatus); err != nil {
		return []string{t.fault("command", err)}
	}
	after, err := t.subject.Read(scripts...)
	if err != nil {
		return []string{t.fault("command", err)}
	}
	if faults := t.notRunning(); len(faults) > 0 {
		return faults // the maps could not be read
	}
	return t.compare(newComparison(before, after))
}

// scripts are those whose metrics the test asks about: the others need not be read,
// which takes its time when many are tested together. There is none if it asks about
// the exporter's own metrics, which are of all.
func (t *testRun) scripts() (names []string) {
	samples := samplesOf(t.subject.Metrics())
	for _, e := range t.test.Expect {
		script := samples[e.Series.Metric].Script
		if script == "" {
			return nil
		}
		if !slices.Contains(names, script) {
			names = append(names, script)
		}
	}
	return names
}

// fault is what went wrong with one of the test's commands.
func (t *testRun) fault(key string, err error) string {
	t.commandFailed = true
	if errors.Is(err, errInterrupted) {
		return key + ": interrupted"
	}
	return t.test.At(key).Errorf("%s: %s", key, err).Detail()
}

// output is what the commands printed.
func (t *testRun) output() string {
	if t.shell == nil {
		return ""
	}
	if text := t.shell.out.String(); text != "" {
		return "output:\n" + text
	}
	return ""
}

// notRunning says which scripts that the test asks about do not run.
func (t *testRun) notRunning() (faults []string) {
	failed := t.subject.Failed()
	if len(failed) == 0 {
		return nil
	}
	samples := samplesOf(t.subject.Metrics())
	told := map[string]bool{}
	for _, e := range t.test.Expect {
		s, known := samples[e.Series.Metric]
		for _, script := range culprits(s, known, failed) {
			if told[script] {
				continue
			}
			told[script] = true
			faults = append(faults, e.At("series").Errorf("script %s does not run on this kernel: needs: skips the test where it cannot", script).Detail(),
				plylang.Detail(failed[script]))
		}
		if !known && len(faults) == 0 {
			faults = append(faults, e.At("series").Errorf("%s", newChecker(t.subject).unknown(e.Series.Metric)).Detail())
		}
	}
	return faults
}

// culprits are the scripts whose failure leaves a test without a metric: the one
// that it is of, or all that do not even compile, if it is of none known.
func culprits(s sample, known bool, failed map[string]error) (out []string) {
	if known {
		if failed[s.Script] != nil {
			out = append(out, s.Script)
		}
		return out
	}
	return slices.Sorted(maps.Keys(failed))
}
