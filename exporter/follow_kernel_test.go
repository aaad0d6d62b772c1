package exporter

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// A filesScene is an exporter of one script about programs in a folder of the test.
type filesScene struct {
	*instance
	t      *testing.T
	folder string
	log    strings.Builder
}

// newFilesScene starts a script in which DIR is the folder, with programs in it.
func newFilesScene(t *testing.T, script string, programs map[string][]string) *filesScene {
	t.Helper()
	need.BPF(t)
	f := &filesScene{t: t, folder: t.TempDir()}
	for name, change := range programs {
		f.install(name, change...)
	}
	script = strings.ReplaceAll(script, "DIR", f.folder)
	cfg, err := config.Parse("probes.yaml", fmt.Appendf(nil, "scripts:\n  - name: s\n    script: |\n      %s\n", script))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	b := NewBackend(runningKernel(t), slog.New(slog.DiscardHandler), false)
	f.instance = &instance{opt: Options{Backend: b, Log: slog.New(slog.NewTextHandler(&f.log, nil))}, collector: &collector{maxSeries: 1000, log: slog.New(slog.DiscardHandler)}}
	scripts, fatal := compile(cfg, b)
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	start(scripts, b)
	f.collector.scripts = scripts
	t.Cleanup(func() { stop(scripts) })
	return f
}

// install puts bash there as a package does, with another text in place of one.
func (f *filesScene) install(name string, change ...string) {
	f.t.Helper()
	raw, err := os.ReadFile(need.Command(f.t, "bash"))
	if err != nil {
		f.t.Fatal(err)
	}
	raw = []byte(strings.NewReplacer(change...).Replace(string(raw)))
	path := filepath.Join(f.folder, name)
	if err := os.WriteFile(path+".new", raw, 0o755); err != nil { //nolint:gosec // a program
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
}

func (f *filesScene) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.folder, name)); err != nil {
		f.t.Fatal(err)
	}
}

// talk starts a program of the folder.
func (f *filesScene) talk(name string) *live.Dialog {
	f.t.Helper()
	return live.Talk(f.t, exec.Command(filepath.Join(f.folder, name), "--norc", "--noprofile"))
}

// colons has bash make as many calls of colon_builtin.
func (f *filesScene) colons(bash *live.Dialog, n int) {
	f.t.Helper()
	fmt.Fprint(bash.In, strings.Repeat(":\n", n)+"echo done\n")
	if _, err := bash.Out.ReadString('\n'); err != nil {
		f.t.Fatal(err)
	}
}

// expect looks at the files as the exporter does from time to time, and then for lines of
// a scrape; "" is no line.
func (f *filesScene) expect(lines ...string) {
	f.t.Helper()
	text := scrapeAll(f.t, f.collector)
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			f.t.Errorf("no %s in\n%s\nlog %s", line, text, f.log.String())
		}
	}
}

func (f *filesScene) look() {
	for _, s := range f.collector.scripts {
		f.followFiles(s)
	}
}

// A program that a "?" has left out is counted once it is installed.
func TestProgramLeftOutAppears(t *testing.T) {
	f := newFilesScene(t, "uprobe:DIR/a:colon_builtin { @a = count(); } uprobe:DIR/b:colon_builtin ? { @b = count(); }", map[string][]string{"a": nil})
	a := f.talk("a")
	f.colons(a, 2)
	f.expect("ply_s_a_total 2", `ply_script_up{script="s"} 1`, `ply_script_waiting{script="s"} 0`)
	f.install("b")
	f.look()
	f.colons(a, 3)
	f.colons(f.talk("b"), 4)
	f.expect("ply_s_a_total 3", "ply_s_b_total 4", `ply_script_up{script="s"} 1`)
	created := f.collector.scripts[0].running.created
	f.remove("b")
	f.look()
	f.install("b")
	f.look()
	f.colons(f.talk("b"), 5)
	f.expect("ply_s_a_total 3", "ply_s_b_total 9", `ply_script_waiting{script="s"} 0`)
	if now := f.collector.scripts[0].running; !now.created.Equal(created) || now.unfollowed != "" {
		t.Errorf("created %s and %s; %s", created, now.created, now.unfollowed)
	}
}

// A function that an upgrade brings is counted when nobody runs the program of before any
// more, whose processes would not be counted after it.
func TestProgramGetsFunction(t *testing.T) {
	f := newFilesScene(t, "uprobe:DIR/a:colon_builtin { @a = count(); } uprobe:DIR/a:echo_builtin ? { @e = count(); }",
		map[string][]string{"a": {"echo_builtin\x00", "ohce_builtin\x00"}})
	old := f.talk("a")
	f.colons(old, 2)
	f.install("a")
	f.look()
	f.look()
	f.colons(old, 3)
	f.expect("ply_s_a_total 5")
	if !strings.Contains(f.log.String(), "only processes that run the old one are counted") {
		t.Errorf("log %s", f.log.String())
	}
	fmt.Fprintln(old.In, "exit")
	if err := old.Wait(); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.colons(f.talk("a"), 4)
	f.expect("ply_s_a_total 4", "ply_s_e_total 1", `ply_script_up{script="s"} 1`)
}
