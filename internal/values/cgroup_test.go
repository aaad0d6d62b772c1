package values

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// A group is a cgroup of version 2 that a test makes.
type group struct {
	folder string
	path   string // as labels show it
}

func newGroup(t *testing.T, name string) group {
	t.Helper()
	need.Root(t)
	g := group{filepath.Join(cgroups(t), name), "/" + name}
	must(t, os.Mkdir(g.folder, 0o755))
	t.Cleanup(func() { _ = os.Remove(g.folder) })
	return g
}

// cgroups is where the hierarchy of version 2 is mounted.
func cgroups(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); words[2] == "cgroup2" {
			return words[1]
		}
	}
	t.Fatal("no cgroup2 is mounted")
	return ""
}

// add moves a process into the group.
func (g group) add(t *testing.T, pid int) { g.write(t, "cgroup.procs", strconv.Itoa(pid)) }

func (g group) write(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(g.folder, file), []byte(text), 0))
}

// stat is a source: a number of the group's cpu.stat, times a factor.
func (g group) stat(name string, factor float64) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		return fields(t, filepath.Join(g.folder, "cpu.stat"), name)[0] * factor
	}
}
