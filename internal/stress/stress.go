// Package stress keeps a machine busy while something else is looked at.
package stress

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A stress is what a busy machine does: for each CPU a service and its client, which
// take turns over a TCP connection; one that writes to the disk; one that starts
// processes. The service makes a dozen system calls for each request.
type stress struct {
	folder string // on a disk
	over   atomic.Bool
	wait   sync.WaitGroup
	mu     sync.Mutex
	err    error // the first one
}

// Mixed runs f while all of that goes on.
func Mixed(f func() error) error {
	return under(func(s *stress) {
		for range runtime.NumCPU() {
			s.begin(s.service)
		}
		s.begin(s.writer)
		s.begin(s.starter)
	}, f)
}

// under runs f while there is the load that start begins.
func under(start func(*stress), f func() error) error {
	folder, err := os.MkdirTemp("/var/tmp", "ply-stress")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s := &stress{folder: folder}
	start(s)
	time.Sleep(200 * time.Millisecond) // until all are at it
	err = f()
	s.over.Store(true)
	s.wait.Wait()
	return errors.Join(err, s.err)
}

// begin runs f in a thread of its own until it returns.
func (s *stress) begin(f func() error) {
	s.wait.Go(func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := f(); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.err = errors.Join(s.err, err)
		}
	})
}

// service answers a client of its own, request by request.
func (s *stress) service() error {
	ours, theirs, err := connection()
	if err != nil {
		return err
	}
	defer unix.Close(ours)
	s.begin(func() error { return s.client(theirs) })
	request := make([]byte, 16)
	for {
		n, err := unix.Read(ours, request)
		if n == 0 || err != nil {
			return err
		}
		s.work()
		if _, err := unix.Write(ours, request); err != nil {
			return err
		}
	}
}

// client asks until the load is over.
func (s *stress) client(socket int) error {
	defer unix.Close(socket)
	request := make([]byte, 16)
	for !s.over.Load() {
		if _, err := unix.Write(socket, request); err != nil {
			return err
		}
		if _, err := unix.Read(socket, request); err != nil {
			return err
		}
	}
	return nil
}

// work is what the service does for a request.
func (s *stress) work() {
	var stat unix.Stat_t
	data := make([]byte, 512)
	_ = unix.Stat("/etc/passwd", &stat)
	if fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0); err == nil {
		_ = unix.Fstat(fd, &stat)
		_, _ = unix.Read(fd, data)
		_, _ = unix.Read(fd, data)
		_ = unix.Close(fd)
	}
	_, _ = unix.Open("/etc/not-there", unix.O_RDONLY, 0)
	_ = unix.Access("/etc/hosts", unix.R_OK)
	for range 4 {
		_ = unix.Getppid()
	}
}

// writer appends to a file and waits until the disk has it.
func (s *stress) writer() error {
	f, err := os.Create(filepath.Join(s.folder, "data"))
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 4096)
	for i := int64(0); !s.over.Load(); i++ {
		if _, err := f.WriteAt(block, i%1024*4096); err != nil {
			return err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// starter starts a process each 10 ms.
func (s *stress) starter() error {
	for !s.over.Load() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// connection makes a TCP connection over loopback, and returns both ends, which block.
func connection() (ours, theirs int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	if ours, err = descriptor(in); err != nil {
		return 0, 0, err
	}
	theirs, err = descriptor(out)
	return ours, theirs, err
}

func descriptor(c net.Conn) (int, error) {
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0) // Fd makes it block
}
