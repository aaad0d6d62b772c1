package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// A pinned script whose program is replaced counts on in processes of the old file and of the
// new one, whoever attaches it to that: the process that is there, or the next one.
func TestPinnedFilesThatAreReplaced(t *testing.T) {
	need.BPF(t)
	t.Run("a link for a file", func(t *testing.T) { replacePinned(t, "2", func(*object.Object) {}) })
	t.Run("a link for a place", func(t *testing.T) {
		replacePinned(t, "5", func(obj *object.Object) {
			for i, kind := range []object.AttachKind{object.AttachUprobe, object.AttachUretprobe} {
				obj.Programs[i].Attach, obj.Spec.Programs[obj.Programs[i].Name].AttachType = kind, ebpf.AttachNone
			}
		})
	})
}

// removeLink removes the only pin of a link, and returns when it is detached: the kernel does
// that later.
func removeLink(t *testing.T, path string) {
	t.Helper()
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := l.Info()
	if err := errors.Join(err, os.Remove(path), l.Close()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link is gone", func() bool {
		l, err := link.NewFromID(info.ID)
		if err == nil {
			_ = l.Close()
		}
		return err != nil
	})
}

func replacePinned(t *testing.T, last string, change func(*object.Object)) {
	bash := need.Command(t, "bash")
	program := filepath.Join(t.TempDir(), "app")
	install := func() { installProgram(t, bash, program) }
	install()
	build := func() *object.Object {
		obj := compile(t, "uprobe:"+program+":@(colon_builtin|echo_builtin) { @ = count(); } uretprobe:"+program+":colon_builtin { @r = count(); }")
		change(obj)
		return obj
	}
	path := live.PinPath(t)
	calls := 0
	var shells []shell
	count := func() { // in a process of each file that there has been
		t.Helper()
		shells = append(shells, startShell(t, program))
		for _, s := range shells {
			s.colons(t, 10)
			calls++
		}
	}
	var created time.Time
	start := func(log string) *pinnedRun {
		t.Helper()
		r := runPinned(t, path, build())
		tr := r.tracers[0]
		if created.IsZero() {
			created = tr.Created()
		}
		if !tr.Pinned() || !tr.Created().Equal(created) || !strings.Contains(r.log.String(), log) || log == "" && strings.Contains(r.log.String(), "attached to") {
			t.Fatalf("pinned %t, created %s and %s; log %s", tr.Pinned(), created, tr.Created(), r.log)
		}
		return r
	}
	expect := func(r *pinnedRun, when string) {
		t.Helper()
		for i, m := range r.tracers[0].obj.Maps {
			rows, err := r.tracers[0].Rows(m)
			want := calls * []int{10 + 1, 10}[i]
			if err != nil || len(rows) != 1 || m.Read(rows[0].Value).Number.String() != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, %v, want %d", when, m.Name, rows, err, want)
			}
		}
	}

	first := start("")
	count()
	install()
	if paths, err := first.tracers[0].Follow(build()); err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	count()
	expect(first, "followed")
	first.leave(t)
	count()
	second := start("")
	expect(second, "while nobody was there")
	second.leave(t)

	install()
	third := start("attached to files that have come")
	count()
	expect(third, "replaced while nobody was there")
	third.leave(t)
	count()

	// It was killed when one link was not pinned yet, and what is not pinned is not attached.
	links, err := filepath.Glob(filepath.Join(path, pinLayout, "*", "p0_"+last))
	if err != nil || len(links) != 1 {
		t.Fatalf("%q, %v", links, err)
	}
	removeLink(t, links[0])
	fourth := start("attached to files that have come")
	expect(fourth, "not all was pinned")
	count()
	expect(fourth, "attached again")
	fourth.leave(t)
	fifth := start("")
	count()
	expect(fifth, "pinned again")
	fifth.leave(t)

	// What is written in place begins again.
	for _, s := range shells {
		fmt.Fprintln(s.In, "exit")
		_ = s.Wait() // with the status of what it did last
	}
	shells = nil
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, append(text, 0), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	calls, created = 0, time.Time{}
	sixth := start(program + " was written to")
	count()
	expect(sixth, "written to")
	sixth.end(t)
	if left := pinned(t, path); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// What a file is otherwise than that its functions are elsewhere is no matter of places: a
// script of which the names are others begins again.
func TestPinnedNamesThatAreOthers(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	folder := t.TempDir()
	path := live.PinPath(t)
	installProgram(t, bash, filepath.Join(folder, "b"))
	build := func(key string) *object.Object {
		return compile(t, "uprobe:"+folder+"/*:@(colon_builtin|echo_builtin) { @["+key+"] = count(); }")
	}
	as := []PinName{{Name: "files"}, {Name: "functions"}}
	first := runPinnedAs(t, path, as, build("probe"), build("func"))
	sh := startShell(t, filepath.Join(folder, "b"))
	sh.colons(t, 3)
	first.leave(t)
	installProgram(t, bash, filepath.Join(folder, "a")) // before the other in the order of names
	second := runPinnedAs(t, path, as, build("probe"), build("func"))
	defer second.end(t)
	if !strings.Contains(second.log.String(), fmt.Sprintf("what was uprobe:%s/b:colon_builtin is uprobe:%s/a:colon_builtin now", folder, folder)) {
		t.Errorf("log %s", second.log)
	}
	sh.colons(t, 4)
	startShell(t, filepath.Join(folder, "a")).colons(t, 5)
	for i, want := range []uint64{4 + 1 + 5 + 1, 3 + 1 + 4 + 1 + 5 + 1} {
		if got := total(t, second.tracers[i]); got != want {
			t.Errorf("%s: counted %d, want %d", as[i].Name, got, want)
		}
	}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
