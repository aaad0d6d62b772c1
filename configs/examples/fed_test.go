package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ply-exporter/internal/checked"
	"ply-exporter/internal/need"
)

// The test files of all examples pass. They are run as one, so
// that the examples are loaded once, together, by one exporter.
func TestFedExamples(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	folder := t.TempDir() // guests have no files but the test
	t.Setenv("WORKLOAD", os.Args[0])
	if need.InGuest() {
		t.Setenv("DISK", loopDevice(t, filepath.Join(folder, "disk")))
	}
	said := feed(t, folder, func(e example) bool { return !e.ofPrograms() })
	for _, m := range skipped.FindAllStringSubmatch(said, -1) {
		if !maySkip(t, m[1]) {
			t.Errorf("test %s is skipped, though this kernel is to run it\n%s", m[1], said)
		}
	}
}

// Those of programs pass where the programs are.
func TestFedExamplesOfPrograms(t *testing.T) {
	need.BPF(t)
	need.Command(t, "bash")
	need.Command(t, "/usr/bin/python3")
	if said := feed(t, t.TempDir(), example.ofPrograms); skipped.MatchString(said) {
		t.Errorf("tests are skipped\n%s", said)
	}
}

// feed runs the test files of some examples, and returns what is said.
func feed(t *testing.T, folder string, which func(example) bool) string {
	t.Helper()
	if err := os.CopyFS(folder, files); err != nil {
		t.Fatal(err)
	}
	all := filepath.Join(folder, "all.yaml")
	if err := os.WriteFile(all, []byte(testsTogether(t, which)), 0o600); err != nil {
		t.Fatal(err)
	}
	said, status := checked.Command(t, "test", "-v", all)
	if status != 0 {
		t.Errorf("status %d\n%s", status, said)
	}
	return said
}

var skipped = regexp.MustCompile(`(?m)^--- SKIP: all/(\S+)`)

// maySkip tells whether the running kernel lacks a script of the example that a
// test is of, by its name: NAME or NAME.…
func maySkip(t *testing.T, test string) bool {
	t.Helper()
	if !need.HasKprobes() {
		return true // guest kernels run it
	}
	name, _, _ := strings.Cut(test, ".")
	for _, e := range examples(t) {
		for _, s := range e.scripts {
			if e.name == name && isAbsent(s.Name, need.Release()) {
				return true
			}
		}
	}
	return false
}

// testsTogether is one test file with the tests of some examples. What cannot be fed is
// loaded with them.
func testsTogether(t *testing.T, which func(example) bool) string {
	t.Helper()
	var configs, tests strings.Builder
	for _, e := range examples(t) {
		if !which(e) {
			continue
		}
		configs.WriteString("  - " + e.name + ".yaml\n")
		if slices.Contains(unfed, e.name) {
			continue
		}
		_, own, found := strings.Cut(testFile(t, e.name), "\nconfig: ../"+e.name+".yaml\ntests:\n")
		if !found {
			t.Errorf(`tests/%s.yaml does not go "config: ../%s.yaml", "tests:"`, e.name, e.name)
		}
		tests.WriteString(own + "\n")
	}
	return "config:\n" + configs.String() + "tests:\n" + tests.String()
}

// loopDevice makes a disk of 16 MiB from a file, for what is written nowhere but in
// a guest.
func loopDevice(t *testing.T, file string) string {
	t.Helper()
	if err := os.WriteFile(file, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	const device = "/dev/loop0"
	if said, err := exec.Command("losetup", device, file).CombinedOutput(); err != nil {
		t.Fatalf("losetup: %v: %s", err, said)
	}
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", device).Run() })
	return device
}
