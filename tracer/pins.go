package tracer

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Pins
//
// What a script has in the kernel can be given names in a BPF file system. It then
// outlives the process: programs stay attached and count on, however the process has
// ended, until the next one takes it over, or removes the names.
//
// The folder that the user names has one for the layout, and that has one for each
// script:
//
//	ply-exporter/v2/reads-18a3f.../m0 m1 p0 p0_0 s0 notes handover record
//
// with maps (m), programs (p) and their links, the links of the programs that follow sets
// of cgroups (s), words that this process keeps of the script (notes), what it leaves to the next one
// when it ends (handover), and the record, which says what all the others are. It is written
// last and removed first: a folder without one is what a process
// was about to pin, or to remove, when it was killed, and is removed. Links to programs and
// libraries that come later are in the record before they are pinned, and links that are let
// go of until after their pins were removed: one of the record that has no pin is not attached.
//
// One process at a time uses a folder. It holds a lock on it, which the kernel takes away
// when the process ends.

// pinLayout is the folder of this layout. It changes with what is in the folders, and with
// anything about maps that an object's hash does not tell.
const pinLayout = "v2"

// What all versions call their folders.
var (
	anyLayout    = regexp.MustCompile(`^v\d+$`)
	scriptFolder = regexp.MustCompile(`^\w+-[0-9a-f]{12,}$`)
)

// Pins is a folder of a BPF file system, which belongs to this process until it is
// closed. The nil one keeps nothing.
type Pins struct {
	path string // as the user named it
	lock *os.File
	log  *slog.Logger

	mu      sync.Mutex
	left    []*leftover         // by the process before, and not taken over
	claimed []map[string]string // by all scripts of that process
}

// A PinName is what a script is known by from one process to the next.
type PinName struct {
	Name string // "": it is not pinned

	// Claims are what has this script's counts, and whose they are: a process takes
	// over scripts only if all that was claimed by others of the process before has
	// the same meaning now.
	Claims map[string]string

	// Joined are maps of which several keys may share a series, which would fall if the
	// process before has not shown yet that one of them has expired.
	Joined []string

	// Resume is given the handover that the process before has left with Leave, nil if it was
	// killed, and says whether it is of use. A script is only taken over without one if Needs is
	// empty; else that says what would be wrong.
	Resume func(handover []byte) bool
	Needs  string
}

// A leftover is a script that goes on without a process.
type leftover struct {
	folder string
	record *pinRecord
}

// OpenPins takes a folder for this process. It is made if its parent is there.
func OpenPins(path string, log *slog.Logger) (*Pins, error) {
	p, err := lockPins(path, os.Geteuid(), log)
	if err != nil {
		return nil, err
	}
	if err := p.prepare(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// anybody is the owner of a folder from which root removes pins.
const anybody = -1

// RemovePins removes all pins of a folder, and with them what they hold in the kernel. It
// returns the names of scripts. Root may remove those of others.
func RemovePins(path string, log *slog.Logger) ([]string, error) {
	if path == "" {
		return nil, errors.New("--bpf.pin-path is empty: give the folder that the exporter was given")
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = anybody
	}
	p, err := lockPins(path, owner, log)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	all, err := p.entries()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, layout := range all {
		for _, l := range p.find(layout) {
			names = append(names, l.name())
		}
	}
	slices.Sort(names)
	layouts, err := p.removeLayouts(func(string) bool { return true })
	if err != nil {
		return names, err
	}
	if layouts > 0 {
		_ = os.Remove(path) // it stays where it is the root of a file system
	}
	return names, nil
}

// Close gives the folder up. What is pinned stays.
func (p *Pins) Close() {
	if p != nil {
		_ = p.lock.Close()
	}
}

// Path is what the user named.
func (p *Pins) Path() string {
	if p == nil {
		return ""
	}
	return p.path
}

// prepare removes what is of no use, and makes the folder of the layout.
func (p *Pins) prepare() error {
	if _, err := p.removeLayouts(func(layout string) bool { return layout != pinLayout }); err != nil {
		return err
	}
	if err := os.Mkdir(p.folder(), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return p.unusable(err)
	}
	for _, l := range p.find(pinLayout) {
		if l.record == nil {
			if err := removePinned(l.folder); err != nil {
				return p.unusable(err)
			}
			continue
		}
		p.left, p.claimed = append(p.left, l), append(p.claimed, l.record.Claims)
	}
	return nil
}

func (p *Pins) folder() string { return filepath.Join(p.path, pinLayout) }

// find lists the scripts of a layout, the latest first. Those that were not pinned
// completely have no record.
func (p *Pins) find(layout string) (all []*leftover) {
	in := filepath.Join(p.path, layout)
	folders, _ := os.ReadDir(in) // none if it is not there
	all = make([]*leftover, len(folders))
	Parallel(len(folders), runtime.GOMAXPROCS(0), func(i int) {
		l := &leftover{folder: filepath.Join(in, folders[i].Name())}
		record, err := readPinRecord(l.folder)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			p.log.Warn("pins of a script cannot be read and are removed: it starts afresh", "folder", l.folder, "err", err)
		}
		l.record = record
		all[i] = l
	})
	slices.SortFunc(all, func(a, b *leftover) int { return cmp.Compare(b.created(), a.created()) })
	return all
}

func (l *leftover) created() int64 {
	if l.record == nil {
		return 0
	}
	return l.record.Pinned
}

// name is the script's, which all layouts have in the record, or that of the folder.
func (l *leftover) name() string {
	if l.record == nil {
		return filepath.Base(l.folder)
	}
	return l.record.Name
}

// removeLayouts removes the folders of layouts, and returns how many there were.
func (p *Pins) removeLayouts(which func(string) bool) (n int, err error) {
	names, err := p.entries()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if !which(name) {
			continue
		}
		if name != pinLayout {
			p.log.Warn("pins of another version's layout are removed: their scripts start afresh", "folder", filepath.Join(p.path, name))
		}
		scripts, err := os.ReadDir(filepath.Join(p.path, name))
		if err != nil {
			return n, p.unusable(err)
		}
		for _, s := range scripts {
			if err := removePinned(filepath.Join(p.path, name, s.Name())); err != nil {
				return n, p.unusable(err)
			}
		}
		if err := os.Remove(filepath.Join(p.path, name)); err != nil {
			return n, p.unusable(err)
		}
		n++
	}
	return n, nil
}

// take returns the leftover of a script that has not changed, if there is one. It
// belongs to the caller then.
func (p *Pins) take(as PinName, hash string) *leftover {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.index(as, hash)
	if i < 0 {
		return nil
	}
	l := p.left[i]
	p.left = slices.Delete(p.left, i, i+1)
	return l
}

// files is how many files it takes to open what the process before has left, at most.
func (p *Pins) files() (n int) {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.left {
		n += l.record.files()
	}
	return n
}

// Holds says whether there is a script that would be taken over as this one.
func (p *Pins) Holds(as PinName, hash string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index(as, hash) >= 0
}

// index is where in left a script is that has not changed, -1 if there is none.
func (p *Pins) index(as PinName, hash string) int {
	return slices.IndexFunc(p.left, func(l *leftover) bool {
		return l.record.Name == as.Name && l.record.Hash == hash && !p.contradicts(as.Claims)
	})
}

// contradicts says whether something was claimed before with another meaning.
func (p *Pins) contradicts(claims map[string]string) bool {
	return slices.ContainsFunc(p.claimed, func(before map[string]string) bool {
		for claim, meaning := range before {
			if now, ok := claims[claim]; ok && now != meaning {
				return true
			}
		}
		return false
	})
}

// removeLeft removes what no script of this process has taken over.
func (p *Pins) removeLeft() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.left {
		p.log.Info("pinned script removed: it has changed, or is configured no more", "script", l.name(),
			"created", time.Unix(0, l.record.Created).Format(time.RFC3339))
		if err := removePinned(l.folder); err != nil {
			p.log.Warn("pins are left behind", "folder", l.folder, "err", err)
		}
	}
	p.left = nil
}

// removePinned removes a script's folder: first the record, so that nobody takes over
// what is left of it.
func removePinned(folder string) error {
	record, _ := readPinRecord(folder) // who has none made no events
	if err := os.Remove(filepath.Join(folder, recordPin)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	pins, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, pin := range pins {
		if err := os.Remove(filepath.Join(folder, pin.Name())); err != nil {
			return err
		}
		paceFreeing()
	}
	if record != nil {
		record.removeEvents()
	}
	return os.Remove(folder)
}

// newFolder makes a folder for a script.
func (p *Pins) newFolder(name string) (string, error) {
	const longest = 64
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_' // the file system takes no dots
	}, name)
	folder := filepath.Join(p.folder(), fmt.Sprintf("%s-%x", clean[:min(len(clean), longest)], time.Now().UnixNano()))
	return folder, os.Mkdir(folder, 0o700)
}

// entries lists the layouts in the folder, and refuses it if there is anything else:
// what others have there would be removed or in the way.
func (p *Pins) entries() ([]string, error) {
	list, err := os.ReadDir(p.path)
	if err != nil {
		return nil, p.unusable(err)
	}
	var layouts, foreign []string
	for _, e := range list {
		switch name := e.Name(); {
		case name == "maps.debug" || name == "progs.debug": // the kernel's own
		case e.IsDir() && anyLayout.MatchString(name) && p.holdsScripts(name):
			layouts = append(layouts, name)
		default:
			foreign = append(foreign, name)
		}
	}
	if len(foreign) > 0 {
		return nil, p.fault("holds what is not of ply-exporter (%s): give a folder of its own, such as /sys/fs/bpf/ply-exporter", someOf(foreign))
	}
	return layouts, nil
}

// holdsScripts says whether a layout has nothing but folders that were named by
// newFolder: others may have a folder v1, too.
func (p *Pins) holdsScripts(layout string) bool {
	list, err := os.ReadDir(filepath.Join(p.path, layout))
	return err == nil && !slices.ContainsFunc(list, func(e os.DirEntry) bool {
		return !e.IsDir() || !scriptFolder.MatchString(e.Name())
	})
}
