package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// attachPerfEvent attaches to a timer or counter on each of its CPUs.
func attachPerfEvent(p *ebpf.Program, e object.PerfEvent, cookie uint64) (io.Closer, error) {
	return onEachCPU(e, func(event fd) (io.Closer, error) {
		c, err := runOn(event, p, cookie)
		if err != nil {
			return nil, err
		}
		if err := unix.IoctlSetInt(int(event), unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
			c.Close()
			return nil, os.NewSyscallError("enable perf event", err)
		}
		return c, nil
	})
}

func openPerfEvents(e object.PerfEvent) (io.Closer, error) {
	return onEachCPU(e, func(event fd) (io.Closer, error) { return event, nil })
}

// closers are closed as one.
type closers []io.Closer

// Close closes all, in reverse order.
func (c closers) Close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i].Close())
	}
	return errors.Join(errs...)
}

// fd is a file descriptor that needs nothing but closing.
type fd int

// Close closes the descriptor.
func (f fd) Close() error { return os.NewSyscallError("close", unix.Close(int(f))) }

// openPerfEvent opens an event on one CPU, for all processes. It does not run yet.
func openPerfEvent(attr *unix.PerfEventAttr, cpu int) (fd, error) {
	return openPerfEventOf(attr, -1, cpu)
}

// openPerfEventOf opens an event of one process, on whichever CPU it runs.
func openPerfEventOf(attr *unix.PerfEventAttr, pid, cpu int) (fd, error) {
	attr.Read_format = unix.PERF_FORMAT_TOTAL_TIME_ENABLED
	attr.Size, attr.Bits = unix.PERF_ATTR_SIZE_VER1, attr.Bits|unix.PerfBitDisabled
	event, err := unix.PerfEventOpen(attr, pid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	return fd(event), os.NewSyscallError("perf_event_open", err)
}

// runOn gives an event the program: by a link, which counts what a kprobe misses,
// or without a cookie in the way that all kernels have. The event is closed with
// what it returns, and when it fails. An event that samples nothing only holds the
// program, which runs at a tracepoint or a kprobe on every CPU: it is never
// enabled, because the kernel would count it after each run as well.
func runOn(event fd, p *ebpf.Program, cookie uint64) (io.Closer, error) {
	c := closers{event}
	l, err := linkPerfEvent(int(event), p.FD(), cookie)
	switch {
	case err == nil:
		c = append(c, l)
	case cookie == 0 && errors.Is(err, ebpf.ErrNotSupported):
		err = unix.IoctlSetInt(int(event), unix.PERF_EVENT_IOC_SET_BPF, p.FD())
	}
	if err != nil {
		c.Close()
		return nil, os.NewSyscallError("attach to perf event", err)
	}
	return c, nil
}

// linkPerfEvent attaches a program by a link, from kernel 5.15 on. The library
// offers this for events only that it opens itself.
func linkPerfEvent(event, prog int, cookie uint64) (link.Link, error) {
	attr := struct {
		prog, target, attachType, flags uint32
		cookie                          uint64
	}{uint32(prog), uint32(event), uint32(ebpf.AttachPerfEvent), 0, cookie}
	l, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno == unix.EINVAL {
		return nil, fmt.Errorf("link to a perf event: %w", ebpf.ErrNotSupported)
	}
	if errno != 0 {
		return nil, errno
	}
	return link.NewFromFD(int(l))
}
