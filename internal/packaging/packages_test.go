package packaging

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// The packages install, start, upgrade and go, and leave alone what an
// administrator has changed.
func TestPackages(t *testing.T) {
	need.Root(t)
	for _, tool := range []string{"dpkg", "rpm", "lintian", "busybox"} {
		need.Command(t, tool)
	}
	dir := t.TempDir()
	build(t, dir, "1.0.0", "deb", "rpm")
	build(t, dir, "-s", "1.1.0", "deb", "rpm")
	t.Run("size", func(t *testing.T) { testSize(t, filepath.Join(dir, "stage-"+runtime.GOARCH, "ply-exporter")) })
	t.Run("again", func(t *testing.T) { testSameAgain(t, dir) })
	t.Run("lintian", func(t *testing.T) {
		run(t, "lintian", "--allow-root", "--fail-on", "pedantic", "--pedantic", deb(dir, "1.0.0"))
	})
	t.Run("deb", func(t *testing.T) { testDeb(t, dir) })
	t.Run("rpm", func(t *testing.T) { testRPM(t, dir) })
	t.Run("SBOM", func(t *testing.T) { testSBOM(t, dir) })
	t.Run("licenses", func(t *testing.T) { testLicenses(t, filepath.Join(dir, "stage-"+runtime.GOARCH)) })
}

// maxSize is what the stripped program may have on amd64, little more than it has: who adds to
// it looks for what to leave out. docs/performance.md says what it consists of.
const maxSize = 18_000_000

// testSize fails if the program has grown. Instructions of other machines are larger.
func testSize(t *testing.T, program string) {
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH == "amd64" && info.Size() > maxSize {
		t.Errorf("the program has %d bytes, %d more than it may: go build -ldflags=-dumpdep says what has linked what", info.Size(), info.Size()-maxSize)
	}
}

// build runs the script that makes the packages; "-s" packs the files of the last
// run under another version.
func build(t *testing.T, dir string, args ...string) {
	t.Helper()
	var option []string
	if args[0] == "-s" {
		option, args = []string{"-s"}, args[1:]
	}
	args = append(append(option, args[0], runtime.GOARCH, dir), args[1:]...)
	cmd := exec.Command(filepath.Join(root, "deploy/packages/build"), args...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1764374400")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// run runs a command that has nothing to say when all is well.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// output is what a command prints, that must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func deb(dir, version string) string {
	return filepath.Join(dir, "ply-exporter_"+version+"_"+runtime.GOARCH+".deb")
}

func rpm(t *testing.T, dir, version string) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "ply-exporter-"+version+"-1.*.rpm")) // the pattern is well formed
	if len(names) != 1 {
		t.Fatalf("packages %q", names)
	}
	return names[0]
}

// The same sources give the same packages.
func testSameAgain(t *testing.T, dir string) {
	for _, name := range []string{deb(dir, "1.0.0"), rpm(t, dir, "1.0.0")} {
		first, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		build(t, dir, "-s", "1.0.0", strings.TrimPrefix(filepath.Ext(name), "."))
		if again, err := os.ReadFile(name); err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s: two builds differ (%v)", filepath.Base(name), err)
		}
	}
}

// An installation is a root with packages in it, and a shell for their scripts.
type installation struct {
	root string
	pm   []string // the package manager's command
}

func newRoot(t *testing.T, pm ...string) installation {
	t.Helper()
	in := installation{t.TempDir(), nil}
	for _, arg := range pm {
		in.pm = append(in.pm, strings.ReplaceAll(arg, "ROOT", in.root))
	}
	for _, dir := range []string{"bin", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/rpm"} {
		if err := os.MkdirAll(in.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	output(t, "cp", need.Command(t, "busybox"), in.path("bin/sh"))
	in.write(t, "var/lib/dpkg/status", "")
	return in
}

func (in installation) path(name string) string { return filepath.Join(in.root, name) }

func (in installation) manage(t *testing.T, args ...string) {
	t.Helper()
	output(t, in.pm[0], append(in.pm[1:], args...)...)
}

func (in installation) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(in.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// has compares what is there; "" stands for no such file, "*" for any content.
func (in installation) has(t *testing.T, when string, files map[string]string) {
	t.Helper()
	for name, want := range files {
		got, err := os.ReadFile(in.path(name))
		if (err == nil) != (want != "") || want != "*" && string(got) != want {
			t.Errorf("%s: %s has %.60q (%v), want %q", when, name, got, err, want)
		}
	}
}

// changed is a configuration that an administrator has changed.
const changed = "scripts: [{name: mine, script: 'tracepoint:sched/sched_switch { @ = count(); }'}]\n"

// installed looks at what both packages have in common.
func (in installation) installed(t *testing.T, version string) {
	t.Helper()
	in.has(t, "installed", map[string]string{
		"usr/share/man/man1/ply.1.gz":                        "*",
		"usr/share/bash-completion/completions/ply":          "*",
		"usr/lib/sysusers.d/ply-exporter.conf":               "*",
		"usr/share/doc/ply-exporter/docs/operations.md":      "*",
		"usr/share/doc/ply-exporter/sbom.cdx.json":           "*",
		"usr/share/doc/ply-exporter/CHANGELOG.md.gz":         "*",
		"usr/share/doc/ply-exporter/third-party-licenses.gz": "*",
	})
	for _, name := range []string{"usr/bin/ply-exporter", "usr/bin/ply"} {
		if got := output(t, in.path(name), "--version"); !strings.Contains(got, "version "+version) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// lifecycle installs, changes, upgrades and removes. Packages have other ways to
// keep a changed file when they are removed.
func (in installation) lifecycle(t *testing.T, install, upgrade, remove []string, kept string) {
	t.Helper()
	in.manage(t, install...)
	in.installed(t, "1.0.0")
	t.Run("starts", func(t *testing.T) { in.starts(t) })
	in.write(t, "etc/ply-exporter/tcp.yaml", changed)
	in.manage(t, upgrade...)
	in.has(t, "upgraded", map[string]string{"etc/ply-exporter/tcp.yaml": changed, "etc/ply-exporter/cpu.yaml": "*", "etc/default/ply-exporter": "*"})
	in.manage(t, remove...)
	in.has(t, "removed", map[string]string{kept: changed, "usr/bin/ply-exporter": "", "usr/bin/ply": "", "usr/share/man/man1/ply.1.gz": ""})
}

func testDeb(t *testing.T, dir string) {
	in := newRoot(t, "dpkg", "--root=ROOT", "--force-not-root")
	in.lifecycle(t, []string{"--install", deb(dir, "1.0.0")}, []string{"--install", deb(dir, "1.1.0")}, []string{"--remove", "ply-exporter"}, "etc/ply-exporter/tcp.yaml")
	in.has(t, "removed", map[string]string{"etc/ply-exporter/cpu.yaml": "*", "lib/systemd/system/ply-exporter.service": ""})
	in.manage(t, "--purge", "ply-exporter")
	in.has(t, "purged", map[string]string{"etc/ply-exporter/tcp.yaml": "", "etc/ply-exporter/cpu.yaml": "", "etc/default/ply-exporter": ""})
}

func testRPM(t *testing.T, dir string) {
	in := newRoot(t, "rpm", "--root", "ROOT", "--dbpath", "/var/lib/rpm", "--force-debian", "--nodeps")
	in.lifecycle(t, []string{"-i", rpm(t, dir, "1.0.0")}, []string{"-U", rpm(t, dir, "1.1.0")}, []string{"-e", "ply-exporter"}, "etc/ply-exporter/tcp.yaml.rpmsave")
	in.has(t, "removed", map[string]string{"etc/ply-exporter/cpu.yaml": "", "usr/lib/systemd/system/ply-exporter.service": ""})
}

// starts starts what is installed, with the configurations that are, to the first
// scrape.
func (in installation) starts(t *testing.T) {
	need.BPF(t)
	const address = "127.0.0.1:10758"
	cmd := exec.Command(in.path("usr/bin/ply-exporter"), "--config", in.path("etc/ply-exporter"), "--web.listen-address", address)
	var log bytes.Buffer
	cmd.Stderr = &log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, &log)
		}
	}()
	text := scrape(t, address)
	t.Logf("first scrape after %v", time.Since(begin))
	if scripts := strings.Count(text, "\nply_script_up{"); scripts < 40 {
		t.Errorf("%d scripts", scripts)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ply_script_up{") && strings.HasSuffix(line, " 0\n") {
			t.Error(line)
		}
	}
}

// scrape waits until the exporter listens. The first answer comes when its scripts
// run.
func scrape(t *testing.T, address string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		_ = conn.Close()
		answer, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", answer.Status, err)
		}
		return string(text)
	}
	t.Fatal("no answer within a minute")
	return ""
}
