package exporter

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// An appScene is an exporter whose script S names the program app, which a test installs.
type appScene struct {
	*instance
	backend *fakeBackend
	log     bytes.Buffer
}

func newAppScene(t *testing.T, yaml string, b *fakeBackend) *appScene {
	t.Helper()
	b.files, b.names = map[string][]object.File{}, map[string][]string{"S": {"app"}}
	cfg, err := config.Parse("probes.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	a := &appScene{backend: b}
	a.instance = &instance{opt: testOptions(b, ""), collector: &collector{log: slog.New(slog.DiscardHandler)}}
	a.opt.Log = slog.New(slog.NewTextHandler(&a.log, nil))
	scripts, fatal := compile(cfg, b)
	if len(fatal) > 0 {
		t.Fatal(fatal.Detail())
	}
	start(scripts, b)
	a.collector.scripts = scripts
	return a
}

// install puts a file with this number where the program is looked for.
func (a *appScene) install(inode uint64) {
	a.backend.files["app"] = []object.File{{Name: "app", Path: "/usr/bin/app", ID: object.FileID{Inode: inode}}}
}

// look looks at the files several times, of which the log must say this once, or nothing.
func (a *appScene) look(t *testing.T, want string) {
	t.Helper()
	a.log.Reset()
	for range 3 {
		for _, s := range a.collector.scripts {
			a.followFiles(s)
		}
	}
	got := a.log.String()
	if want == "" && got != "" || want != "" && (strings.Count(got, "\n") != 1 || !strings.Contains(got, want)) {
		t.Errorf("log %s, want %q", got, want)
	}
}

// A script that had probes in a module which was loaded again begins again, once, and so it
// does in a reload; it looks at no files for that.
func TestFollowsModules(t *testing.T) {
	tr := &fakeTracer{}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tr}}
	a := newAppScene(t, oneScriptYAML(""), b)
	s := a.collector.scripts[0]
	first := s.running
	b.names, s.names, first.files = nil, nil, nil
	a.look(t, "")
	tr.returned = true
	b.checks = map[string]error{"S": errors.New("no such function")}
	a.look(t, "script does not start again")
	if s.running != first {
		t.Error("the script of before ended")
	}
	b.checks, first.spent.until = nil, time.Time{}
	b.stale = errors.New("the module is where it was") // which the page may have read
	b.tracers["S"] = &fakeTracer{}
	a.look(t, "script runs again")
	if s.running == first || !tr.closed {
		t.Errorf("the script of before still runs; closed %t", tr.closed)
	}
}

// A script is attached to what has replaced a file, too, as it is compiled then. Where that
// cannot be, the log says so once, and each time for another reason.
func TestFollowsFiles(t *testing.T) {
	tr := &fakeTracer{}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tr}}
	a := newAppScene(t, oneScriptYAML(""), b)
	s := a.collector.scripts[0]
	a.install(1)
	a.look(t, "attached to files that are new, too")
	a.look(t, "")
	if n := len(tr.followed); n != 1 || tr.followed[0] == s.running.object {
		t.Fatalf("followed %d times, or with what was compiled before", n)
	}

	a.install(2)
	tr.followErr = errors.New("no room")
	a.look(t, `not attached to /usr/bin/app: no room`)
	a.look(t, "")
	if n := len(tr.followed); n != 7 {
		t.Errorf("followed %d times, want each time again", n)
	}
	tr.followErr, tr.attached = tracer.ErrOtherCode, []object.FileID{{Inode: 1}}
	a.look(t, "not attached to /usr/bin/app: the new file has other functions")
	a.look(t, "")
	if n := len(tr.followed); n != 8 || !a.outdated(s) {
		t.Errorf("followed %d times, want once until the file changes; outdated %t", n, a.outdated(s))
	}
	if v := s.view(false, 0); v.Behind == "" || !strings.Contains(pageOf(a.instance), v.Behind) {
		t.Errorf("the page does not say %q", v.Behind)
	}
	a.install(3)
	b.checks = map[string]error{"S": errors.New("no symbols yet")}
	a.look(t, "no symbols yet")
	b.checks, tr.followErr = nil, nil
	a.install(4)
	a.look(t, "attached to files that are new, too")
	if s.running.unfollowed != "" || a.outdated(s) {
		t.Errorf("still %q", s.running.unfollowed)
	}

	delete(b.files, "app") // it goes, and what runs is counted on
	b.checks = map[string]error{"S": noApp()}
	a.look(t, "a program is gone")
	a.look(t, "")
	if v := s.view(false, 0); v.State != "up" || len(v.Waits) != 1 || v.Waits[0] != "app" || !strings.Contains(pageOf(a.instance), "app is gone") {
		t.Errorf("status %+v", v.scriptStatus)
	}
	expectWaiting(t, a, "1 1")
	b.checks = nil
	s.running.spent.over = true
	a.install(5)
	a.look(t, "")
	s.running.spent.over = false
	a.look(t, "attached to files that are new, too")
	expectWaiting(t, a, "1 0")
}

// A script that needs other programs for new files starts again, once, as soon as it is
// attached to no file that was replaced. Where it cannot, the one before goes on.
func TestFollowsWithOtherPrograms(t *testing.T) {
	tr := &fakeTracer{followErr: tracer.ErrOtherCode, attached: []object.FileID{{Inode: 1}}}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tr}}
	a := newAppScene(t, oneScriptYAML(""), b)
	s := a.collector.scripts[0]
	first := s.running
	a.install(2)
	a.look(t, "not attached to /usr/bin/app: the new file has other functions")
	if s.running != first {
		t.Fatal("processes of the old file are not counted any more")
	}
	tr.attached = nil
	b.checks = map[string]error{"S": errors.New("no such function")}
	a.look(t, "script does not start again")
	if s.running != first || tr.closed {
		t.Fatal("the script of before ended")
	}
	b.checks, first.spent.until = nil, time.Time{}
	b.tracers["S"] = &fakeTracer{}
	a.look(t, "script runs again")
	if s.running == first || !tr.closed || s.compiled != s.running.compiled {
		t.Errorf("the script of before still runs; closed %t", tr.closed)
	}
	a.look(t, "")
	b.tracers["S"].followErr = tracer.ErrOtherCode
	a.install(3)
	a.look(t, "script runs again") // at once, and without saying that anything is not attached
}

// Where a better alternative has come, as in app ? library, the script starts again with it
// alone, because what both do would count twice.
func TestFollowsToAnotherAlternative(t *testing.T) {
	library := object.File{Name: "library", Path: "/usr/lib/library", ID: object.FileID{Inode: 7}}
	tr := &fakeTracer{attached: []object.FileID{library.ID}}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tr}}
	a := newAppScene(t, oneScriptYAML(""), b)
	s := a.collector.scripts[0]
	b.names["S"], b.files["library"] = []string{"app", "library"}, []object.File{library}
	s.look(b)
	s.running.files = s.files
	b.tracers["S"] = &fakeTracer{}
	a.install(1)
	a.look(t, "script runs again")
	if len(tr.followed) > 0 || !tr.closed {
		t.Errorf("followed %d times, closed %t", len(tr.followed), tr.closed)
	}
}

// expectWaiting looks whether the first script is up, and whether it waits.
func expectWaiting(t *testing.T, a *appScene, want string) {
	t.Helper()
	text := scrapeAll(t, a.collector)
	up, waiting, _ := strings.Cut(want, " ")
	label := `{script="` + a.collector.scripts[0].conf.Name + `"} `
	for _, line := range []string{"ply_script_up" + label + up, "ply_script_waiting" + label + waiting} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	if strings.Contains(text, `ply_script_waiting{script="other"}`) {
		t.Error("a script that names no program has ply_script_waiting")
	}
}

// noApp is what a script says whose program is not there.
func noApp() error {
	return &plylang.Error{Msg: "no program app in /usr/bin", Missing: true, Later: true}
}

const appYAML = "scripts:\n  - {name: s, script: S}\n  - {name: other, script: T, metrics: [{map: \"@\", name: other_total}]}\n"

// appBackend has two scripts, of which S waits for the program.
func appBackend() *fakeBackend {
	return &fakeBackend{
		scripts: map[string]string{"S": on("@[cpu % 4, cpu] = count();"), "T": on("@ = count();")},
		checks:  map[string]error{"S": noApp()},
	}
}

// A script whose program is not there waits, which the page, the status and the metrics
// say, and starts when it has come. It does not wait for another that is there.
func TestProgramThatAppears(t *testing.T) {
	b := appBackend()
	a := newAppScene(t, appYAML, b)
	s := a.collector.scripts[0]
	b.names["S"] = []string{"app", "library"}
	b.files["library"] = []object.File{{Name: "library", Path: "/usr/lib/library"}}
	s.look(b)
	if err := a.report(a.collector.scripts); err != nil || strings.Contains(a.log.String(), "ERROR") ||
		!strings.Contains(a.log.String(), "waits for a program") || !strings.Contains(a.log.String(), "no program app") {
		t.Fatalf("%v, log %s", err, &a.log)
	}
	if v := s.view(false, 0); v.State != "waiting" || len(v.Waits) != 1 || v.Waits[0] != "app" || v.Error == "" {
		t.Errorf("status %+v", v.scriptStatus)
	}
	if page := pageOf(a.instance); !strings.Contains(page, "waits for app, and starts when it is there") ||
		!strings.Contains(page, `<b>1</b> running, 1 waiting: <a href="#s">s</a>`) {
		t.Errorf("page\n%s", page)
	}
	if text := statusOf(a.collector.scripts); text != "STATUS=1 of 2 scripts run, 1 waiting for a program" {
		t.Error(text)
	}
	expectWaiting(t, a, "0 1")
	a.look(t, "")

	a.install(1)
	b.checks["S"] = errors.New("/usr/bin/app is truncated") // it is being written
	delete(b.files, "library")
	a.look(t, "is truncated")
	if v := s.view(false, 0); v.State != "failed" || len(v.Waits) != 0 {
		t.Errorf("state %s, waits for %q", v.State, v.Waits)
	}
	expectWaiting(t, a, "0 0")
	a.look(t, "")
	delete(b.checks, "S")
	a.look(t, "") // nothing of it has changed
	a.install(2)
	a.look(t, "script runs")
	if v := s.view(false, 0); v.State != "up" || len(v.Waits) != 0 || v.Error != "" {
		t.Errorf("status %+v", v.scriptStatus)
	}
	expectWaiting(t, a, "1 0")
	text := scrapeAll(t, a.collector)
	if !strings.Contains(text, `ply_script_up{script="other"} 1`+"\n") {
		t.Errorf("the other script does not run in\n%s", text)
	}
	a.look(t, "")
}

// What starts late has no names of others, and takes no more memory than is left.
func TestProgramThatAppearsInVain(t *testing.T) {
	b := appBackend()
	a := newAppScene(t, strings.Replace(appYAML, "script: S}", "script: S, metrics: [{map: \"@\", name: other_total}]}", 1), b)
	delete(b.checks, "S")
	a.install(1)
	a.look(t, "collides with")
	if other := a.collector.scripts[1]; a.collector.scripts[0].running != nil || other.running == nil {
		t.Error("the wrong one runs")
	}

	b = appBackend()
	a = newAppScene(t, appYAML, b)
	delete(b.checks, "S")
	a.install(1)
	a.opt.MemoryBudget = a.collector.scripts[1].compiled.object.Memory()
	a.look(t, "of kernel memory")
	if other := a.collector.scripts[1]; a.collector.scripts[0].running != nil || other.running == nil || other.compiled == nil {
		t.Error("the wrong one runs")
	}
}

// An exporter of which all scripts wait is served, and is ready.
func TestAllWait(t *testing.T) {
	b := appBackend()
	b.checks["T"] = noApp()
	a := newAppScene(t, appYAML, b)
	a.noteReady()
	if err := a.report(a.collector.scripts); err != nil || readiness(a.readiness.Load()) != ready {
		t.Errorf("%v, %v", err, readiness(a.readiness.Load()))
	}
	a.opt.Strict = true
	if err := a.report(a.collector.scripts); err == nil {
		t.Error("--strict starts without a script")
	}
}
