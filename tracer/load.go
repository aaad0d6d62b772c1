package tracer

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A loader loads scripts. The kernel's types are those that compiling read.
type loader struct {
	types  *btf.Cache
	atOnce int // how many scripts at a time
	roomy  bool
}

func newLoader(opt Options) *loader {
	l := &loader{atOnce: 1}
	if opt.Kernel == nil {
		l.types = btf.NewCache()
	} else {
		l.types = opt.Kernel.TypeCache()
	}
	return l
}

// makeRoom loads several scripts at a time from now on, unless they may want more files
// than can be opened: then each is to be the only one that wants some, so that it is known
// which of them has too few.
func (l *loader) makeRoom(objs []*object.Object, p *Pins) {
	files := p.files()
	for _, obj := range objs {
		files += filesOf(obj)
	}
	if l.roomy = freeFiles() >= 2*files; l.roomy { // others want some meanwhile
		l.atOnce = runtime.GOMAXPROCS(0)
	}
}

// filesOf is how many files it takes to load a script, at most.
func filesOf(obj *object.Object) int { return len(obj.Spec.Maps) + 2*len(obj.Spec.Programs) }

// room returns EMFILE unless so many files can be opened.
func (l *loader) room(n int) error {
	if l.roomy {
		return nil
	}
	return roomForFiles(n)
}

// load makes the maps and programs of a script, and nothing runs yet.
func (l *loader) load(obj *object.Object, opt Options) (*Tracer, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, Diagnose(fmt.Errorf("raise RLIMIT_MEMLOCK: %w", err))
	}
	if err := l.room(filesOf(obj)); err != nil {
		return nil, Diagnose(err)
	}
	spec, single := divide(obj)
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: l.types})
	if err != nil {
		return nil, loadError(obj, err)
	}
	t := newTracer(obj, opt, coll)
	if err := l.loadSingle(t, single); err != nil {
		t.Close()
		return nil, loadError(obj, err)
	}
	t.countsMisses = countsMisses(l.types)
	err = t.makeNotes()
	if err == nil {
		err = t.openMaps()
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// openMaps maps into memory what is read from there.
func (t *Tracer) openMaps() error {
	var err error
	if m := t.coll.Maps[object.StateMap]; m != nil {
		if t.state, err = mapWords(m); err != nil {
			return fmt.Errorf("map %s: %w", object.StateMap, err)
		}
	}
	if m := t.coll.Maps[object.ClearMap]; m != nil {
		if t.clears, err = mapWords(m); err != nil {
			return fmt.Errorf("map %s: %w", object.ClearMap, err)
		}
	}
	if m := t.coll.Maps[object.OverflowMap]; m != nil {
		if t.overflow, err = mapWords(m); err != nil {
			return fmt.Errorf("map %s: %w", object.OverflowMap, err)
		}
	}
	if m := t.coll.Maps[object.ExpireMap]; m != nil {
		if t.expiries, err = mapWords(m); err != nil {
			return fmt.Errorf("map %s: %w", object.ExpireMap, err)
		}
	}
	for _, m := range t.obj.Maps {
		if err := t.openMap(m); err != nil {
			return fmt.Errorf("map %s: %w", m.Name, err)
		}
	}
	return nil
}

// openMap prepares reading a map, or the generations of one.
func (t *Tracer) openMap(m *object.Map) (err error) {
	var r *mapReader
	var c *clearing
	if m.Cleared() {
		c, err = t.openClearing(m)
	} else {
		if r, err = openReader(m, t.coll.Maps[m.SpecName]); err == nil {
			t.openOverflow(r, 0)
		}
	}
	t.maps, t.clearings = append(t.maps, r), append(t.clearings, c)
	if err == nil && m.Expiry != nil {
		var x *expiring
		x, err = t.openExpiring(m, r)
		t.expirings = append(t.expirings, x)
	}
	return err
}

// openReaders finds a way to read the hashes of all scripts. Where only bpf(2)
// reads them, that is worth a warning, because it makes this CPU miss events
// while it lasts. For want of files it is not chosen, as it would be for good:
// the script fails.
func (l *loader) openReaders(tracers []*Tracer, errs []error, log *slog.Logger) {
	shapes := map[shape]bool{}
	for _, t := range tracers {
		for _, r := range t.hashReaders() {
			shapes[r.shape] = true
		}
	}
	errLoad := shared.load(shapes, l.types)
	Parallel(len(tracers), l.atOnce, func(i int) {
		t := tracers[i]
		if t == nil {
			return
		}
		errs[i] = errors.Join(errs[i], t.openHashes(errLoad, log), t.openEmptiers(l.types), t.openPrograms())
		if errs[i] != nil {
			t.Close()
			tracers[i] = nil
		}
	})
}

// openHashes finds a way to read the hashes of a script. errLoad is what became
// of the programs that all scripts share.
func (t *Tracer) openHashes(errLoad error, log *slog.Logger) error {
	warned := map[string]bool{}
	for _, r := range t.hashReaders() {
		err := r.openElements()
		if err == nil {
			continue
		}
		if err = errors.Join(err, errLoad); lacksFiles(err) {
			return Diagnose(err)
		}
		if !warned[r.Name] {
			log.Warn("map is read in a way that can lose events: this kernel takes no program that reads it",
				"map", r.Name, "err", err)
		}
		warned[r.Name] = true
	}
	return nil
}

func (t *Tracer) hashReaders() []*mapReader {
	var out []*mapReader
	if t == nil {
		return nil
	}
	for _, m := range t.obj.Maps {
		if !inMemory(m) && !m.ProgramsOnly() {
			out = append(out, t.readersOf(m)...)
		}
	}
	return out
}

func (r *mapReader) openElements() (err error) {
	r.elements, err = openElements(r.shape, r.kernel)
	return err
}

// loadError says at which position in the script the kernel's verifier stopped.
// What the compiler accepts the verifier must accept, so this is our bug, unless
// there are too many paths for it to follow.
func loadError(obj *object.Object, err error) error {
	if lacksFiles(err) {
		return Diagnose(err)
	}
	if is(err, unix.ENOMEM) {
		return outOfMemory(obj, Diagnose(err))
	}
	if why := refusedFunction(failedProgram(obj, err), err); why != nil {
		return refusedAt(obj, failedProgram(obj, err), why)
	}
	var rejected *ebpf.VerifierError
	if !errors.As(err, &rejected) || len(rejected.Log) == 0 {
		return Diagnose(err)
	}
	if lacksPermission(rejected.Cause) && strings.Contains(rejected.Error(), "not allowed") {
		return Diagnose(err)
	}
	if text := lockedReading(rejected.Log); text != "" {
		return &diagnosis{text, err}
	}
	if strings.Contains(strings.Join(rejected.Log, " "), "requires BPF JIT compiler") {
		return &diagnosis{"this kernel's BPF JIT compiler is off, and without it the program is refused: " +
			"turn it on with: sysctl -w net.core.bpf_jit_enable=1", err}
	}
	msg := "this is a bug in ply-exporter, please report it with the script: the kernel refuses the program: " +
		strings.Join(verdict(rejected.Log), "; ")
	if tooManyPaths.MatchString(strings.Join(rejected.Log, " ")) {
		msg = "probe has more paths than this kernel's verifier follows: use fewer conditions, loops and long strings, or several probes"
	}
	e := &plylang.Error{Msg: msg}
	if obj.Script != nil {
		e.Src = obj.Script.Src
		e.Pos = rejectedAt(obj, failedProgram(obj, err), rejected.Log)
	}
	return e
}

// outOfMemory says which map the kernel has no memory for.
func outOfMemory(obj *object.Object, err error) error {
	var known *diagnosis
	if errors.As(err, &known) {
		return err
	}
	for _, m := range obj.Maps {
		if strings.Contains(err.Error(), "map "+m.SpecName+":") {
			return &plylang.Error{Src: obj.Script.Src, Pos: m.Pos, Msg: fmt.Sprintf("the kernel has no memory for %s, which takes %d MiB: "+
				"lower max_entries, or raise the memory limit of the exporter's cgroup", m.Name, (m.Memory(obj.CPUs)+1<<20-1)>>20), Missing: true}
		}
	}
	return err
}

// tooManyPaths matches what the verifier says when it gives up.
var tooManyPaths = regexp.MustCompile(`BPF program is too large|jumps is too complex`)

// failedProgram finds the name of the program a loading error is about.
func failedProgram(obj *object.Object, err error) *object.Program {
	for _, p := range obj.Programs {
		if strings.Contains(err.Error(), "program "+p.Name+":") {
			return p
		}
	}
	return nil
}

var logInstruction = regexp.MustCompile(`^(\d+): \([0-9a-f]{2}\)`)

// rejectedAt finds the script's position of the last instruction the verifier
// looked at.
func rejectedAt(obj *object.Object, p *object.Program, log []string) plylang.Pos {
	if p == nil {
		return 0
	}
	for i := len(log) - 1; i >= 0; i-- {
		match := logInstruction.FindStringSubmatch(log[i])
		if match == nil {
			continue
		}
		n, _ := strconv.Atoi(match[1]) // digits by the expression
		if pos, ok := obj.SourceOf(p.Name, n); ok {
			return pos
		}
		break
	}
	if len(p.Specs) > 0 {
		return p.Specs[0].Pos
	}
	return 0
}

// verdictLines is how much of the verifier's log is shown.
const verdictLines = 8

// verdict returns the end of the verifier's log: the last instruction it
// looked at and what it says of it.
func verdict(log []string) []string {
	var out []string
	for _, line := range log {
		line = strings.TrimSpace(line)
		if logInstruction.MatchString(line) {
			out = out[:0]
		}
		if line != "" && !strings.HasPrefix(line, "processed ") {
			out = append(out, line)
		}
	}
	return out[:min(len(out), verdictLines)]
}
