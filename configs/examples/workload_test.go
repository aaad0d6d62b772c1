package examples

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workloads are what a shell cannot do. Test files call them as "$WORKLOAD NAME
// PORT COUNT", where the port may be another number, and the test binary then does
// nothing else. They use the calls of the
// kernel directly, because package net does not block in connect and accept.
var workloads = map[string]func(port, count int) error{
	// Connections, one after the other, each of which waits a millisecond to be
	// accepted and transfers a kilobyte.
	"tcp": func(port, count int) error { return connections(ipv4(port), count) },
	// The same at the sockets of the file system that are named in place of the port.
	"docker": func(_, count int) error { return connections(&unix.SockaddrUnix{Name: "/run/docker.sock"}, count) },
	"mysqld": func(_, count int) error {
		return connections(&unix.SockaddrUnix{Name: "/run/mysqld/mysqld.sock"}, count)
	},
	// Connections to a port that has room for one and accepts none, for long enough
	// that they are tried again.
	"tcp_full":  func(port, count int) error { return unaccepted(ipv4(port), count) },
	"tcp_full6": func(port, count int) error { return unaccepted(ipv6(port), count) },
	// A connection with the smallest buffers, over which kilobytes are sent.
	"tcp_small": smallWindow,
	// Datagrams of 100 bytes that are read, that nobody reads, and to a port that
	// nobody has.
	"udp":         func(port, count int) error { return datagrams(port, count, true) },
	"udp_full":    func(port, count int) error { return datagrams(port, count, false) },
	"udp_refused": refused,
	// A kilobyte over a connection and as a datagram, while time stamps are asked for.
	"timestamps": timestamps,
	// More servers on a port that has one.
	"twice": boundTwice,
	// Of workload_bpftrace_test.go.
	"disk":           writeDisk,
	"setuid":         becomeAnother,
	"tcp_keepalive":  keepAlive,
	"tcp_unanswered": unanswered,
	"unix_stream":    unixStream,
}

func TestMain(m *testing.M) {
	if len(os.Args) == 4 {
		if work, ok := workloads[os.Args[1]]; ok {
			if err := run(work, os.Args[2], os.Args[3]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

func run(work func(port, count int) error, port, count string) error {
	p, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	return work(p, n)
}

func ipv4(port int) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

func ipv6(port int) unix.Sockaddr {
	return &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
}

// socket makes a socket for an address, of SOCK_STREAM or another kind.
func socket(to unix.Sockaddr, kind int) (int, error) {
	family := unix.AF_UNIX
	switch to.(type) {
	case *unix.SockaddrInet4:
		family = unix.AF_INET
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	}
	return unix.Socket(family, kind, 0)
}

// listen makes a server; a backlog below 0 is for datagrams.
func listen(at unix.Sockaddr, kind, backlog int) (fd int, err error) {
	if fd, err = socket(at, kind); err != nil {
		return fd, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fd, err
	}
	if file, ok := at.(*unix.SockaddrUnix); ok {
		_ = unix.Unlink(file.Name)
	}
	if err := unix.Bind(fd, at); err != nil || backlog < 0 {
		return fd, err
	}
	return fd, unix.Listen(fd, backlog)
}

// connect makes a client.
func connect(to unix.Sockaddr, kind int) (fd int, err error) {
	if fd, err = socket(to, kind); err != nil {
		return fd, err
	}
	return fd, unix.Connect(fd, to)
}

func connections(at unix.Sockaddr, count int) error {
	server, err := listen(at, unix.SOCK_STREAM, 128)
	if err != nil {
		return err
	}
	for range count {
		client, err := connect(at, unix.SOCK_STREAM)
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		if err := transfer(client, server); err != nil {
			return err
		}
	}
	return nil
}

// transfer accepts a connection, sends a kilobyte over it and closes it.
func transfer(client, server int) error {
	fd, _, err := unix.Accept4(server, 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(client, make([]byte, 1024)); err != nil {
		return err
	}
	if n, err := unix.Read(fd, make([]byte, 2048)); n != 1024 {
		return fmt.Errorf("%d bytes were read: %w", n, err)
	}
	return errors.Join(unix.Close(fd), unix.Close(client))
}

func unaccepted(at unix.Sockaddr, count int) error {
	if _, err := listen(at, unix.SOCK_STREAM, 0); err != nil {
		return err
	}
	for range count {
		client, err := socket(at, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
		if err != nil {
			return err
		}
		if err := unix.Connect(client, at); !errors.Is(err, unix.EINPROGRESS) {
			return fmt.Errorf("connect: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(1500 * time.Millisecond) // the first time it is tried again after a second
	return nil
}

func smallWindow(port, count int) error {
	at := ipv4(port)
	server, err := socket(at, unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096), unix.Bind(server, at), unix.Listen(server, 1)); err != nil {
		return err
	}
	client, err := connect(at, unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	accepted, _, err := unix.Accept(server)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	for range count {
		for range 2 { // the kernel does not ask for memory where nothing waits to be read
			if _, err := unix.Write(client, make([]byte, 1024)); err != nil {
				return err
			}
		}
		for got := 0; got < 2048; {
			n, err := unix.Read(accepted, make([]byte, 2048))
			if err != nil {
				return err
			}
			got += n
		}
	}
	return nil
}

func datagrams(port, count int, read bool) error {
	at := ipv4(port)
	server, err := listen(at, unix.SOCK_DGRAM, -1)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil { // the least that there is
		return err
	}
	client, err := connect(at, unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	for range count {
		if _, err := unix.Write(client, make([]byte, 100)); err != nil {
			return err
		}
		if !read {
			continue
		}
		if _, err := unix.Read(server, make([]byte, 100)); err != nil {
			return err
		}
	}
	return nil
}

func refused(port, count int) error {
	client, err := socket(ipv4(port), unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	for range count {
		if err := unix.Sendto(client, make([]byte, 100), 0, ipv4(port)); err != nil {
			return err
		}
	}
	return nil
}

func timestamps(port, count int) error {
	at := ipv4(port)
	datagrams, err := listen(at, unix.SOCK_DGRAM, -1)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(datagrams, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return err
	}
	time.Sleep(100 * time.Millisecond) // the kernel begins to take them a moment later
	sender, err := connect(at, unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	for range count {
		if _, err := unix.Write(sender, make([]byte, 1024)); err != nil {
			return err
		}
		if _, err := unix.Read(datagrams, make([]byte, 1024)); err != nil {
			return err
		}
	}
	return connections(at, count)
}

func boundTwice(port, count int) error {
	if _, err := listen(ipv4(port), unix.SOCK_STREAM, 1); err != nil {
		return err
	}
	for range count {
		if _, err := listen(ipv4(port), unix.SOCK_STREAM, 1); !errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("a second server on a port: %w", err)
		}
	}
	return nil
}
