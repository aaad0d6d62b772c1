// Package packaging tests what the exporter is installed by: units of systemd,
// packages and the image. Nothing here is linked into a program.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// root is the root of the sources.
const root = "../.."

// The unit's exposure is at most 3.0 of 10, and systemd knows every directive of
// the units.
func TestUnits(t *testing.T) {
	analyze := need.Command(t, "systemd-analyze")
	service := filepath.Join(root, "deploy/systemd/ply-exporter.service")
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=30", service).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	dir := t.TempDir() // with a unit whose program exists
	for _, name := range []string{"ply-exporter.service", "ply-exporter.socket"} {
		text, err := os.ReadFile(filepath.Join(root, "deploy/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		unit := strings.ReplaceAll(string(text), "/usr/bin/ply-exporter", "/bin/true")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dropIn, err := os.ReadFile(filepath.Join(root, "deploy/systemd/pins.conf"))
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "ply-exporter.service.d"), 0o700)
	}
	if err == nil {
		dropIn = []byte(strings.ReplaceAll(string(dropIn), "/usr/bin/ply-exporter", "/bin/true"))
		err = os.WriteFile(filepath.Join(dir, "ply-exporter.service.d/pins.conf"), dropIn, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, "ply-exporter.service"), filepath.Join(dir, "ply-exporter.socket")).CombinedOutput()
	if about := linesAbout(out, "ply-exporter") + linesAbout(out, "pins.conf"); err != nil || about != "" {
		t.Errorf("%v\n%s", err, about)
	}
}

// linesAbout leaves out what a tool says about other units of this machine.
func linesAbout(out []byte, name string) (about string) {
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, name) {
			about += line
		}
	}
	return about
}
