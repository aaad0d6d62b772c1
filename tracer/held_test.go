package tracer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// end ends the shell.
func (s shell) end() {
	fmt.Fprintln(s.In, "exit")
	_ = s.Wait() // with the status of what it did last
}

// A file that was deleted is let go of when it has no name any more and no process maps it:
// its file system can be unmounted. What it has counted stays, and what is elsewhere counts on.
func TestFilesThatAreGone(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	folder, path := t.TempDir(), live.PinPath(t)
	disk := filepath.Join(folder, "disk")
	for _, name := range []string{disk, filepath.Join(folder, "kept")} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	program, link, kept := filepath.Join(disk, "app"), filepath.Join(disk, "link"), filepath.Join(folder, "kept", "app")
	installProgram(t, bash, program)
	installProgram(t, bash, kept)
	build := func() *object.Object {
		files := folder + "/*/app"
		return compile(t, "uprobe:"+files+":colon_builtin { @ = count(); } uretprobe:"+files+":@(colon_builtin|echo_builtin) { @r = count(); }")
	}
	r := runPinned(t, path, build())
	tr := r.tracers[0]
	expect := func(when string, gone ...string) {
		t.Helper()
		if got := tr.LetGo(); !slices.Equal(got, gone) {
			t.Errorf("%s: let go of %q, want %q", when, got, gone)
		}
	}
	remove := func(name string) {
		t.Helper()
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	old := startShell(t, program)
	old.colons(t, 10)
	expect("it is there")
	if err := os.Link(program, link); err != nil {
		t.Fatal(err)
	}
	remove(program)
	old.colons(t, 10)
	expect("it has another name, and a process")
	old.end()
	expect("it has another name")
	again := startShell(t, link)
	again.colons(t, 10)
	remove(link)
	expect("a process of it runs")
	again.colons(t, 10)
	again.end()
	held.mu.Lock()
	var file *heldFile
	for _, f := range held.files {
		if name, _ := os.Readlink(f.path()); name == link+" (deleted)" || name == program+" (deleted)" {
			file = f
		}
	}
	held.mu.Unlock()
	open, err := os.Open(file.path())
	if err != nil {
		t.Fatal(err)
	}
	memory, err := unix.Mmap(int(open.Fd()), 4096, 1, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	_ = open.Close()
	expect("a process has it as a library")
	if err := unix.Munmap(memory); err != nil {
		t.Fatal(err)
	}
	if err := unix.Unmount(disk, 0); !errors.Is(err, unix.EBUSY) {
		t.Errorf("unmounted, although it is kept: %v", err)
	}
	pins := len(pinned(t, path))
	expect("nobody has it", program)
	expect("once")
	if files := tr.Files(); len(files) != 1 {
		t.Errorf("it is attached to %v", files)
	}
	if left := len(pinned(t, path)); left != pins-2 {
		t.Errorf("%d pins of %d are left, want two less", left, pins)
	}
	if err := unix.Unmount(disk, 0); err != nil {
		t.Errorf("it cannot be unmounted: %v", err)
	}
	startShell(t, kept).colons(t, 5)
	r.leave(t)
	r = runPinned(t, path, build())
	defer r.end(t)
	startShell(t, kept).colons(t, 5)
	if n := total(t, r.tracers[0]); n != 50 {
		t.Errorf("counted %d, want 50", n)
	}
}

// One that was deleted before the exporter started is let go of, if a process still mapped it
// then.
func TestFilesThatWereGoneBefore(t *testing.T) {
	need.BPF(t)
	bash := need.Command(t, "bash")
	program, path := filepath.Join(t.TempDir(), "app"), live.PinPath(t)
	build := func() *object.Object { return compile(t, "uprobe:"+program+":colon_builtin { @ = count(); }") }
	installProgram(t, bash, program)
	r := runPinned(t, path, build())
	old := startShell(t, program)
	old.colons(t, 3)
	r.leave(t)
	installProgram(t, bash, program)
	r = runPinned(t, path, build())
	defer r.end(t)
	old.colons(t, 4)
	startShell(t, program).colons(t, 5)
	tr := r.tracers[0]
	if gone := tr.LetGo(); gone != nil || len(tr.Files()) != 2 {
		t.Errorf("let go of %q while a process has it; attached to %v", gone, tr.Files())
	}
	old.colons(t, 6)
	old.end()
	if gone := tr.LetGo(); !slices.Equal(gone, []string{program}) || len(tr.Files()) != 1 {
		t.Errorf("let go of %q; attached to %v", gone, tr.Files())
	}
	startShell(t, program).colons(t, 7)
	if n := total(t, tr); n != 25 {
		t.Errorf("counted %d, want 25", n)
	}
}
