package object

import (
	"fmt"
	"io/fs"
)

// A Site is where the kernel runs a program: a small type for the sites of each
// kind, Tracepoint, RawTracepoint, Function, UserFunction, PerfEvent or Once. How a program is
// attached to it is the program's AttachKind.
type Site interface {
	// Key is equal for equal sites of an attach kind.
	Key() string

	// String names the site in messages.
	String() string
}

// An AttachPoint is a site that a program attaches to, and what the script's
// specifications say of it.
type AttachPoint struct {
	Site
	ID     uint64 // index into Object.Probes; the attach cookie where the kernel has cookies
	Covers int    // how many probes the user named it stands for (system calls through one tracepoint); 0 means 1
	Glob   bool   // came from a glob: that it cannot be attached is a warning, not an error
}

// A Tracepoint is a tracepoint with a record, such as sched/sched_switch.
type Tracepoint struct{ Category, Event string }

// Key is category/event.
func (t Tracepoint) Key() string { return t.String() }

func (t Tracepoint) String() string { return t.Category + "/" + t.Event }

// A RawTracepoint is a tracepoint without a record.
type RawTracepoint struct{ Event string }

// Key is the event.
func (t RawTracepoint) Key() string { return t.Event }

func (t RawTracepoint) String() string { return t.Event }

// A Function is a function of the kernel, or an instruction of one.
type Function struct {
	Symbol string // "" where only the address is known
	Offset uint64 // bytes into the function
	Addr   uint64 // of the function; 0 unless the symbol is missing or not unique
	Module string // that it is in; "" the kernel itself, or it is not known

	// Callers is how many callers of the function at a time the kernel should keep
	// track of to notice their returns; 0 leaves it to the kernel.
	Callers int
}

// Key spells out all fields but the module.
func (f Function) Key() string {
	key := fmt.Sprintf("%s+%d@%x", f.Symbol, f.Offset, f.Addr)
	if f.Callers != 0 {
		key += fmt.Sprintf(" %d callers", f.Callers)
	}
	return key
}

func (f Function) String() string {
	switch {
	case f.Symbol == "":
		return fmt.Sprintf("%#x", f.Addr)
	case f.Addr != 0:
		return fmt.Sprintf("%s at %#x", f.Symbol, f.Addr+f.Offset)
	case f.Offset != 0:
		return fmt.Sprintf("%s+%d", f.Symbol, f.Offset)
	}
	return f.Symbol
}

// A UserFunction is a function of a program or a library, or an instruction of one.
type UserFunction struct {
	Path   string // of the file
	Offset uint64 // of the instruction, in the file
	Symbol string // how scripts name it in the file
	PID    int    // of the only process whose calls count; 0: those of all

	// File tells the file from another one that gets its path: an offset is that of an
	// instruction in this one only.
	File FileID

	// Semaphore is the offset of a number of 16 bits in the file that the kernel adds 1 to
	// in each process while it is attached; 0: there is none.
	Semaphore uint64
}

// A FileID tells a file from all others that there are.
type FileID struct{ Device, Inode uint64 }

// A File is a file that a script means by a name, as it was when somebody looked. It
// differs if the file is another one, or what is in it. Without a path there is none.
type File struct {
	Name, Path string
	ID         FileID
	Size       int64
	Mode       fs.FileMode
	Changed    int64 // nanoseconds since 1970
}

// Same says whether nothing has changed, whichever path leads to the file.
func (f File) Same(g File) bool {
	there := (f.Path == "") == (g.Path == "")
	f.Path, g.Path = "", ""
	return there && f == g
}

// Key spells out where it is, and whose.
func (f UserFunction) Key() string {
	key := fmt.Sprintf("%s@%#x", f.Path, f.Offset)
	if f.PID != 0 {
		key += fmt.Sprintf(" of process %d", f.PID)
	}
	return key
}

func (f UserFunction) String() string { return f.Path + ":" + f.Symbol }

// A PerfEvent is a perf_event_open(2) event, a timer or a counter.
type PerfEvent struct {
	Name   string // what follows the provider: "99hz"
	Type   uint32
	Config uint64
	Period uint64 // events or nanoseconds between two samples; 0: use Freq
	Freq   uint64 // samples per second
	CPUs   []int  // on which CPUs

	// Address, Length and Access are the memory that is watched, and what for, in the
	// numbers of perf; zero where something else is counted.
	Address, Length uint64
	Access          uint32

	// Anywhere says that it is to be on one CPU, whichever, and Only that it is to be on
	// that of CPUs; others are on all that run.
	Anywhere, Only bool
}

// Key spells out the fields that say when and where the event is.
func (e PerfEvent) Key() string {
	key := fmt.Sprintf("%s %d %#x %d %d %v", e.Name, e.Type, e.Config, e.Period, e.Freq, e.CPUs)
	if e.Access != 0 {
		key += fmt.Sprintf(" %#x %d %d", e.Address, e.Length, e.Access)
	}
	return key
}

func (e PerfEvent) String() string { return e.Name }

// Once is no site in the kernel: the program is run once, by ourselves.
type Once struct{ Name string } // BEGIN or END

// Key is the name.
func (o Once) Key() string { return o.Name }

func (o Once) String() string { return o.Name }
