package values

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is one of the kernel's, without what Go's own do besides.
type socket int

// newSocket makes one of IPv4, closed when the test ends at the latest.
func newSocket(t *testing.T, kind int) socket {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return socket(fd)
}

var loopback = [4]byte{127, 0, 0, 1}

// bound is a socket at a free port of this machine.
func bound(t *testing.T, kind int) socket {
	t.Helper()
	s := newSocket(t, kind)
	must(t, unix.Bind(int(s), &unix.SockaddrInet4{Addr: loopback}))
	return s
}

// listen is a socket that others can connect to; backlog+1 may wait.
func listen(t *testing.T, backlog int) socket {
	t.Helper()
	s := bound(t, unix.SOCK_STREAM)
	must(t, unix.Listen(int(s), backlog))
	return s
}

func (s socket) port(t *testing.T) int {
	t.Helper()
	address, err := unix.Getsockname(int(s))
	must(t, err)
	return address.(*unix.SockaddrInet4).Port
}

// connect connects to a port of this machine and returns what the kernel says.
func (s socket) connect(port int) error {
	return unix.Connect(int(s), &unix.SockaddrInet4{Addr: loopback, Port: port})
}

// connected is both ends of a new connection to a listening socket.
func connected(t *testing.T, listening socket) (client, server socket) {
	t.Helper()
	client = newSocket(t, unix.SOCK_STREAM)
	must(t, client.connect(listening.port(t)))
	fd, _, err := unix.Accept4(int(listening), unix.SOCK_CLOEXEC)
	must(t, err)
	return client, socket(fd)
}

// dropAll has the socket drop all that it receives, as if it were lost on the way.
func (s socket) dropAll(t *testing.T) {
	t.Helper()
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	must(t, unix.SetsockoptSockFprog(int(s), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing[0]}))
}

// abort ends the connection at once: what the socket has dropped until now is not
// sent to it again.
func (s socket) abort(t *testing.T) {
	t.Helper()
	_ = unix.SetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) // it may have none
	must(t, unix.SetsockoptLinger(int(s), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	s.close(t)
}

func (s socket) dropNothing(t *testing.T) {
	t.Helper()
	must(t, unix.SetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0))
}

// retransmitted is how many segments the kernel has sent again for the socket, once
// the other end has all of them.
func (s socket) retransmitted(t *testing.T) float64 {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		info, err := unix.GetsockoptTCPInfo(int(s), unix.IPPROTO_TCP, unix.TCP_INFO)
		must(t, err)
		if info.Unacked == 0 {
			return float64(info.Total_retrans)
		}
	}
	t.Fatal("after a minute the other end does not have what was sent")
	return 0
}

func (s socket) close(t *testing.T) {
	t.Helper()
	must(t, unix.Close(int(s)))
}

func (s socket) write(t *testing.T, text string) {
	t.Helper()
	_, err := unix.Write(int(s), []byte(text))
	must(t, err)
}

// waitFor waits until a source has grown by n.
func waitFor(t *testing.T, source func(*testing.T) float64, from, n float64) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); source(t) < from+n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after half a minute there are %v, want %v more than %v", source(t), n, from)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
}
