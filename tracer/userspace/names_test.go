package userspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// A fakeImage is a file whose text is its build ID; its functions are 16 bytes each.
type fakeImage struct {
	id     string
	opened *int
}

func (f fakeImage) BuildID() []byte { return []byte(f.id) }

func (f fakeImage) At(offset uint64) (string, uint64, bool) {
	return fmt.Sprintf("%s_%d", f.id, offset/16), offset % 16, offset < 0x1000
}

func (f fakeImage) Close() error {
	*f.opened--
	return nil
}

// fakeFiles opens such files.
func fakeFiles(opened *int) func(string) (image, error) {
	return func(path string) (image, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if string(text) == "no program" {
			return nil, errors.New("no program")
		}
		*opened++
		return fakeImage{string(text), opened}, nil
	}
}

func inFile(id string, offset uint64) object.Frame {
	f := object.Frame{Offset: offset}
	copy(f.BuildID[:], id)
	return f
}

// A place in a file has a name whichever process it was in, also after that has ended,
// and where the file is another by now, or seen by the process only.
func TestPlacesInFiles(t *testing.T) {
	proc, bin, opened := t.TempDir(), t.TempDir(), 0
	n := newNames(proc, fakeFiles(&opened), []string{bin + "/*"})
	host := write(t, bin, "host", "host-id")
	write(t, bin, "bin/idle", "idle-id")
	write(t, bin, "bin/script", "no program")
	inside := write(t, proc, "5/root/app/inside", "inside-id")
	write(t, bin, "app/inside", "the host's")
	write(t, proc, "5/maps", fmt.Sprintf("1000-2000 r-xp 00000100 fe:01 %d %s\n", inodeOf(t, host), host)+
		fmt.Sprintf("3000-4000 r-xp 00000000 fe:01 %d /app/inside\n", inodeOf(t, inside))+
		"5000-6000 r-xp 00000000 fe:01 79 /app/removed (deleted)\n"+
		"7000-8000 r-xp 00000000 00:00 0 [vdso]\n")
	write(t, proc, "5/map_files/5000-6000", "removed-id")
	for _, row := range []struct {
		frame object.Frame
		want  Place
	}{
		{inFile("host-id", 0x23), Place{"host-id_2", 3, "host", 0x23}},
		{inFile("inside-id", 0x20), Place{"inside-id_2", 0, "inside", 0x20}},
		{inFile("removed-id", 0x20), Place{"removed-id_2", 0, "removed", 0x20}},
		{inFile("idle-id", 0x10), Place{"idle-id_1", 0, "idle", 0x10}},
		{inFile("host-id", 0x2000), Place{"", 0, "host", 0x2000}}, // no symbol
		{inFile("nobody's", 0x10), Place{}},
		{object.Frame{Process: 5, Address: 0x1010}, Place{"host-id_17", 0, "host", 0x110}},
		{object.Frame{Process: 5, Address: 0x7010}, Place{"", 0, "vdso", 0x10}},
		{object.Frame{Process: 6, Address: 0x1010}, Place{}},
	} {
		if got := n.Place(row.frame); got != row.want {
			t.Errorf("%+v is %+v, want %+v", row.frame, got, row.want)
		}
	}
	write(t, bin, "host", "another")
	if err := os.RemoveAll(filepath.Join(proc, "5")); err != nil {
		t.Fatal(err)
	}
	if got := n.Place(inFile("host-id", 0x23)); got.Function != "host-id_2" {
		t.Errorf("known before, and %+v after", got)
	}
	n.files.forget()
	if opened != 0 {
		t.Errorf("%d files stay open", opened)
	}
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Ino
}

// A number of a file that another file has got is not the old one, and a path that leads
// to another file than the process has is no way to it. Without a build ID nothing else
// would tell.
func TestFilesOfOneNumberOrPath(t *testing.T) {
	proc, bin, opened := t.TempDir(), t.TempDir(), 0
	n := newNames(proc, fakeFiles(&opened), nil)
	program := write(t, bin, "program", "")
	n.files.open = func(path string) (image, error) {
		text, err := os.ReadFile(path)
		return noID{fakeImage{string(text), &opened}}, err
	}
	area := func() string {
		return fmt.Sprintf("1000-2000 r-xp 00000000 fe:01 %d %s\n", inodeOf(t, program), program)
	}
	change := func(text string, size int64) {
		t.Helper()
		write(t, bin, "program", text)
		if err := os.Chtimes(program, time.Time{}, time.Unix(size, 0)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		n.processes.at = map[int]time.Time{}
		delete(n.processes.areas, 5)
		if got := n.Place(object.Frame{Process: 5, Address: 0x1010}); got.Function != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	change("first", 1)
	write(t, proc, "5/maps", area())
	expect("first_1")
	change("other", 2) // as if the number had been used again
	n.files.forget()
	expect("other_1")
	change("third", 3)
	expect("third_1")
	write(t, bin, "new", "stranger")
	if err := os.Rename(bin+"/new", program); err != nil {
		t.Fatal(err)
	}
	n.files.forget()
	expect("")
}

// A noID is a file without a build ID.
type noID struct{ fakeImage }

func (noID) BuildID() []byte { return nil }

// A file that is never read to its end, as in a file system that does not answer, makes
// nobody wait twice, and nobody without end. What is known is known.
func TestNobodyWaitsForFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, answer := 0, make(chan bool)
		n := newNames("/nonexistent", fakeFiles(&opened), nil)
		n.remember(inFile("known", 1), Place{Function: "f"})
		n.files.byID[inFile("hangs", 0).BuildID] = &file{name: "hangs"}
		n.files.open = func(string) (image, error) {
			<-answer
			return nil, errors.New("gone")
		}
		for i, want := range []time.Duration{patience, 0, 0} {
			begin := time.Now()
			if got := n.Place(inFile("hangs", uint64(i))); got != (Place{}) || time.Since(begin) != want {
				t.Errorf("%+v after %v, want nothing after %v", got, time.Since(begin), want)
			}
		}
		if got := n.Place(inFile("known", 1)); got.Function != "f" {
			t.Errorf("what is known is %+v", got)
		}
		close(answer)
		synctest.Wait()
		if got := n.Place(inFile("hangs", 1)); got.File != "hangs" {
			t.Errorf("after it has answered: %+v", got)
		}
	})
}

// What is shown once waits longer for its names.
func TestShownOnceWaitsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		n := newNames("/nonexistent", fakeFiles(&opened), nil)
		n.ShowOnce()
		n.files.byID[inFile("slow", 0).BuildID] = &file{name: "slow"}
		n.files.open = func(string) (image, error) {
			time.Sleep(10 * patience)
			return nil, errors.New("gone")
		}
		if got := n.Place(inFile("slow", 1)); got.File != "slow" {
			t.Errorf("%+v", got)
		}
	})
}

// Few files are open at a time, whatever is asked.
func TestFewFilesAreOpen(t *testing.T) {
	bin, opened := t.TempDir(), 0
	n := newNames(t.TempDir(), fakeFiles(&opened), []string{bin})
	for i := range 3 * maxOpen {
		write(t, bin, fmt.Sprint("program", i), fmt.Sprint("id", i))
	}
	for range 2 {
		for i := range 3 * maxOpen {
			if got := n.Place(inFile(fmt.Sprint("id", i), uint64(16*i))); got.Function != fmt.Sprintf("id%d_%d", i, i) {
				t.Errorf("%d: %+v", i, got)
			}
			if opened > maxOpen {
				t.Fatalf("%d files are open", opened)
			}
		}
		clear(n.known)
	}
}
