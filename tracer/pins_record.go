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

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/object"
)

// Names in the folder of a script, beside the numbered ones.
const (
	recordPin   = "record"
	notesPin    = "notes"
	handoverPin = "handover"
)

// Names of maps that are only pinned.
const (
	recordMap   = "ply_record"
	notesMap    = "ply_notes"
	handoverMap = "ply_handover"
)

// A pinRecord says what is pinned of a script. It is stored as JSON.
type pinRecord struct {
	Name    string
	Hash    string   // PinHash of object.Object
	Probes  []string // their names by their ids
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
	Next     int   // number of a link
	Attached []int // indexes into Points, but for those of links with places
	Refused  []refusedRecord

	// Modules are the folders of those that it is attached in, by their paths.
	Modules map[string]object.FileID `json:",omitempty"`
}

func fileAt(path string) (id object.FileID, err error) {
	id.Device, id.Inode, err = elf.Identity(path)
	return id, err
}

// sameModules finds fault with a record of modules of which one was loaded again: the
// kernel goes on where the old one was.
func (r *programRecord) sameModules(points []object.AttachPoint) error {
	now := moduleFolders(points)
	for path, folder := range now {
		if r.Modules[path] != folder {
			return fmt.Errorf("%s is another one now", path)
		}
	}
	for path := range r.Modules {
		if _, is := now[path]; !is {
			return fmt.Errorf("%s is gone", path)
		}
	}
	return nil
}

// A linkRecord is a link as the attacher made it, which may be several in the kernel.
type linkRecord struct {
	Pins   []string // what these are called
	Event  string   `json:",omitempty"` // a probe in tracefs, of this file
	File   string   `json:",omitempty"`
	Reason string   `json:",omitempty"` // of withoutRoom

	// Places are where in a program or library it is attached. Without its pins it is not,
	// and another link takes its place.
	Places []placeRecord `json:",omitempty"`
	Now    fileRecord    // what that was when it was recorded
}

// A fileRecord is what tells whether a file was written to.
type fileRecord struct{ Size, Changed int64 }

// recordFile describes the file of places, as long as its path leads to it.
func recordFile(places []placeRecord) (r fileRecord, is bool) {
	if len(places) == 0 {
		return r, false
	}
	f := places[0].UserFunction
	info, err := os.Stat(f.Path)
	if now, gone := fileAt(f.Path); err != nil || gone != nil || now != f.File {
		return r, false
	}
	return fileRecord{info.Size(), info.ModTime().UnixNano()}, true
}

// unwritten finds fault with a record of a file that was written to since.
func (l linkRecord) unwritten() error {
	if now, is := recordFile(l.Places); is && now != l.Now {
		return fmt.Errorf("%s was written to", l.Places[0].Path)
	}
	return nil
}

// unpin removes a link of these pins.
func (r *programRecord) unpin(folder string, pins []string) {
	for _, name := range pins {
		_ = os.Remove(filepath.Join(folder, name)) // what is left ends with the script
	}
	r.Links = slices.DeleteFunc(r.Links, func(l linkRecord) bool { return slices.Equal(l.Pins, pins) })
}

// A placeRecord is an attach point in a program or library.
type placeRecord struct {
	object.UserFunction
	ID     uint64
	Covers int  `json:",omitempty"`
	Glob   bool `json:",omitempty"`
}

func recordPlaces(points []object.AttachPoint) (places []placeRecord) {
	for _, at := range points {
		if f, ok := at.Site.(object.UserFunction); ok {
			places = append(places, placeRecord{f, at.ID, at.Covers, at.Glob})
		}
	}
	return places
}

// pointsOf is the reverse of recordPlaces.
func pointsOf(places []placeRecord) (out []object.AttachPoint) {
	for _, r := range places {
		out = append(out, object.AttachPoint{Site: r.UserFunction, ID: r.ID, Covers: r.Covers, Glob: r.Glob})
	}
	return out
}

// isEvent says whether there is a probe in tracefs, of ours: anybody may have written the
// record that root reads.
func (l linkRecord) isEvent() bool {
	isFile := slices.ContainsFunc(tracefs, func(folder string) bool { return l.File == folder+"/kprobe_events" })
	return isFile && ourEvent.MatchString("r:"+l.Event+" ")
}

// A refusedRecord is a site that was left out.
type refusedRecord struct {
	Point int           // an index into Points, where Places has none
	Place []placeRecord `json:",omitempty"`
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
