package examples

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workloads are what a shell cannot do. Test files call them as "$WORKLOAD NAME
// ARGUMENT…", and the test binary then does nothing else.
var workloads = map[string]func(args []string) error{
	"tcp":      tcpConnections,
	"tcp_full": tcpConnectionsUnaccepted,
	"udp":      udpDatagrams,
	"udp_full": udpDatagramsUnread,
	"unix":     unixConnections,
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if work, ok := workloads[os.Args[1]]; ok {
			if err := work(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

// tcpConnections makes connections to a port of its own, one after the other, each of
// which waits a millisecond to be accepted and transfers a kilobyte: tcp PORT COUNT.
func tcpConnections(args []string) error {
	address, count, err := addressAndCount(args)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer l.Close()
	return connectOften(l, count)
}

// unixConnections does the same by a socket in the file system: unix PATH COUNT.
func unixConnections(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want PATH COUNT, got %q", args)
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	return connectOften(l, count)
}

func connectOften(l net.Listener, count int) error {
	for range count {
		client, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		server, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := client.Write(make([]byte, 1024)); err != nil {
			return err
		}
		client.Close()
		if n, err := io.Copy(io.Discard, server); err != nil || n != 1024 {
			return fmt.Errorf("%d bytes were transferred: %w", n, err)
		}
		server.Close()
	}
	return nil
}

// tcpConnectionsUnaccepted begins connections to a port that has room for one and
// accepts none, and waits half a second for each: tcp_full PORT COUNT.
func tcpConnectionsUnaccepted(args []string) error {
	address, count, err := addressAndCount(args)
	if err != nil {
		return err
	}
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 0); err != nil {
		return err
	}
	for range count {
		if client, err := net.DialTimeout("tcp", address, 500*time.Millisecond); err == nil {
			defer client.Close()
		}
	}
	return nil
}

// udpDatagrams sends datagrams of 100 bytes to a port of its own and reads
// each: udp PORT COUNT.
func udpDatagrams(args []string) error {
	return sendDatagrams(args, func(server *net.UDPConn) error {
		_, _, err := server.ReadFrom(make([]byte, 1024))
		return err
	})
}

// udpDatagramsUnread sends them to a port that has room for a few and reads
// none: udp_full PORT COUNT.
func udpDatagramsUnread(args []string) error {
	return sendDatagrams(args, func(*net.UDPConn) error { return nil })
}

func sendDatagrams(args []string, then func(server *net.UDPConn) error) error {
	address, count, err := addressAndCount(args)
	if err != nil {
		return err
	}
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	server, err := net.ListenUDP("udp", to)
	if err != nil {
		return err
	}
	defer server.Close()
	if err := server.SetReadBuffer(1); err != nil { // the least that there is
		return err
	}
	client, err := net.DialUDP("udp", nil, to)
	if err != nil {
		return err
	}
	defer client.Close()
	for range count {
		if _, err := client.Write(make([]byte, 100)); err != nil {
			return err
		}
		if err := then(server); err != nil {
			return err
		}
	}
	return nil
}

func addressAndCount(args []string) (address string, count int, err error) {
	if len(args) != 2 {
		return "", 0, fmt.Errorf("want PORT COUNT, got %q", args)
	}
	count, err = strconv.Atoi(args[1])
	return "127.0.0.1:" + args[0], count, err
}
