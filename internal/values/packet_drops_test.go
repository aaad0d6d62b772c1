package values

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

func TestPacketDrops(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "packet_drops.yaml"))
	full, filtered, nobody := bound(t, unix.SOCK_DGRAM), bound(t, unix.SOCK_DGRAM), bound(t, unix.SOCK_DGRAM)
	defer full.close(t)
	defer filtered.close(t)
	filtered.dropAll(t)
	empty := nobody.port(t)
	nobody.close(t)

	port := strconv.Itoa(full.port(t))
	noRoom, noPorts := netCounter("Udp", "RcvbufErrors"), netCounter("Udp", "NoPorts")
	compare(t, s, func() { send(t, full.port(t), 1000) },
		comparison{ours: ours("ply_packet_drops_udp_total"), source: "RcvbufErrors", theirs: noRoom, least: datagrams},
		comparison{ours: ours("ply_packet_drops_udp_total", "port", port), source: "RcvbufErrors", theirs: noRoom, least: datagrams},
		comparison{ours: ours("ply_packet_drops_udp_total", "port", port), source: "drops of the socket in /proc/net/udp", theirs: dropsOf(full.port(t)), least: datagrams},
		comparison{ours: ours("ply_packet_drops_total", "reason", why(t, "SOCKET_RCVBUFF")), source: "RcvbufErrors", theirs: noRoom, least: datagrams},
		comparison{ours: ours("ply_packet_drops_total"), source: "perf's count of kfree_skb", theirs: perfTracepoint(t, "skb/kfree_skb"), least: datagrams},
	)
	compare(t, s, func() { send(t, filtered.port(t), 10) },
		comparison{ours: ours("ply_packet_drops_total", "reason", why(t, "SOCKET_FILTER")), source: "InErrors", theirs: netCounter("Udp", "InErrors"), least: 10},
	)
	compare(t, s, func() { send(t, empty, 10) },
		comparison{ours: ours("ply_packet_drops_total", "reason", reasonOr(t, "NO_SOCKET", "__udp4_lib_rcv")), source: "NoPorts", theirs: noPorts, least: 10},
	)
}

// datagrams is how many do not find room, at least, when a thousand of a kilobyte
// are sent to a socket that nobody reads from.
const datagrams = 100

// send sends datagrams to a port of this machine.
func send(t *testing.T, port, n int) {
	t.Helper()
	s := newSocket(t, unix.SOCK_DGRAM)
	defer s.close(t)
	text := make([]byte, 1000)
	for range n {
		err := unix.Sendto(int(s), text, 0, &unix.SockaddrInet4{Addr: loopback, Port: port})
		if err != nil && err != unix.ECONNREFUSED {
			t.Fatal(err)
		}
	}
}

// why is a reason for which the kernel drops datagrams that a socket cannot take.
func why(t *testing.T, reason string) string {
	t.Helper()
	return reasonOr(t, reason, "udp_queue_rcv_one_skb")
}

// reasonOr is a reason, or the function that drops the packet in kernels that have
// no reasons.
func reasonOr(t *testing.T, reason, function string) string {
	t.Helper()
	if hasField(t, "skb/kfree_skb", "reason") {
		return reason
	}
	return function
}

// dropsOf is a source: what the kernel shows for the UDP socket of a port.
func dropsOf(port int) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		return socketField(t, "/proc/net/udp", port, 12)
	}
}
