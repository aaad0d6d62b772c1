package tracer

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"sync"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
)

// Only a probe that is made through tracefs says how many callers of a function
// the kernel is to keep track of. It is a tracepoint then. Such probes outlive a
// process that is killed. They do nothing then but take memory, and nobody else
// would remove them.

// eventGroup begins the names of our groups of events in tracefs.
const eventGroup = "ply_"

// ourEvent matches a line of kprobe_events that is ours:
//
//	r1000:ply_0123456789abcdef/return do_nanosleep
var ourEvent = regexp.MustCompile(`^r\d*:(` + eventGroup + `[0-9a-f]{16}/\S+) `)

// A returnEvent is a probe of ours in tracefs.
type returnEvent struct {
	file string // kprobe_events
	object.Tracepoint
}

// Close removes the probe.
func (e returnEvent) Close() error { return tellTracefs(e.file, "-:"+e.Category+"/"+e.Event) }

// attachWithRoom attaches to the return of a function by a probe in tracefs. A
// process that starts at this time may take the probe for one that was left
// behind, and remove it before it is in use: then another one is made.
func attachWithRoom(p *ebpf.Program, f object.Function, cookie uint64) (l io.Closer, err error) {
	const times = 3
	removeLeftEvents()
	for range times {
		if l, err = attachReturnEvent(p, f, cookie); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return l, err
}

func attachReturnEvent(p *ebpf.Program, f object.Function, cookie uint64) (io.Closer, error) {
	e, err := makeReturnEvent(f)
	if err != nil {
		return nil, err
	}
	l, err := attachTracepoint(p, e.Tracepoint, cookie)
	if err != nil {
		e.Close()
		return nil, err
	}
	return closers{e, l}, nil
}

func makeReturnEvent(f object.Function) (e returnEvent, err error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return e, err
	}
	e.Tracepoint = object.Tracepoint{Category: fmt.Sprintf("%s%x", eventGroup, id), Event: "return"}
	err = fs.ErrNotExist
	for _, folder := range tracefs {
		e.file = folder + "/kprobe_events"
		failed := tellTracefs(e.file, fmt.Sprintf("r%d:%s/%s %s", f.Callers, e.Category, e.Event, f.Symbol))
		if failed == nil {
			return e, nil
		}
		if errors.Is(err, fs.ErrNotExist) { // a folder that is not there does not say why
			err = failed
		}
	}
	return e, err
}

// withoutRoom is a link that has no room for as many callers as was asked for.
type withoutRoom struct {
	io.Closer
	reason string
}

// noRoom says why a link of p has no room; "" all have what was asked for.
func (p *program) noRoom() string {
	for _, l := range p.links {
		if l, ok := l.(withoutRoom); ok {
			return "but not here, because " + l.reason + ": the returns of more than a few callers at a time are missed"
		}
	}
	return ""
}

// removeLeftEvents removes the probes that processes have left behind, once. The
// kernel refuses to remove one that is in use.
var removeLeftEvents = sync.OnceFunc(func() {
	for _, folder := range tracefs {
		if left, err := ourEvents(folder + "/kprobe_events"); err == nil {
			removeEvents(folder+"/kprobe_events", left)
			return
		}
	}
})

// ourEvents lists the probes of all processes like this one.
func ourEvents(name string) (found []string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if match := ourEvent.FindStringSubmatch(lines.Text()); match != nil {
			found = append(found, match[1])
		}
	}
	return found, lines.Err()
}

func removeEvents(name string, events []string) {
	for _, event := range events {
		_ = tellTracefs(name, "-:"+event)
	}
}

// tellTracefs adds a line to a file of tracefs: the kernel carries it out.
func tellTracefs(name, line string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(line + "\n")
	return err
}
