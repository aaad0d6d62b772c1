package examples

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// becomeAnother becomes another user for good, who then asks count times to be root
// again, and to access files as root.
func becomeAnother(uid, count int) error {
	runtime.LockOSThread() // users are of threads
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
		return e
	}
	for range count {
		if _, _, e := unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0); e != unix.EPERM {
			return errors.New("root again")
		}
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0) // returns the user before
	}
	return nil
}

// keepAlive lets a connection be quiet for so many seconds that the kernel asks once a
// second whether the other side is there, with a segment that is older than what the
// other side has acknowledged.
func keepAlive(port, seconds int) error {
	server, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	defer server.Close()
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 9}}
	client, err := dialer.DialContext(context.Background(), "tcp", server.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	time.Sleep(time.Duration(seconds)*time.Second + 500*time.Millisecond)
	return nil
}

// unanswered begins connections, all at once, to a port that has room for one and
// accepts none, and waits until the kernel has tried again, which it does after a
// second.
func unanswered(port, count int) error {
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(server)
	at := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(server, at), unix.Listen(server, 0)); err != nil {
		return err
	}
	for range count {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer unix.Close(client)
		_ = unix.Connect(client, at) // in progress
	}
	time.Sleep(1500 * time.Millisecond)
	return nil
}

// unixStream sends count times so many bytes through a socket.
func unixStream(bytes, count int) error {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	from, to := os.NewFile(uintptr(ends[0]), "from"), os.NewFile(uintptr(ends[1]), "to")
	defer from.Close()
	defer to.Close()
	for range count {
		if _, err := from.Write(make([]byte, bytes)); err != nil {
			return err
		}
		if _, err := io.ReadFull(to, make([]byte, bytes)); err != nil {
			return err
		}
	}
	return nil
}

// writeDisk makes a disk in memory and writes so many blocks of 4 KiB to it, through
// the page cache, until they are there.
func writeDisk(_, blocks int) error {
	disk, err := newDisk(int64(blocks) * 4096)
	if err != nil {
		return err
	}
	defer disk.Close()
	defer func() { _ = unix.IoctlSetInt(int(disk.Fd()), unix.LOOP_CLR_FD, 0) }()
	for range blocks {
		if _, err := disk.Write(make([]byte, 4096)); err != nil {
			return err
		}
	}
	if err := disk.Sync(); err != nil {
		return err
	}
	if _, err := disk.WriteAt(make([]byte, 4096), 0); err != nil {
		return err
	}
	unix.Sync() // which has the first block written back
	return nil
}

func newDisk(size int64) (*os.File, error) {
	memory, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(memory)
	if err := unix.Ftruncate(memory, size); err != nil {
		return nil, err
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return nil, err
	}
	disk, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return disk, unix.IoctlSetInt(int(disk.Fd()), unix.LOOP_SET_FD, memory)
}
