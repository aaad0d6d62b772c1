package tracer

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// attachUprobe attaches to an instruction of a program, through perf.
func attachUprobe(p *ebpf.Program, f object.UserFunction, cookie uint64) (io.Closer, error) {
	return attachUser(p, f, kprobeEntry, cookie)
}

// attachUretprobe attaches to the return of a function, through perf.
func attachUretprobe(p *ebpf.Program, f object.UserFunction, cookie uint64) (io.Closer, error) {
	return attachUser(p, f, kprobeReturn, cookie)
}

func attachUser(p *ebpf.Program, f object.UserFunction, config, cookie uint64) (io.Closer, error) {
	event, err := openUser(f, config)
	if err != nil {
		return nil, err
	}
	return runOn(event, p, cookie)
}

func openUprobe(f object.UserFunction) (io.Closer, error)    { return openUser(f, kprobeEntry) }
func openUretprobe(f object.UserFunction) (io.Closer, error) { return openUser(f, kprobeReturn) }

// openUser opens a probe at an offset in a file. It fires on all CPUs.
func openUser(f object.UserFunction, config uint64) (fd, error) {
	if err := isThere(f); err != nil {
		return 0, err
	}
	kind, err := uprobeType()
	if err != nil {
		return 0, err
	}
	path, err := unix.BytePtrFromString(f.Path)
	if err != nil {
		return 0, fmt.Errorf("file %q: %w", f.Path, err)
	}
	defer runtime.KeepAlive(path)
	if f.Semaphore >= 1<<32 {
		return 0, fmt.Errorf("its semaphore is behind the first 4 GiB of %s, where a perf event cannot name it: needs kernel 6.6", f.Path)
	}
	attr := unix.PerfEventAttr{Type: kind, Config: config | f.Semaphore<<32, Ext1: uint64(uintptr(unsafe.Pointer(path))), Ext2: f.Offset}
	if f.PID != 0 {
		return openPerfEventOf(&attr, f.PID, -1)
	}
	return openPerfEvent(&attr, 0)
}

// uprobeType is the type of perf events that uprobes have on this machine.
var uprobeType = sync.OnceValues(func() (uint32, error) {
	raw, err := os.ReadFile("/sys/bus/event_source/devices/uprobe/type")
	if err != nil {
		return 0, err
	}
	kind, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 32)
	return uint32(kind), err
})

// attachUprobeMulti attaches to instructions of one file by one link.
func attachUprobeMulti(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
	file, o, err := userOptions(points)
	if err != nil {
		return nil, err
	}
	return file.UprobeMulti(nil, p, o)
}

// attachUretprobeMulti attaches to the returns of functions of one file by one link.
func attachUretprobeMulti(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
	file, o, err := userOptions(points)
	if err != nil {
		return nil, err
	}
	return file.UretprobeMulti(nil, p, o)
}

// userOptions names instructions of one file by their offsets.
func userOptions(points []object.AttachPoint) (*link.Executable, *link.UprobeMultiOptions, error) {
	first := known[object.UserFunction](points[0].Site)
	o := &link.UprobeMultiOptions{PID: uint32(first.PID)}
	for _, at := range points {
		f := known[object.UserFunction](at.Site)
		o.Addresses = append(o.Addresses, f.Offset)
		o.RefCtrOffsets = append(o.RefCtrOffsets, f.Semaphore)
		o.Cookies = append(o.Cookies, at.ID)
	}
	if err := isThere(first); err != nil {
		return nil, nil, err
	}
	file, err := link.OpenExecutable(first.Path)
	return file, o, err
}

// byFile divides instructions by their files: a link takes those of one.
func byFile(points []object.AttachPoint) (lists [][]object.AttachPoint) {
	index := map[string]int{}
	for _, at := range points {
		path := known[object.UserFunction](at.Site).Path
		i, ok := index[path]
		if !ok {
			i = len(lists)
			index[path], lists = i, append(lists, nil)
		}
		lists[i] = append(lists[i], at)
	}
	return lists
}
