package userspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

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
	write(t, proc, "5/maps", "1000-2000 r-xp 00000100 fe:01 77 "+host+"\n"+
		"3000-4000 r-xp 00000000 fe:01 78 /app/inside\n"+
		"5000-6000 r-xp 00000000 fe:01 79 /app/removed (deleted)\n"+
		"7000-8000 r-xp 00000000 00:00 0 [vdso]\n")
	write(t, proc, "5/root/app/inside", "inside-id")
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
