// Package object is what a script was compiled to, as data: programs with the
// sites they attach to, maps and how their values are read, and events. It
// generates no code and makes no system call.
package object

import (
	"math/big"
	"strings"

	"github.com/cilium/ebpf"

	"ply-exporter/plylang"
)

// An Object is a compiled script.
type Object struct {
	Script   *plylang.Script
	Spec     *ebpf.CollectionSpec
	Programs []*Program
	Maps     []*Map   // as in Script.Maps, same order
	Probes   []string // canonical probe names by AttachPoint.ID; what the built-in probe shows
	Events   []*Event // by id; empty when the script prints nothing

	// CPUs is how many the kernel may ever have: the copies of a per-CPU value.
	CPUs int

	// Cgroups are the sets of control groups that programs look into.
	Cgroups []*CgroupSet

	// Warnings are the code generator's own, to be shown with the script's.
	Warnings plylang.ErrorList

	// Stoppable says that every program but those of END, and those that only note
	// when calls begin, looks at the word of StateMap that stops it first, and does
	// nothing unless it is 0.
	Stoppable bool

	// Timed says that a clause asks how long a call took, so that StateMap has the
	// word that counts calls whose beginning was lost.
	Timed bool

	// ReadsUser says that programs read memory of processes, which may fail, so that
	// StateMap has the word that counts this; see FaultWord.
	ReadsUser bool

	// UserAddresses says that keys, values or events hold addresses of processes, see
	// UserAddress.
	UserAddresses bool

	// Sampled says that programs look at one event in as many as a word of StateMap
	// says, and that what they add stands for all; see SampleWord.
	Sampled bool

	// Hash identifies what was compiled: objects with equal hashes count the
	// same things into maps of the same layout.
	Hash string

	// PinHash is Hash without the places in programs and libraries and the names of
	// probes: what has it may go on with the maps of another, and with its programs where these are attached.
	PinHash string
}

// Names of maps in Object.Spec that belong to no script map.
const (
	// StateMap is an mmapable array of one value of 8-byte counters: word 0
	// counts events the ring buffer refused, word 1+ID the updates that map ID
	// refused. Word len(Maps)+1 is 0 while the script runs. Its lower half is
	// the status plus 1 once exit() was called; whoever stops the script sets
	// Stopped in it. See Stoppable. LostBeginWord, SampleWord and FaultWord follow
	// where the script has use for them.
	StateMap = "ply_state"

	// RingMap is the ring buffer of print() and its kin. It exists only when
	// Events is not empty.
	RingMap = "ply_ring"

	// ClockMap is an mmapable array of one number: how many nanoseconds the
	// time of day is ahead of the monotonic clock. It exists only where the
	// script asks for the time of day. Whoever starts the script sets it.
	ClockMap = "ply_clock"

	// ClearMap is an mmapable array of one value: ClearWords words for each map
	// that is cleared. It exists only where there is one. See Generations.
	ClearMap = "ply_clears"

	// StackMap holds the stacks that keys and values refer to by id.
	StackMap = "ply_stacks"

	// UserStackMap is the same for stacks of processes, whose frames are Frames.
	UserStackMap = "ply_ustacks"
)

// LostBeginWord is the word of StateMap, in a script of so many maps, that counts
// the calls of which elapsed has lost the beginning, because the map of beginnings
// had no room or the kernel skipped the program that notes them.
func LostBeginWord(maps int) int { return 2 + maps }

// SampleWord is the word of StateMap, in a script of so many maps that is sampled, that
// says how many of the 32 bits of a random number must be 0: it is a power of two less 1, and
// one event in that power of two is looked at. Such a script does not ask for elapsed.
func SampleWord(maps int) int { return 2 + maps }

// FaultWord is the word of StateMap, in a script of so many maps, that counts readings of
// the memory of processes that failed, and gave zero or the empty string.
func FaultWord(maps int) int { return 3 + maps }

// Stopped is the bit of StateMap's word len(Maps)+1 that stops a script from outside.
// It is none of those that exit() sets, so that END can still call exit().
const Stopped = 1 << 32

// An AttachKind is how a program is attached.
type AttachKind string

// The attach kinds.
const (
	AttachTracepoint     AttachKind = "tracepoint"      // through perf
	AttachRawTracepoint  AttachKind = "raw_tracepoint"  //
	AttachKprobe         AttachKind = "kprobe"          // through perf, one by one
	AttachKretprobe      AttachKind = "kretprobe"       //
	AttachKprobeMulti    AttachKind = "kprobe_multi"    // one link for all sites
	AttachKretprobeMulti AttachKind = "kretprobe_multi" //
	AttachKprobeSession  AttachKind = "kprobe_session"  // one link for the beginning and the return of calls
	AttachFentry         AttachKind = "fentry"          // a program for each function
	AttachFexit          AttachKind = "fexit"           //
	AttachUprobe         AttachKind = "uprobe"          // through perf, one by one
	AttachUretprobe      AttachKind = "uretprobe"       //
	AttachUprobeMulti    AttachKind = "uprobe_multi"    // one link for all sites of a file
	AttachUretprobeMulti AttachKind = "uretprobe_multi" //
	AttachPerfEvent      AttachKind = "perf_event"      // a timer or counter on some CPUs
	AttachBegin          AttachKind = "begin"           // run once, before the others are attached
	AttachEnd            AttachKind = "end"             // run once, after the others are gone
)

// Result is what a program must return. At 0 the kernel drops the event for
// every other perf user of the attach point (trace_call_bpf), so programs
// attached through perf return 1. The others' result has no meaning, or only
// the 0 is allowed; at 1 a uprobe_multi link leaves the process that has called.
func (k AttachKind) Result() int32 {
	switch k {
	case AttachTracepoint, AttachKprobe, AttachKretprobe, AttachUprobe, AttachUretprobe, AttachPerfEvent:
		return 1
	}
	return 0
}

// A Program is one eBPF program and what it attaches to. All clauses of the
// script that run at these sites are in it, in source order.
type Program struct {
	Name   string // in Object.Spec.Programs
	Attach AttachKind
	Points []AttachPoint
	Specs  []*plylang.Spec // what it serves, without repetition
	Covers []int           // by Specs: how many probes of each it stands for, as the user counts them
	Why    string          // why this attach kind was chosen, for "run -v" and the status page

	// Asks says what it asks of the probe that fired, by AttachPoint.ID.
	Asks Asking

	// Exact says that the program does nothing but count into maps that add what
	// it misses (Map.MissedBy).
	Exact bool
}

// Asking is what a program asks of the probe that fired.
type Asking uint8

// What a program asks, in ascending order.
const (
	AsksNothing  Asking = iota
	AsksFunction        // the built-in func
	AsksProbe           // the built-in probe
)

// Seen is what a program that asks so much sees of the name of a probe.
func (a Asking) Seen(name string) string {
	switch a {
	case AsksNothing:
		return ""
	case AsksFunction:
		return FunctionOf(name)
	}
	return name
}

// FunctionOf is the function of a program in the name of a probe: "readline" of
// uprobe:/bin/bash:readline. A path has no colon, and a function may have several.
func FunctionOf(name string) string {
	if parts := strings.SplitN(name, ":", 3); len(parts) == 3 {
		return parts[2]
	}
	return name
}

// A Storage is how a map lives in the kernel.
type Storage uint8

// The storages. Cell is an mmapable array with one value, and Array one with
// values by key. What is InTasks lies beside the kernel's tasks, by which it is, and
// leaves with them: only programs read it. The others are hashes by key.
const (
	Cell       Storage = iota + 1
	Array              // a slot for each key there can be; see Slots
	PerCPUHash         // a value per CPU, reduced when it is read
	SharedHash         // one value, updated with atomic instructions
	LRUHash            // one value; the oldest keys make room
	InTasks            // one value; as many keys as there are tasks
)

// mapTypes are the kernel's maps by storage.
var mapTypes = map[Storage]ebpf.MapType{
	Cell:       ebpf.Array,
	Array:      ebpf.Array,
	PerCPUHash: ebpf.PerCPUHash,
	SharedHash: ebpf.Hash,
	LRUHash:    ebpf.LRUHash,
	InTasks:    ebpf.TaskStorage,
}

// MapType is the kernel's map of a storage.
func (s Storage) MapType() ebpf.MapType { return mapTypes[s] }

// A Map is a script's map as it is laid out in the kernel.
//
// A key is its components side by side, numbers at multiples of their size and other
// values at multiples of 8 bytes, padded to 8 bytes. What is between them depends on
// nothing but the components. The value of a hash is Size bytes; the value of a Cell
// is a mark of 8 bytes, followed by Size bytes; see Written. What the bytes are Values.Shape says. All numbers are of the
// machine's byte order (little endian on every architecture supported).
type Map struct {
	*plylang.Map
	ID       int    // index into Object.Maps
	SpecName string // in Object.Spec.Maps; maps that are InTasks share one
	Word     int    // of the task's record, of a map that is InTasks
	Values
	Storage    Storage
	Key        []KeyPart
	KeySize    int // 0 for a Cell
	Size       int // bytes of one value, without a Cell's mark
	MaxEntries int // keys the user asked for
	Room       int // keys there can be: more in an LRU map, where the kernel parks some
	Buckets    Buckets

	// Slots are where the values of an Array are; nil for all others.
	Slots *Slots

	// Overflow is where what belongs to keys beyond MaxEntries is added up; nil where it
	// is refused, or where there are none.
	Overflow *Overflow

	// MissedBy are programs, by their index in Object.Programs, of which the kernel
	// counts what it skips, and that would have counted each such event once: who
	// reads the map adds that, and the value is exact. A program that counts twice
	// is there twice.
	MissedBy []int

	// Copies is how many pairs of copies a Cell has of a value that is larger than
	// a word, so that it is never read torn; 0 for all others. See Map.Cell.
	Copies int

	// ClearID is the map's place among those that a clear() names, from 1 on; 0
	// where none does. See Generations.
	ClearID int

	// Expiry says how the map forgets keys that are not updated any more; nil where
	// it does not.
	Expiry *Expiry
}

// ProgramsOnly says that only programs can read the map.
func (m *Map) ProgramsOnly() bool { return m.Storage == InTasks }

// A KeyPart is one component of a key.
type KeyPart struct {
	Type   *plylang.Type
	Offset int
}

// Buckets is how a histogram divides the numbers, in ascending order and without
// a gap. The numbers may have a sign or 64 bits without one.
type Buckets interface {
	Len() int

	// Range returns the inclusive limits of bucket i: nil where there is none.
	Range(i int) (lo, hi *big.Int)
}

// An EventKind is what an event asks for.
type EventKind uint8

// The kinds of events.
const (
	EventPrint    EventKind = iota + 1 // print values
	EventPrintf                        // print formatted text
	EventPrintMap                      // print a map as it is now, or its generation
	EventClear                         // a map was cleared
	EventExit                          // end the run
)

// An Event is one print(), printf(), clear() or exit() of the script. Its
// record in the ring buffer is the event's index in Object.Events as 8 bytes,
// then the arguments, each padded to 8 bytes. That of EventPrintMap has the
// map's ClearState as it was then, where the map is cleared. EventClear only
// wakes the reader.
type Event struct {
	Kind   EventKind
	Format string // printf
	Args   []KeyPart
	Size   int  // of the whole record
	Map    *Map // EventPrintMap, EventClear
	Pos    plylang.Pos
}
