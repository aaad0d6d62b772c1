package tracer

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// cgroupRoot is where the hierarchy of version 2 is mounted.
func cgroupRoot(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return root
		}
	}
	t.Fatal("no control groups of version 2")
	return ""
}

// makeGroups makes groups in a new one, and returns their values.
func makeGroups(t *testing.T, n int) (keys []uint64, folders []string) {
	t.Helper()
	top, err := os.MkdirTemp(cgroupRoot(t), "ply-many-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(top) })
	for i := range n {
		folder := filepath.Join(top, fmt.Sprint("g", i))
		keys, folders = append(keys, makeGroup(t, folder)), append(folders, folder)
	}
	return keys, folders
}

// startSet starts a script that looks into a set with little room.
func startSet(t *testing.T, room uint32) (*Tracer, *cgroupSet) {
	t.Helper()
	return startPattern(t, "/ply-many-*/g*", room)
}

func startPattern(t *testing.T, pattern string, room uint32) (*Tracer, *cgroupSet) {
	t.Helper()
	obj := compile(t, fmt.Sprintf(`tracepoint:raw_syscalls/sys_enter / cgroup in %q / { @ = count(); }`, pattern))
	obj.Spec.Maps[obj.Cgroups[0].Map].MaxEntries = room
	opt := testOptions(t)
	opt.Kernel = runningKernel(t)
	tr := start(t, obj, opt)
	return tr, tr.sets[0]
}

// waitPattern returns when a script's only pattern is matched by so many groups.
func waitPattern(t *testing.T, tr *Tracer, groups, leftOut int) {
	t.Helper()
	var got CgroupPattern
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if got = tr.CgroupPatterns()[0]; got.Groups == groups && got.LeftOut == leftOut {
			return
		}
	}
	t.Fatalf("%+v, want %d groups of which %d are left out", got, groups, leftOut)
}

func isIn(t *testing.T, s *cgroupSet, key uint64) bool {
	t.Helper()
	var value uint64
	return s.groups.Lookup(key, &value) == nil
}

// A set never has more groups than there is room for, those that it has no room for
// are counted, and come in when others are removed, which takes a while.
func TestCgroupSetIsBounded(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	const room, groups = 16, 40
	_, _ = makeGroups(t, 3) // there before
	tr, s := startSet(t, room)
	waitPattern(t, tr, 3, 0)
	keys, folders := makeGroups(t, groups)
	waitPattern(t, tr, groups+3, groups+3-room)
	inside := 0
	for _, key := range keys {
		if isIn(t, s, key) {
			inside++
		}
	}
	if inside != room-3 {
		t.Errorf("%d of the new groups are in the set, want %d", inside, room-3)
	}
	for i := range 5 {
		if err := os.Remove(folders[i]); err != nil {
			t.Fatal(err)
		}
	}
	waitPattern(t, tr, groups+3-5, groups+3-room)
	if s.sweep(time.Now()); !isIn(t, s, keys[0]) {
		t.Error("a group that was just removed is not in the set")
	}
	s.sweep(time.Now().Add(keepRemoved))
	if isIn(t, s, keys[0]) {
		t.Error("a group stays in the set after it was removed")
	}
	waitPattern(t, tr, groups+3-5, groups+3-5-room)
}

// A set that was not told of all finds out by itself.
func TestCgroupSetCompares(t *testing.T) {
	need.BPF(t)
	tr, s := startSet(t, 16)
	keys, folders := makeGroups(t, 3)
	waitPattern(t, tr, 3, 0)
	const dead = 1 << 40
	if err := errors.Join(s.groups.Put(uint64(dead), uint64(1)), s.groups.Delete(keys[1])); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	delete(s.in, keys[0]) // which only the program knows of
	delete(s.in, keys[1]) // which nobody knows of
	s.in[dead+1] = true   // whose end was not told
	s.mu.Unlock()
	if s.compare(); tr.CgroupPatterns()[0].Groups != 3 {
		t.Errorf("%+v", tr.CgroupPatterns())
	}
	seen := s.kernel
	var err error
	if s.kernel, err = kernel.Open(without{os.DirFS("/"), "proc/self/mountinfo"}); err != nil {
		t.Fatal(err)
	}
	if s.compare(); tr.CgroupPatterns()[0].Groups != 3 {
		t.Errorf("where no group is seen: %+v", tr.CgroupPatterns())
	}
	s.kernel = seen
	s.sweep(time.Now().Add(keepRemoved))
	for key, want := range map[uint64]bool{keys[0]: true, keys[1]: true, keys[2]: true, dead: false} {
		if isIn(t, s, key) != want {
			t.Errorf("%d of %v is in the set: %t", key, folders, !want)
		}
	}
}

// A path that is longer than what the program looks at, or than what the kernel tells,
// is compared as a whole: a group whose name begins like another's is not in its set.
func TestCgroupsWithLongPaths(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	for _, length := range []int{maxSetPath - 1, maxGroupPath - 1} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			tr, s := startPattern(t, "/ply-many-*/**/last", 16)
			_, folders := makeGroups(t, 1)
			folder := deepGroup(t, folders[0], length-len("/last"))
			longer, exact := makeGroup(t, folder+"/last-but-one"), makeGroup(t, folder+"/last")
			waitPattern(t, tr, 1, 0)
			if isIn(t, s, longer) || !isIn(t, s, exact) {
				t.Errorf("the longer is in the set: %t, the exact one: %t", isIn(t, s, longer), isIn(t, s, exact))
			}
		})
	}
}

// deepGroup makes groups in one another, until the path is that long.
func deepGroup(t *testing.T, folder string, length int) string {
	t.Helper()
	for rest := length - (len(folder) - len(cgroupRoot(t))); rest > 0; {
		n := min(rest, 200)
		if rest-n == 1 {
			n-- // a slash and no name
		}
		folder, rest = folder+"/"+strings.Repeat("x", n-1), rest-n
		makeGroup(t, folder)
	}
	return folder
}

// A listener calls functions, of which any may be nil.
type listener struct {
	made    func(key uint64, path string)
	removed func(key uint64)
	missed  func()
}

func (l *listener) CgroupMade(key uint64, path string) {
	if l.made != nil {
		l.made(key, path)
	}
}

func (l *listener) CgroupRemoved(key uint64) {
	if l.removed != nil {
		l.removed(key)
	}
}

func (l *listener) CgroupsMissed() {
	if l.missed != nil {
		l.missed()
	}
}

// makeGroup makes a group and returns its value.
func makeGroup(t *testing.T, folder string) uint64 {
	t.Helper()
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(folder) })
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// Names are bytes, of which many are no text, and mean nothing in a path.
func TestCgroupsWithOddNames(t *testing.T) {
	need.BPF(t)
	_, folders := makeGroups(t, 1)
	odd := []string{"a b", `docker-\x2d"q'`, "*", "[a]", "\xff\xfe", "ä", "\t", "last\x80"}
	before, later := odd[:len(odd)/2], odd[len(odd)/2:]
	for _, name := range before {
		makeGroup(t, folders[0]+"/"+name)
	}
	tr, s := startPattern(t, "/ply-many-*/*/**/*", 16)
	for _, name := range later {
		makeGroup(t, folders[0]+"/"+name)
	}
	waitPattern(t, tr, len(odd), 0)
	paths := map[string]bool{}
	for key, path := range allCgroups(s.kernel) {
		if isIn(t, s, key) {
			paths[filepath.Base(path)] = true
		}
	}
	for _, name := range odd {
		if !paths[name] {
			t.Errorf("%q is not in the set of %v", name, paths)
		}
	}
}

// A kernel without types tells nothing of groups: they are looked for.
func TestCgroupsWithoutTypes(t *testing.T) {
	need.BPF(t)
	obj := compile(t, `tracepoint:raw_syscalls/sys_enter / cgroup in "/ply-many-*/g*" / { @[cgroup] = count(); }`)
	opt := testOptions(t)
	var err error
	if opt.Kernel, err = kernel.Open(without{os.DirFS("/"), "sys/kernel/btf"}); err != nil {
		t.Fatal(err)
	}
	names := make(chan string, 1<<16) // more than a machine has groups
	opt.Cgroups = &listener{made: func(_ uint64, path string) { names <- path }}
	tr := start(t, obj, opt)
	_, folders := makeGroups(t, 2)
	waitPattern(t, tr, 2, 0)
	if err := os.Remove(folders[0]); err != nil {
		t.Fatal(err)
	}
	waitPattern(t, tr, 1, 0)
	for want, _ := filepath.Rel(cgroupRoot(t), folders[1]); ; {
		select {
		case path := <-names:
			if path == "/"+want {
				return
			}
		default:
			t.Fatalf("%s has no name", want)
		}
	}
}

// without are the files of a kernel but those of a folder.
type without struct {
	fs.FS
	folder string
}

func (f without) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, f.folder) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(name)
}

// The kernel takes the program of each pattern, however many states it has.
func TestCgroupSetPrograms(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	layout, err := cgroupLayoutOf(runningKernel(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/", "/**/a?*[b-d]", "/" + strings.Repeat("a", 1000)} {
		p, err := object.CompilePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range []bool{false, true} {
			coll, err := ebpf.NewCollection(setSpec(layout, &object.CgroupSet{Pattern: p, Map: "groups", AllHierarchies: all}, 16))
			if err != nil {
				t.Errorf("%.20s: %v", pattern, err)
			}
			freeAll(coll)
		}
	}
}

// Where the kernel does not tell of groups, they are found by looking.
func TestCgroupPoll(t *testing.T) {
	need.BPF(t)
	k := runningKernel(t)
	var told []cgroupEvent
	p := &cgroupPoll{kernel: k, tell: func(e cgroupEvent) { told = append(told, e) }}
	p.look()
	keys, folders := makeGroups(t, 1)
	path, _ := filepath.Rel(cgroupRoot(t), folders[0])
	for _, removed := range []bool{false, true} {
		told = nil
		p.look()
		found := false
		for _, e := range told {
			found = found || e == cgroupEvent{keys[0], "/" + path, removed}
		}
		if !found {
			t.Errorf("removed %t: told of %v, not of %d, /%s", removed, told, keys[0], path)
		}
		if err := os.Remove(folders[0]); err != nil && !removed {
			t.Fatal(err)
		}
	}
}

// What was made before it was asked for has been told when maps are read.
func TestCgroupsAreToldBeforeMapsAreRead(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	opt := testOptions(t)
	opt.Kernel = runningKernel(t)
	names := make(chan string, 1<<16) // more than a machine has groups
	opt.Cgroups = &listener{made: func(key uint64, path string) { names <- fmt.Sprint(key, filepath.Base(path)) }}
	tr := start(t, compile(t, `BEGIN { @[cgroup] = count(); }`), opt)
	for range 20 {
		keys, folders := makeGroups(t, 1)
		if _, err := tr.Rows(tr.obj.Maps[0]); err != nil {
			t.Fatal(err)
		}
		want, found := fmt.Sprint(keys[0], filepath.Base(folders[0])), false
		for len(names) > 0 {
			found = <-names == want || found
		}
		if !found {
			t.Fatalf("%s was not told", want)
		}
	}
}

// Who sees only groups of a container is told.
func TestWarnOfPart(t *testing.T) {
	for _, row := range []struct {
		all  []*kernel.Hierarchy
		want string
	}{
		{[]*kernel.Hierarchy{{Whole: true}, {Number: 4, Whole: true}}, ""},
		{[]*kernel.Hierarchy{{Whole: true}, {Number: 4}}, "hierarchy=4"},
		{[]*kernel.Hierarchy{{}}, "mount the machine's /sys/fs/cgroup"},
		{nil, ""},
	} {
		var b strings.Builder
		warnOfPart(slog.New(slog.NewTextHandler(&b, nil)), row.all)
		if got := b.String(); row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%v: %q, want %q", row.all, got, row.want)
		}
	}
}

func TestParseCgroupEvent(t *testing.T) {
	record := append(make([]byte, cgroupPathAt), "/a/b\x00rest"...)
	record[0], record[6], record[cgroupKindAt] = 7, 3, 1
	want := cgroupEvent{key: object.CgroupKey(7, 3), path: "/a/b", removed: true}
	if got := parseCgroupEvent(record); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestCgroupWatchWithoutFiles opens the watch where nothing can be opened.
func TestCgroupWatchWithoutFiles(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := openCgroupWatch(&cgroupLayout{}, Options{}, func(cgroupEvent) {}, func() {})
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Error("it opened")
	}
}
