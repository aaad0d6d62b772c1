package tracer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// attachKprobe attaches to a function, or to an instruction of one.
func attachKprobe(p *ebpf.Program, f object.Function, cookie uint64) (io.Closer, error) {
	return attachFunction(p, f, kprobeEntry, cookie)
}

// attachKretprobe attaches to a function's return, with room for as many callers
// as it asks for where tracefs can be written to and the function has a name.
func attachKretprobe(p *ebpf.Program, f object.Function, cookie uint64) (io.Closer, error) {
	if f.Callers == 0 {
		return attachFunction(p, f, kprobeReturn, cookie)
	}
	reason := "several functions have its name"
	if f.Addr == 0 {
		l, err := attachWithRoom(p, f, cookie)
		if err == nil {
			return l, nil
		}
		reason = "tracefs refuses it (" + lastError(err) + ")"
	}
	l, err := attachFunction(p, f, kprobeReturn, cookie)
	if err != nil {
		return nil, err
	}
	return withoutRoom{l, reason}, nil
}

// lastError is what the kernel said, without the name of a file.
func lastError(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

func attachFunction(p *ebpf.Program, f object.Function, config, cookie uint64) (io.Closer, error) {
	event, err := openFunction(f, config)
	if err != nil {
		return nil, err
	}
	return runOn(event, p, cookie)
}

func openKprobe(f object.Function) (io.Closer, error)    { return openFunction(f, kprobeEntry) }
func openKretprobe(f object.Function) (io.Closer, error) { return openFunction(f, kprobeReturn) }

// What bit 0 of the kprobe events' config says, in all kernels.
const (
	kprobeEntry  = 0
	kprobeReturn = 1
)

// openFunction opens a probe at a name, or at an address, which the library
// cannot. It also would answer a bad offset with its second attempt's error,
// that there is no system call of such a name.
func openFunction(f object.Function, config uint64) (fd, error) {
	kind, err := kprobeType()
	if err != nil {
		return 0, err
	}
	attr := unix.PerfEventAttr{Type: kind, Config: config, Ext2: f.Addr + f.Offset}
	if f.Addr == 0 {
		name, err := unix.BytePtrFromString(f.Symbol)
		if err != nil {
			return 0, fmt.Errorf("function %q: %w", f.Symbol, err)
		}
		attr.Ext1 = uint64(uintptr(unsafe.Pointer(name)))
		defer runtime.KeepAlive(name)
	}
	return openPerfEvent(&attr, 0)
}

// kprobeType is the type of perf events that kprobes have on this machine. It
// is read once: reading it runs functions of the kernel, which a script may
// have probed by the time that the next probe is attached.
var kprobeType = sync.OnceValues(func() (uint32, error) {
	raw, err := os.ReadFile("/sys/bus/event_source/devices/kprobe/type")
	if err != nil {
		return 0, err
	}
	kind, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 32)
	return uint32(kind), err
})
