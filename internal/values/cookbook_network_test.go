package values

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

var networkRecipes = []recipe{
	{
		script: "connect_failures",
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			port := closedPort(t)
			return func() { knock(t, port, did) }, []comparison{
				{ours: ours("ply_connect_failures_total", "port", strconv.Itoa(port), "errno", "ECONNREFUSED"), source: "what connect and SO_ERROR say", theirs: did.of("refused"), least: times},
				{ours: ours("ply_connect_failures_total", "port", strconv.Itoa(port)), source: "what connect and SO_ERROR say", theirs: did.of("refused"), least: times},
			}
		},
	},
	{
		script: "closed_ports", here: tellsReasons,
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			port := closedPort(t)
			return func() { knock(t, port, did) }, []comparison{
				{ours: ours("ply_closed_ports_total", "port", strconv.Itoa(port)), source: "what was sent there", theirs: did.of("knocks"), least: times},
			}
		},
	},
	{
		script: "drops", here: tellsReasons,
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			port := closedPort(t)
			return func() { knock(t, port, did) }, []comparison{
				{ours: ours("ply_drops_total", "reason", "NO_SOCKET"), source: "what was sent to a closed port", theirs: did.of("knocks"), least: times},
			}
		},
	},
	{
		script: "udp_drops", here: tellsReasons,
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			port := closedPort(t)
			return func() { knock(t, port, did) }, []comparison{
				{ours: ours("ply_udp_drops_total", "reason", "NO_SOCKET"), source: "datagrams that were sent to a closed port", theirs: did.of("datagrams"), least: times},
			}
		},
	},
	{
		script: "tcp_connect",
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			closed, open := closedPort(t), listen(t, 2*times)
			t.Cleanup(func() { open.close(t) })
			port := open.port(t)
			connect := func() {
				knock(t, closed, did)
				for range times {
					client := newSocket(t, unix.SOCK_STREAM)
					did.timed(func() { must(t, client.connect(port)) })
					did["opened"]++
					defer client.abort(t)
				}
			}
			return connect, []comparison{
				{ours: ours("ply_tcp_connect_seconds_count", "port", strconv.Itoa(port)), source: "how often it was connected to", theirs: did.of("opened"), least: times},
				{ours: ours("ply_tcp_connect_seconds_count", "port", strconv.Itoa(closed)), source: "how often a closed port was opened", theirs: did.of("never"), slack: 0.5, least: -1},
				didTake(ours("ply_tcp_connect_seconds_sum", "port", strconv.Itoa(port)), did, 0.001),
			}
		},
	},
	{
		script: "connections",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			server := listen(t, 2*times)
			t.Cleanup(func() { server.close(t) })
			port := server.port(t)
			connect := func() {
				for i := range 2 * times {
					client := newSocket(t, unix.SOCK_STREAM)
					must(t, client.connect(port))
					if i%2 == 0 {
						client.abort(t)
						continue
					}
					t.Cleanup(func() { client.abort(t) })
				}
			}
			return connect, []comparison{
				{ours: ours("ply_connections_open", "port", strconv.Itoa(port)), source: "/proc/net/tcp", theirs: established(port), least: times},
			}
		},
	},
	{
		script: "retransmits",
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			full := listen(t, 0)
			t.Cleanup(func() { full.close(t) })
			again := netCounter("Tcp", "RetransSegs")
			return func() { crowd(t, full, again, 1) }, []comparison{
				{ours: ours("ply_retransmits_total", "port", strconv.Itoa(full.port(t))), source: "RetransSegs", theirs: again},
			}
		},
	},
	{
		script: "listen_overflow", here: need.HasKprobes,
		start: func(t *testing.T, _ ledger) (func(), []comparison) {
			full := listen(t, 0)
			t.Cleanup(func() { full.close(t) })
			overflows := netCounter("TcpExt", "ListenOverflows")
			return func() { crowd(t, full, overflows, 3) }, []comparison{
				{ours: ours("ply_listen_overflow_total", "port", strconv.Itoa(full.port(t))), source: "ListenOverflows", theirs: overflows, least: 3},
			}
		},
	},
	{
		script: "dns",
		start: func(t *testing.T, did ledger) (func(), []comparison) {
			return func() { askDNS(t, did) }, []comparison{{ours: ours("ply_dns_packets_total", "interface", "lo"), source: "what was sent to port 53", theirs: did.of("sent"), least: times}}
		},
	},
}

// tellsReasons says whether the kernel says why it drops packets.
func tellsReasons() bool {
	format, err := os.ReadFile("/sys/kernel/tracing/events/skb/kfree_skb/format")
	return err == nil && strings.Contains(string(format), " reason;")
}

// closedPort is a port that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	s := bound(t, unix.SOCK_STREAM)
	defer s.close(t)
	return s.port(t)
}

// knock connects to a closed port, waiting for the answer in connect and after it,
// and sends datagrams there.
func knock(t *testing.T, port int, did ledger) {
	t.Helper()
	for i := range times {
		s := newSocket(t, []int{unix.SOCK_STREAM, unix.SOCK_STREAM | unix.SOCK_NONBLOCK}[i%2])
		err := s.connect(port)
		if errors.Is(err, unix.EINPROGRESS) {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s), Events: unix.POLLOUT}}, -1)
			e, _ := unix.GetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_ERROR)
			err = unix.Errno(e)
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			did["refused"]++
			did["knocks"]++
		}
		s.close(t)
		s = newSocket(t, unix.SOCK_DGRAM)
		must(t, unix.Sendto(int(s), []byte("knock"), 0, &unix.SockaddrInet4{Port: port, Addr: loopback}))
		did["knocks"]++
		did["datagrams"]++
		s.close(t)
	}
}

// crowd connects to a port that has room for one until a source has grown by n.
func crowd(t *testing.T, full socket, source func(*testing.T) float64, n float64) {
	t.Helper()
	before := source(t)
	for range 5 {
		client := newSocket(t, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
		must(t, client.connect(full.port(t)))
		t.Cleanup(func() { client.close(t) })
	}
	waitFor(t, source, before, n)
}

// askDNS sends datagrams to port 53, and to another one.
func askDNS(t *testing.T, did ledger) {
	t.Helper()
	for _, port := range []string{"53", "53", "54"} {
		conn, err := net.Dial("udp", "127.0.0.1:"+port)
		must(t, err)
		for range times {
			if n, err := conn.Write([]byte("who is it?")); n > 0 && err == nil && port == "53" {
				did["sent"]++
			}
		}
		conn.Close()
	}
}
