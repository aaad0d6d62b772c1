package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
	"ply-exporter/internal/recorded"
)

// recording writes a recorded kernel as the command record does.
func recording(t *testing.T, name string) (file string) {
	t.Helper()
	k, err := kernel.Open(recorded.Files(name))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), name+".zip")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := k.Record(f); err != nil {
		t.Fatal(err)
	}
	return file
}

// A configuration is checked against a kernel that is not this machine's, by
// whoever has no privileges, and from files that others may write to.
func TestCheckAgainstRecordedKernel(t *testing.T) {
	config := filepath.Join(t.TempDir(), "probes.yaml")
	yaml := "scripts:\n  - name: roots\n    script: |\n      kprobe:SyS_fchroot { @[comm, args->flags] = count(); }\n"
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(config, 0o666); err != nil {
		t.Fatal(err)
	}
	file := recording(t, "7.3-amd64")
	r := ply(t, "check", "--kernel", file, "--config", config)
	last := "all scripts compile for the kernel of " + file + "; none has verified them\n"
	if r.status != 0 || r.stderr != "" || !strings.Contains(r.stdout, "ply_roots_total{comm,flags} counter") || !strings.HasSuffix(r.stdout, last) {
		t.Errorf("%+v", r)
	}
	r = ply(t, "check", "--kernel", recording(t, "6.18-amd64"), "--config", config)
	if r.status != 1 || !strings.Contains(r.stderr, config+":4:7: this kernel is built without the system call fchroot") {
		t.Errorf("an older kernel: %+v", r)
	}
	want := "is no recording of a kernel, or only a part of one: write it with \"ply-exporter record\"\n"
	if r = ply(t, "check", "--kernel", config); r.status != 1 || r.stderr != "ply-exporter: "+config+": "+want {
		t.Errorf("no recording: %+v", r)
	}
	if r = ply(t, "check", "--kernel", "", "--config", config); r.status != 1 || r.stderr != "ply-exporter: open : no such file or directory\n" {
		t.Errorf("a variable without a value is not this kernel: %+v", r)
	}
}

// A recording that fails leaves the file as it is.
func TestRecordKeepsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kernel.zip")
	if err := os.WriteFile(file, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := kernel.OpenArch(fstest.MapFS{}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if err := writeRecording(k, file); err == nil {
		t.Error("a kernel without tracefs was recorded")
	}
	if text, err := os.ReadFile(file); string(text) != "earlier" {
		t.Errorf("the file has %q (%v)", text, err)
	}
}

// Nobody needs privileges where nothing is loaded.
func TestCheckWithoutKernel(t *testing.T) {
	config := filepath.Join(t.TempDir(), "probes.yaml")
	if err := os.WriteFile(config, []byte("scripts: [{name: a, script: 'BEGIN { @ = 1; }'}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := ply(t, "check", "--no-kernel", "--config", config)
	if r.status != 0 || !strings.HasSuffix(r.stdout, "all scripts compile for this kernel, which has not verified them\n") {
		t.Errorf("%+v", r)
	}
}

// What record writes is this machine: check says the same with it.
func TestRecordThisKernel(t *testing.T) {
	need.BPF(t)
	file := filepath.Join(t.TempDir(), "here.zip")
	if r := ply(t, "record", file); r.status != 0 || r.stdout+r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	r := ply(t, "record", "-")
	if r.status != 0 || r.stderr != "" {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	here := ply(t, "check")
	for _, file := range []string{file, writeFile(t, "output.zip", r.stdout)} {
		there := ply(t, "check", "--kernel", file)
		if here.status != 0 || there.status != 0 || withoutLastLine(here.stdout) != withoutLastLine(there.stdout) {
			t.Errorf("here:\n%+v\nby the recording %s:\n%+v", here, file, there)
		}
	}
}

func withoutLastLine(text string) string {
	return text[:strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n')+1]
}
