package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"ply-exporter/internal/need"
)

// subgroup makes a group in another.
func subgroup(t *testing.T, dir, name string) string {
	t.Helper()
	dir = filepath.Join(dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	return dir
}

// A group is in a set from its beginning: not one call is missed of a process that
// begins in it, whether the group was there before, is made later or is in one that
// matches; and it has its name though nobody has asked while it was there.
func TestCgroupPattern(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	top := newCgroup(t, "ply-top-")
	before := subgroup(t, top, "in-before")
	s := startServer(t, fmt.Sprintf(`
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" / {
          if (cgroup in "/%[1]s/in-*") { @in[cgroup] = count(); } else { @out[cgroup] = count(); }
          if (!(cgroup(curtask) in "/**/in-?")) { @other[cgroup] = count(); }
      }
`, filepath.Base(top)))
	const calls = 5
	counted := map[string]string{}
	run := func(dir, metric string) {
		runWorkloadIn(t, dir, calls)
		counted[strings.TrimPrefix(dir, filepath.Dir(top))] = metric
	}
	run(before, "in")
	for i := range 3 {
		dir := subgroup(t, top, fmt.Sprint("in-", i))
		run(dir, "in")
		inner := subgroup(t, dir, "inner")
		run(inner, "in")
		other := subgroup(t, top, fmt.Sprint("out-", i))
		run(other, "out")
		for _, gone := range []string{inner, dir, other} {
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(top, "out")
	_, text := s.get(t, "/metrics")
	for path, metric := range counted {
		series := fmt.Sprintf("ply_calls_%s_total{cgroup=%q} %d\n", metric, path, calls)
		if !strings.Contains(text, series) || strings.Count(text, fmt.Sprintf("cgroup=%q", path)) != 1+strings.Count(text, fmt.Sprintf("ply_calls_other_total{cgroup=%q}", path)) {
			t.Errorf("no %sor more in\n%s", series, grep(text, "ply_calls_"))
		}
		if isOther := !regexp.MustCompile(`/in-\d(/inner)?$`).MatchString(path); isOther != strings.Contains(text, fmt.Sprintf("ply_calls_other_total{cgroup=%q}", path)) {
			t.Errorf("%s is not in the other pattern: %t", path, !isOther)
		}
	}
}

// grep returns the lines that contain a text.
func grep(text, part string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// An expression for a group may be one of version 1, by its path in its hierarchy.
func TestCgroupPatternOfVersion1(t *testing.T) {
	need.OldAndNew(t)
	need.BPF(t)
	old := newHierarchy(t)
	s := startServer(t, `
scripts:
  - name: made
    script: |
      tracepoint:cgroup/cgroup_mkdir / cgroup(data->id, data->root) in "/ply-[ab]*" / { @[cgroup(data->id, data->root)] = count(); }
      tracepoint:cgroup/cgroup_mkdir / cgroup(data->id) in "/ply-[ab]*" / { @second[data->root] = count(); }
`)
	for _, name := range []string{"ply-a", "ply-b1", "ply-c"} {
		if err := os.Remove(subgroup(t, old, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Rmdir(newCgroup(t, "ply-a2-")); err != nil {
		t.Fatal(err)
	}
	_, text := s.get(t, "/metrics")
	for pattern, want := range map[string]int{
		`ply_made_total\{cgroup="/ply-a"\} 1\n`:         1,
		`ply_made_total\{cgroup="/ply-b1"\} 1\n`:        1,
		`ply_made_total\{cgroup="/ply-a2-[0-9]*"\} 1\n`: 1,
		`ply_made_total\{`:                              3,
		`ply_made_second_total\{root="[1-9][0-9]*"\} 1`: 0, // the ID alone is of version 2
		`ply_made_second_total\{root="0"\} 1\n`:         1,
	} {
		if got := len(regexp.MustCompile(pattern).FindAllString(text, -1)); got != want {
			t.Errorf("%d of %s, want %d, in\n%s", got, pattern, want, grep(text, "ply_made"))
		}
	}
}

// A pattern that no group matches is a warning, and nothing is counted until one
// does.
func TestCgroupPatternOfNothing(t *testing.T) {
	need.BPF(t)
	newCgroup(t, "ply-other-")
	s := startServer(t, `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" && cgroup in "/ply-none-*" / { @ = count(); }
`)
	runWorkload(t, 3)
	_, text := s.get(t, "/metrics")
	if !strings.Contains(text, "ply_calls_total 0\n") {
		t.Errorf("counted without a group:\n%s", grep(text, "ply_calls"))
	}
	if log := s.logText(t); !strings.Contains(log, `no cgroup matches \"/ply-none-*\" now`) {
		t.Errorf("no warning in\n%s", log)
	}
	runWorkloadIn(t, newCgroup(t, "ply-none-"), 3)
	if _, text := s.get(t, "/metrics"); !strings.Contains(text, "ply_calls_total 3\n") {
		t.Errorf("not counted in a new group:\n%s", grep(text, "ply_calls"))
	}
}
