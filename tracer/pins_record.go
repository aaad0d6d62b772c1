package tracer

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// Names in the folder of a script, beside the numbered ones.
const (
	recordPin = "record"
	notesPin  = "notes"
)

// Names of maps that are only pinned.
const (
	recordMap = "ply_record"
	notesMap  = "ply_notes"
)

// A pinRecord says what is pinned of a script. It is stored as JSON.
type pinRecord struct {
	Name    string
	Hash    string // see object.Object
	Claims  map[string]string
	Created int64 // nanoseconds since 1970
	Pinned  int64

	Maps     []string // names in object.Object's Spec: m0, m1, …
	Programs []programRecord
	Sets     []bool // of cgroups: whether a program follows them: s0, s1, …
}

// A programRecord says what became of a program of the object.
type programRecord struct {
	Name     string
	Ran      bool   `json:",omitempty"`
	Before   uint64 `json:",omitempty"`
	Links    []linkRecord
	Attached []int // indexes into Points
	Refused  []refusedRecord

	// Files are the programs and libraries that it is attached to, by their paths.
	Files map[string]object.FileID `json:",omitempty"`
}

func fileAt(path string) (object.FileID, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return object.FileID{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return object.FileID{Device: uint64(stat.Dev), Inode: stat.Ino}, nil //nolint:unconvert // it is of 32 bits elsewhere
}

// recordFiles are the programs and libraries that have these attach points.
func recordFiles(points []object.AttachPoint) (map[string]object.FileID, error) {
	var files map[string]object.FileID
	for _, at := range points {
		f, ok := at.Site.(object.UserFunction)
		if _, known := files[f.Path]; !ok || known {
			continue
		}
		record, err := fileAt(f.Path)
		if err != nil {
			return nil, err
		}
		if files == nil {
			files = map[string]object.FileID{}
		}
		files[f.Path] = record
	}
	return files, nil
}

// sameFiles finds fault with a record of files of which one has been replaced: the
// kernel goes on where the old one is.
func (r *programRecord) sameFiles(points []object.AttachPoint) error {
	now, err := recordFiles(points)
	if err != nil {
		return err
	}
	for path, file := range now {
		if r.Files[path] != file {
			return fmt.Errorf("%s is another file now", path)
		}
	}
	return nil
}

// A linkRecord is a link as the attacher made it, which may be several in the kernel.
type linkRecord struct {
	Pins   int    // how many: p0_0, p0_1, …
	Event  string `json:",omitempty"` // a probe in tracefs, of this file
	File   string `json:",omitempty"`
	Reason string `json:",omitempty"` // of withoutRoom
}

// isEvent says whether there is a probe in tracefs, of ours: anybody may have written the
// record that root reads.
func (l linkRecord) isEvent() bool {
	isFile := slices.ContainsFunc(tracefs, func(folder string) bool { return l.File == folder+"/kprobe_events" })
	return isFile && ourEvent.MatchString("r:"+l.Event+" ")
}

// A refusedRecord is a site that was left out.
type refusedRecord struct {
	Point int
	Text  string
}

func mapPin(i int) string        { return fmt.Sprintf("m%d", i) }
func programPin(i int) string    { return fmt.Sprintf("p%d", i) }
func linkPin(i, link int) string { return fmt.Sprintf("p%d_%d", i, link) }
func setPin(i int) string        { return fmt.Sprintf("s%d", i) }

// removeEvents removes the probes in tracefs that the script has left behind.
func (r *pinRecord) removeEvents() {
	for _, p := range r.Programs {
		for _, l := range p.Links {
			if l.isEvent() {
				_ = tellTracefs(l.File, "-:"+l.Event) // the next exporter tries again
			}
		}
	}
}

// write pins the record.
func (r *pinRecord) write(folder string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writePin(filepath.Join(folder, recordPin), recordMap, text)
}

func readPinRecord(folder string) (*pinRecord, error) {
	text, err := readPin(filepath.Join(folder, recordPin))
	if err != nil {
		return nil, err
	}
	r := &pinRecord{}
	return r, json.Unmarshal(text, r)
}

// writePin pins bytes: in a map, because there are no files in this file system. It
// replaces what is pinned there at once.
func writePin(path, name string, data []byte) error {
	m, err := newPinMap(name, lengthSize+len(data))
	if err != nil {
		return err
	}
	defer m.Close()
	mem, err := mapWords(m)
	if err != nil {
		return err
	}
	mem[0] = uint64(len(data))
	copy(mem.bytes()[lengthSize:], data)
	mem.close()
	_ = os.Remove(path + "_new")
	if err := m.Pin(path + "_new"); err != nil {
		return err
	}
	return os.Rename(path+"_new", path)
}

// lengthSize is the size of the length that comes first.
const lengthSize = 8

func readPin(path string) ([]byte, error) {
	if _, err := os.Lstat(path); err != nil {
		return nil, err
	}
	m, err := loadPinnedMap(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	mem, err := mapWords(m)
	if err != nil {
		return nil, err
	}
	defer mem.close()
	n := mem[0]
	if n > uint64(8*len(mem)-lengthSize) {
		return nil, fmt.Errorf("it is said to be %d bytes long, in a map of %d", n, 8*len(mem))
	}
	return append([]byte(nil), mem.bytes()[lengthSize:lengthSize+n]...), nil
}

// newPinMap makes an array of one value for our own use.
func newPinMap(name string, size int) (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{
		Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(size+7) &^ 7, MaxEntries: 1, Flags: object.Mmapable,
	})
}

// loadPinnedMap opens a map that can be mapped into memory. Anything may be pinned there.
func loadPinnedMap(path string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, nil)
	if err != nil {
		return nil, err
	}
	if m.Type() != ebpf.Array || m.Flags()&object.Mmapable == 0 || m.ValueSize() < lengthSize {
		m.Close()
		return nil, &fs.PathError{Op: "read", Path: path, Err: unix.EINVAL}
	}
	return m, nil
}

// bytes is the memory as bytes.
func (w words) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), 8*len(w))
}
