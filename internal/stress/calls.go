package stress

import (
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls runs f while each CPU makes system calls one after the other, those of a
// busy server that never waits: it asks what is ready, reads and writes sockets and
// pipes, and one call in six is on a file. None of them switches tasks.
func Calls(f func() error) error {
	return under(func(s *stress) {
		for range runtime.NumCPU() {
			s.begin(s.caller)
		}
	}, f)
}

// A caller has what its calls are made with.
type caller struct {
	epoll, file    int
	near, far      int // ends of a socket
	reader, writer int // ends of a pipe
	path           string
	data           []byte
	ready          []unix.EpollEvent
	word           uint32 // that nobody waits for
}

// caller makes system calls until the load is over.
func (s *stress) caller() error {
	c, err := newCaller(s.folder)
	if err != nil {
		return err
	}
	defer c.close()
	for !s.over.Load() {
		if err := c.round(); err != nil {
			return err
		}
	}
	return nil
}

func newCaller(folder string) (c *caller, err error) {
	c = &caller{data: make([]byte, 128), ready: make([]unix.EpollEvent, 8)}
	f, err := os.CreateTemp(folder, "calls")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c.path = filepath.Join(folder, filepath.Base(f.Name()))
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		return nil, err
	}
	if c.file, err = unix.Open(c.path, unix.O_RDWR, 0); err != nil {
		return nil, err
	}
	socket, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	c.near, c.far = socket[0], socket[1]
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], 0); err != nil {
		return nil, err
	}
	c.reader, c.writer = pipe[0], pipe[1]
	if c.epoll, err = unix.EpollCreate1(0); err != nil {
		return nil, err
	}
	return c, unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, c.far, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.far)})
}

// round makes 31 calls: five are on a file, and one fails.
func (c *caller) round() error {
	for range 4 {
		if _, err := unix.Write(c.near, c.data); err != nil {
			return err
		}
		if _, err := unix.EpollWait(c.epoll, c.ready, 0); err != nil && err != unix.EINTR {
			return err
		}
		if _, err := unix.Read(c.far, c.data); err != nil {
			return err
		}
	}
	for range 3 {
		if _, err := unix.Write(c.writer, c.data); err != nil {
			return err
		}
		if _, err := unix.Read(c.reader, c.data); err != nil {
			return err
		}
		c.wake()
	}
	for range 4 {
		_ = unix.Getppid()
	}
	if _, err := unix.Pread(c.file, c.data, 0); err != nil {
		return err
	}
	if _, err := unix.Pwrite(c.file, c.data, 0); err != nil {
		return err
	}
	var stat unix.Stat_t
	if fd, err := unix.Open(c.path, unix.O_RDONLY, 0); err == nil {
		_ = unix.Fstat(fd, &stat)
		_ = unix.Close(fd)
	}
	_ = unix.Access("/etc/not-there", unix.R_OK)
	return nil
}

// wake wakes whoever waits for the word.
func (c *caller) wake() {
	const wake = 1
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&c.word)), wake, 1, 0, 0, 0)
}

func (c *caller) close() {
	for _, fd := range []int{c.epoll, c.file, c.near, c.far, c.reader, c.writer} {
		_ = unix.Close(fd)
	}
}
