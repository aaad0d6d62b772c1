package tracer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
	"ply-exporter/internal/need"
)

// execIn starts so many programs in a group.
func execIn(t *testing.T, folder string, n int) {
	t.Helper()
	group, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	for range n {
		cmd := exec.Command("true")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
}

// A set of control groups is kept up to date while there is no process: groups that come
// then are in it, and what happens in them is counted.
func TestPinnedCgroupSets(t *testing.T) {
	need.BPF(t)
	path := live.PinPath(t)
	obj := compile(t, `tracepoint:sched/sched_process_exec / cgroup in "/ply-many-*/g*" / { @ = count(); }`)
	_, folders := makeGroups(t, 2)
	first := runPinned(t, path, obj)
	waitPattern(t, first.tracers[0], 2, 0)
	execIn(t, folders[0], 2)
	first.leave(t)
	makeGroup(t, filepath.Dir(folders[0])+"/g-between")
	makeGroup(t, filepath.Dir(folders[0])+"/other")
	execIn(t, filepath.Dir(folders[0])+"/g-between", 3)
	execIn(t, filepath.Dir(folders[0])+"/other", 1)
	if err := os.Remove(folders[1]); err != nil {
		t.Fatal(err)
	}
	second := runPinned(t, path, obj)
	waitPattern(t, second.tracers[0], 2, 0)
	makeGroup(t, filepath.Dir(folders[0])+"/g-after")
	waitPattern(t, second.tracers[0], 3, 0)
	for _, name := range []string{"g0", "g-between", "g-after", "other"} {
		execIn(t, filepath.Dir(folders[0])+"/"+name, 5)
	}
	if got := total(t, second.tracers[0]); got != 2+3+3*5 {
		t.Errorf("%d programs were started in the groups, want %d", got, 2+3+3*5)
	}
	second.end(t)
}

// What cannot be pinned runs all the same, and says that the next exporter starts it
// afresh. What is pinned already stays so.
func TestPinsThatCannotBeMade(t *testing.T) {
	need.BPF(t)
	path := live.PinPath(t)
	root := filepath.Dir(path)
	const call = "kprobe:SyS_getppid /pid == PID/ { @ = count(); }"
	kept, late := compile(t, call), compile(t, strings.Replace(call, "count()", "sum(2)", 1))
	readOnly := func(flag uintptr) {
		t.Helper()
		if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_BIND|flag, ""); err != nil {
			t.Fatal(err)
		}
	}
	r := runPinned(t, path, kept)
	readOnly(unix.MS_RDONLY)
	started, errs := StartAll([]*object.Object{late}, Options{Kernel: runningKernel(t), Log: r.tracers[0].opt.Log, Pins: r.pins, PinAs: []PinName{{Name: "late"}}})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	r.tracers = append(r.tracers, started...)
	syscalls(unix.SYS_GETPPID, 10, 0)
	if got := total(t, r.tracers[1]); got != 20 || r.tracers[1].Pinned() || !r.tracers[0].Pinned() {
		t.Errorf("%d, pinned: %t, the first one: %t", got, r.tracers[1].Pinned(), r.tracers[0].Pinned())
	}
	if said := r.log.String(); !strings.Contains(said, `msg="script cannot be pinned: it starts afresh with the next exporter" script=late`) || !strings.Contains(said, "read-only file system") {
		t.Error(said)
	}
	r.leave(t)
	if p, err := OpenPins(filepath.Join(root, "new"), nil); err == nil || !strings.Contains(err.Error(), "it is mounted read-only here") {
		t.Error(err)
		p.Close()
	}
	readOnly(0)
	next := runPinned(t, path, kept)
	if got := total(t, next.tracers[0]); got != 10 {
		t.Errorf("%d calls, want 10", got)
	}
	next.end(t)
}

// A link that leads nowhere is no folder, and none is made where it points to.
func TestPinPathThatLeadsNowhere(t *testing.T) {
	path := live.PinPath(t)
	target := filepath.Join(filepath.Dir(path), "gone")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPins(path, nil)
	if want := "is a link to " + target + ", which does not exist"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
		p.Close()
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the folder was made")
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if p, err = OpenPins(path, nil); err != nil {
		t.Error(err)
	}
	p.Close()
}
