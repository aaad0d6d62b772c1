package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Watchpoints
//
// watchpoint:jiffies_64:8:w fires each time that these 8 bytes are written to, by a debug
// register of each CPU, of which x86 has four. They do not know processes: an address of
// user space is watched in all of them. On other architectures the instruction has not
// run yet when the processor tells of it: a kernel that does not step over it for a program
// would come back to it for ever.

const perfTypeBreakpoint = 5 // PERF_TYPE_BREAKPOINT

// accesses are what memory is watched for, in perf's numbers. x86 does not tell reads
// alone.
var accesses = map[string]uint32{"w": 2, "rw": 3, "wr": 3}

var watchpointProvider = newProvider("watchpoint")

func init() { watchpointProvider.scopes = watchpointScopes }

func watchpointScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	w, err := parseWatchpoint(spec.Target)
	if err != nil {
		return nil, err
	}
	if arch := r.kernel.Arch().Name; arch != "amd64" {
		return nil, missingf("memory can be watched on amd64 only, and this is %s", arch)
	}
	if err := w.locate(r.kernel); err != nil {
		return nil, err
	}
	cpus, err := r.kernel.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	event := object.PerfEvent{
		Name: fmt.Sprintf("%s:%d:%s", w.place, w.length, w.access), Type: perfTypeBreakpoint, Period: 1, CPUs: cpus,
		Address: w.address, Length: w.length, Access: accesses[w.access],
	}
	why := "a debug register of " + plural(len(cpus), "CPU")
	if w.address < 1<<63 {
		why += ", in all processes"
	}
	return timerScope(watchpointProvider, spec, uses, event, why), nil
}

// A watched is memory to watch.
type watched struct {
	place   string // as it was written: symbol, symbol+offset, or a number
	symbol  string
	offset  uint64
	address uint64
	length  uint64
	access  string
}

// parseWatchpoint parses address:length:access.
func parseWatchpoint(target string) (watched, error) {
	parts := strings.Split(target, ":")
	if len(parts) < 3 {
		return watched{}, fmt.Errorf("watchpoint %q is not complete: write watchpoint:address:length:access, such as %s", target, watchpointProvider.Example)
	}
	last := len(parts) - 1
	w := watched{place: strings.Join(parts[:last-1], ":"), access: parts[last]}
	switch _, ok := accesses[w.access]; {
	case w.access == "x":
		return w, errors.New("instructions are not watched as memory is: write kprobe:function or uprobe:path:function")
	case w.access == "r":
		return w, errors.New("the processor does not tell reads from writes: write rw")
	case !ok:
		return w, fmt.Errorf("%q is no access to memory: write w or rw", w.access)
	}
	n, err := strconv.ParseUint(parts[last-1], 10, 8)
	if err != nil || n != 1 && n != 2 && n != 4 && n != 8 {
		return w, fmt.Errorf("%q is no length of memory that can be watched: write 1, 2, 4 or 8", parts[last-1])
	}
	w.length = n
	symbol, offset, _ := strings.Cut(w.place, "+")
	if w.symbol = symbol; symbol == "" {
		return w, errors.New("the address is missing: write watchpoint:jiffies_64:8:w")
	}
	if offset != "" {
		if w.offset, err = strconv.ParseUint(offset, 0, 32); err != nil {
			return w, fmt.Errorf("%q is no offset: write %s+8", offset, symbol)
		}
	}
	return w, nil
}

// locate finds the address.
func (w *watched) locate(k *kernel.Kernel) error {
	address, err := strconv.ParseUint(w.symbol, 0, 64)
	if err != nil {
		if address, err = k.Address(w.symbol); err != nil {
			return err
		}
	}
	w.address = address + w.offset
	switch {
	case w.address < address, int64(w.address)<<7>>7 != int64(w.address): // it has 57 bits and their sign
		return fmt.Errorf("no memory can be at %s: an address has 57 bits at most", w.place)
	case w.address < 4096:
		return fmt.Errorf("nothing is at address %s", w.place)
	case w.address%w.length != 0:
		return fmt.Errorf("%s is not at a multiple of %d bytes, which the processor wants: watch fewer bytes, or begin elsewhere", w.place, w.length)
	}
	return nil
}
