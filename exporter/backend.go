package exporter

import (
	"io"
	"time"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A Tracer is a running script, as the exporter sees it.
type Tracer interface {
	// Contents returns the keys and values of a map, as object.Map lays them
	// out, each key once, values reduced over CPUs; and when it was cleared. A
	// keyless map gives one row without a key, none while it was never written.
	Contents(m *object.Map) (Contents, error)

	// Dropped is the number of updates the map refused.
	Dropped(m *object.Map) uint64

	// Overflowed is the number of updates that are in the value of the map's other
	// keys, for which it had no room.
	Overflowed(m *object.Map) uint64

	// Faults is the number of readings of the memory of processes that failed.
	Faults() uint64

	// LostBegins is the number of calls of which elapsed does not know when they
	// began.
	LostBegins() uint64

	// Expired is how many keys of the map have expired. TakeExpired says that the first
	// n of them need not be among Contents.Expired any more.
	Expired(m *object.Map) uint64
	TakeExpired(m *object.Map, n uint64)

	// DependOnPast says whether what is exported is more than what the maps have, so that
	// no later process must go on with them.
	DependOnPast(does bool)

	// LateClears is how often a clear() of the map came late.
	LateClears(m *object.Map) uint64

	// LostEvents is the number of prints that the ring buffer refused, and
	// OmittedLines of those that the log has left out.
	LostEvents() uint64
	OmittedLines() uint64

	// MapMemory is the kernel memory the map takes, in bytes.
	MapMemory(m *object.Map) uint64

	// CgroupPatterns tells of each pattern of cgroups in the script.
	CgroupPatterns() []CgroupPattern

	// Text is a component of a key as people read it; any bytes may be in it.
	Text(v object.Value) string

	// Labels are the texts of decode.LabelNames, and whether they will stay so. Life
	// says how old a control group is, or was at its end, and whether it is gone.
	Labels(v object.Value) (texts []string, settled bool)
	Life(v object.Value) (age time.Duration, gone bool)

	// Probes tells how each specification of the script is attached.
	Probes() []Probe

	// Costs is what each of the script's programs took while there were Statistics.
	Costs() []tracer.ProgramCost

	// SampleEvery has a script that is sampled look at one event in n.
	SampleEvery(n int)

	// FollowCPUs lets timers and counters begin again on CPUs that were offline.
	FollowCPUs() error

	// Follow attaches the script to files, too, that it is not attached to yet, as it is
	// compiled for them, and returns their paths.
	Follow(next *object.Object) ([]string, error)

	// Files are the programs and libraries that the script is attached to.
	Files() []object.FileID

	// LetGo detaches the script from files that were deleted and that nobody can execute
	// any more, and returns their paths.
	LetGo() []string

	// MustStartAgain says whether a module that had probes was removed and loaded again, or
	// a program was written to.
	MustStartAgain() bool

	// Pause detaches the script. Its maps stay readable.
	Pause() error

	// Pinned says whether the script would outlive the exporter.
	Pinned() bool

	// Created is when the script started.
	Created() time.Time

	// StartAt notes that what is shown of the script starts at another time, for the next
	// process.
	StartAt(at time.Time)

	// Claim notes what exports the counts from now on, for the next process: see
	// tracer.PinName.
	Claim(claims map[string]string)

	// Leave ends what this process does for the script: if it is pinned, it goes on,
	// and is the next process's, which is given the handover; if not, it is closed. Nothing
	// expires any more when the handover is made.
	Leave(handover func() []byte) error

	Close() error
}

// A Start is an object to start, and what its pins are known by.
type Start struct {
	Object  *object.Object
	Pin     tracer.PinName
	Symbols bool // what is exported of it has names of kernel symbols
}

// A Row is one key of a map and its value; Contents are all of one map. A
// CgroupPattern is what has become of a pattern of cgroups.
type (
	Row           = tracer.Row
	Contents      = tracer.Contents
	CgroupPattern = tracer.CgroupPattern
)

// A Probe is how one specification of a script is attached.
type Probe struct {
	Spec        string // as it was written
	Kind        string // the attach type: "tracepoint", "kprobe_multi"
	Why         string // why that type
	Sites       int    // how many it is attached to
	Covers      int    // probes these stand for, as the user counts them
	Attached    bool
	Err         error // why it is not
	Missed      uint64
	MissedKnown bool // this kernel counts what it skips
}

// A Backend compiles and starts scripts. Kernel is the one of production;
// tests have one that needs no kernel.
type Backend interface {
	// Check parses and checks a script. Its error is a plylang.ErrorList.
	Check(src *plylang.Source) (*plylang.Script, error)

	// Compile generates the programs of a checked script.
	Compile(script *plylang.Script, opt bpfgen.Options) (*object.Object, error)

	// Start loads and attaches objects, or takes over those that are pinned. The
	// results have the length of list; one that fails has an error and does not
	// affect the others.
	Start(list []Start) ([]Tracer, []error)

	// Statistics has the kernel measure how long programs run, until they are closed.
	Statistics() (io.Closer, error)

	// Host reads all BPF programs of the machine. countsMissed says whether this kernel
	// counts what they miss.
	Host() (programs HostReader, countsMissed bool)

	// Forget gives back what only Check, Compile and Start need.
	Forget()

	// Prepare forgets what was read of the kernel, which may be old by now, and begins to
	// read what nearly all scripts need, while the caller does something else.
	Prepare()

	// FileNames are the programs and libraries that a script is about, as it names
	// them.
	FileNames(src *plylang.Source) []string

	// Look returns the files of the programs and libraries that scripts name as they
	// are now, and for each name that has none one without a path.
	Look(names []string) []object.File

	// Verify lets this kernel verify an object, attaching nothing.
	Verify(obj *object.Object) error
}
