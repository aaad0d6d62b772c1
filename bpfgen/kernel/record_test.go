package kernel

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"ply-exporter/internal/recorded"
)

// What is compiled against a recording is what would be compiled against the
// kernel: it has the same tracepoints, functions, types and features.
func TestRecord(t *testing.T) {
	k := open(t, "7.3-amd64")
	var archive bytes.Buffer
	if err := k.Record(&archive); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRecorded(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	want, err1 := k.Tracepoints("*", "*")
	got, err2 := r.Tracepoints("*", "*")
	if !slices.Equal(got, want) || len(want) == 0 || err1 != nil || err2 != nil {
		t.Errorf("%d tracepoints, want %d; %v, %v", len(got), len(want), err1, err2)
	}
	if r.release() != k.release() || r.Arch() != k.Arch() || !maps.Equal(r.recorded(), k.recorded()) {
		t.Errorf("%s on %s with %v", r.release(), r.Arch().Name, r.recorded())
	}
	if !maps.Equal(r.kept.Load().syscallFns(), k.kept.Load().syscallFns()) {
		t.Error("the functions of system calls differ") // those that are left out, too
	}
	functions, err1 := k.Functions("*")
	again, err2 := r.Functions("*")
	if functionNames(again) != functionNames(functions) || len(functions) == 0 || err1 != nil || err2 != nil {
		t.Errorf("%d functions, want %d; %v, %v", len(again), len(functions), err1, err2)
	}
	offset, err1 := k.FieldOffset("task_struct", "comm")
	if o, err := r.FieldOffset("task_struct", "comm"); o != offset || err1 != nil || err != nil {
		t.Errorf("comm is at %d, want %d; %v, %v", o, offset, err1, err)
	}
}

// What of a recording cannot be read is not taken for what the kernel lacks.
func TestDamagedRecording(t *testing.T) {
	var archive bytes.Buffer
	if err := open(t, "7.3-amd64").Record(&archive); err != nil {
		t.Fatal(err)
	}
	text := archive.Bytes()
	text[middleOf(t, text, "proc/kallsyms")] ^= 1
	_, err := OpenRecorded(bytes.NewReader(text), int64(len(text)))
	if err == nil || !strings.HasPrefix(err.Error(), "is damaged: ") {
		t.Errorf("%v", err)
	}
	_, err = OpenRecorded(bytes.NewReader(text[:len(text)/2]), int64(len(text)/2))
	if !errors.Is(err, zip.ErrFormat) {
		t.Errorf("half of one: %v", err)
	}
}

// middleOf returns where the middle of a file's data is in an archive.
func middleOf(t *testing.T, archive []byte, name string) int {
	t.Helper()
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files.File, func(f *zip.File) bool { return f.Name == name })
	start, err := files.File[i].DataOffset()
	if err != nil {
		t.Fatal(err)
	}
	return int(start) + int(files.File[i].CompressedSize64)/2
}

// A recording does not tell where the kernel lay in memory.
func TestRecordedAddresses(t *testing.T) {
	k := open(t, "7.3-amd64")
	here, err := k.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	stext, _ := here.Addr("_stext")
	read, _ := here.Addr("vfs_read")
	var archive bytes.Buffer
	if err := k.Record(&archive); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRecorded(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	there, err := r.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	first, _ := there.Addr("_stext")
	moved, _ := there.Addr("vfs_read")
	if first != linkedAt || moved != linkedAt+read-stext || stext == linkedAt {
		t.Errorf("_stext is at %#x, vfs_read at %#x", first, moved)
	}
	for _, name := range []string{"proc/kallsyms", "sys/kernel/debug/kprobes/blacklist"} {
		file, err := r.files.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err != nil || len(text) == 0 || strings.Contains(string(text), "ffffffff9") {
			t.Errorf("%s tells addresses, or nothing: %v", name, err)
		}
	}
}

func TestOpenRecorded(t *testing.T) {
	for _, text := range []string{"", "no archive", "PK\x05\x06" + strings.Repeat("\x00", 18)} {
		if _, err := OpenRecorded(strings.NewReader(text), int64(len(text))); err == nil {
			t.Errorf("%q is a recording", text)
		}
	}
}

// A recording has the variables of a kernel that tells of them, but not where they are in
// memory.
func TestRecordedVariables(t *testing.T) {
	k, err := Open(recorded.With(open(t, "7.3-amd64").files, "proc/kallsyms", []byte(`0000000000000000 A __per_cpu_start
0000000000001000 d runqueues
0000000000030000 A __per_cpu_end
ffffffff91000000 T _stext
ffffffff91000040 t vfs_read
ffffffff92000100 D init_task
ffffffff92000200 D jiffies_64
ffffffffc0d00300 b counts	[veth]
`)))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := k.Record(&archive); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRecorded(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"jiffies_64": linkedAt + 0x1000200, "counts": linkedAt + 0x2fd00300, "vfs_read": linkedAt + 0x40} {
		if got, err := r.Address(name); got != want || err != nil {
			t.Errorf("%s is at %#x, want %#x: %v", name, got, want, err)
		}
	}
	if _, err := r.Address("runqueues"); err == nil || !strings.Contains(err.Error(), "a variable of each CPU") {
		t.Errorf("a variable of each CPU: %v", err)
	}
}
