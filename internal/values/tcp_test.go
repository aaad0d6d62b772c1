package values

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// connections is how many connections the work of each test makes, of each kind.
const connections = 20

func TestTCPConnections(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "tcp.yaml"))
	did := ledger{}
	fails := netCounter("Tcp", "AttemptFails")
	compare(t, s, func() { connectAll(t, did) },
		comparison{ours: ours("ply_tcp_connect_latency_seconds_count"), source: "ActiveOpens less AttemptFails", theirs: difference(netCounter("Tcp", "ActiveOpens"), fails), least: connections},
		comparison{ours: ours("ply_tcp_connect_failures_total"), source: "AttemptFails", theirs: fails, least: connections},
		comparison{ours: ours("ply_tcp_connect_failures_total", "errno", "ECONNREFUSED"), source: "what connect returns", theirs: did.of("refused"), least: connections},
		comparison{ours: ours("ply_tcp_accepts_total"), source: "PassiveOpens", theirs: netCounter("Tcp", "PassiveOpens"), least: connections},
		comparison{ours: ours("ply_tcp_accept_wait_seconds_count"), source: "PassiveOpens", theirs: netCounter("Tcp", "PassiveOpens"), least: connections},
	)
}

// connectAll opens connections, and as many to a port where nobody listens.
func connectAll(t *testing.T, did ledger) {
	t.Helper()
	listening, nobody := listen(t, 10), bound(t, unix.SOCK_STREAM)
	defer listening.close(t)
	defer nobody.close(t)
	for range connections {
		client, server := connected(t, listening)
		client.close(t)
		server.close(t)
		refused := newSocket(t, unix.SOCK_STREAM)
		if refused.connect(nobody.port(t)) == unix.ECONNREFUSED {
			did["refused"]++
		}
		refused.close(t)
	}
}

func TestTCPResets(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "tcp.yaml"))
	list := []comparison{
		{ours: ours("ply_tcp_resets_sent_total"), source: "OutRsts", theirs: netCounter("Tcp", "OutRsts"), least: connections},
		{ours: ours("ply_tcp_resets_received_total"), source: "perf's count of tcp_receive_reset", theirs: perfTracepoint(t, "tcp/tcp_receive_reset"), least: connections},
	}
	compare(t, s, func() { breakOff(t) }, list...)
	if !hasField(t, "tcp/tcp_send_reset", "reason") {
		return // this kernel tells nothing of the resets that refuse a connection
	}
	did := ledger{}
	list = append(list, comparison{ours: ours("ply_tcp_resets_sent_total", "reason", "NO_SOCKET"), source: "what connect returns", theirs: did.of("refused"), least: connections})
	compare(t, s, func() { connectAll(t, did) }, list...)
}

// breakOff closes sockets that have received what nobody has read.
func breakOff(t *testing.T) {
	t.Helper()
	listening := listen(t, 10)
	defer listening.close(t)
	for range connections {
		client, server := connected(t, listening)
		client.write(t, "nobody reads this")
		server.close(t)
		client.close(t)
	}
}

func hasField(t *testing.T, tracepoint, field string) bool {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/tracing/events/" + tracepoint + "/format")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), " "+field+";")
}

func TestTCPRetransmits(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "tcp.yaml"))
	again, synacks := netCounter("Tcp", "RetransSegs"), perfTracepoint(t, "tcp/tcp_retransmit_synack")
	did := ledger{}
	compare(t, s, func() { loseData(t, again, did) },
		comparison{ours: ours("ply_tcp_retransmitted_total"), source: "RetransSegs", theirs: again, least: connections},
		comparison{ours: ours("ply_tcp_retransmitted_total", "state", "established"), source: "RetransSegs", theirs: again, least: connections},
		comparison{ours: ours("ply_tcp_retransmitted_total", "state", "established"), source: "retrans of each connection, as ss shows it", theirs: did.of("retrans"), least: connections},
	)
	compare(t, s, func() { loseAnswers(t, again, did) },
		comparison{ours: ours("ply_tcp_retransmitted_total", "state", "syn_sent"), source: "RetransSegs less those of the answers", theirs: difference(again, synacks), least: 1},
		comparison{ours: ours("ply_tcp_retransmitted_synacks_total"), source: "perf's count of tcp_retransmit_synack", theirs: synacks, least: 1},
		comparison{ours: ours("ply_tcp_connect_failures_total", "errno", "closed"), source: "sockets closed before an answer", theirs: did.of("closed"), least: connections},
	)
}

// loseData has the other end of connections lose what is sent to it, until all of
// it has been sent again, and receive it then.
func loseData(t *testing.T, again func(*testing.T) float64, did ledger) {
	t.Helper()
	listening := listen(t, 10)
	defer listening.close(t)
	before := again(t)
	var clients, servers []socket
	for range connections {
		client, server := connected(t, listening)
		server.dropAll(t)
		client.write(t, "lost")
		clients, servers = append(clients, client), append(servers, server)
	}
	waitFor(t, again, before, connections)
	for _, server := range servers {
		server.dropNothing(t)
	}
	for i, client := range clients {
		did["retrans"] += client.retransmitted(t)
		client.close(t)
		servers[i].close(t)
	}
}

// loseAnswers opens connections, loses the answers, and gives up.
func loseAnswers(t *testing.T, again func(*testing.T) float64, did ledger) {
	t.Helper()
	listening := listen(t, connections)
	before := again(t)
	for range connections {
		client := newSocket(t, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
		client.dropAll(t)
		must(t, client.connect(listening.port(t)))
		did["closed"]++
		defer client.close(t)
	}
	waitFor(t, again, before, 2*connections)
	listening.close(t)
}

// The queue of a listening socket that nobody accepts from overflows.
func TestTCPOverflows(t *testing.T) {
	need.EachKernel(t)
	need.Kprobes(t)
	s := serve(t, load(t, "tcp.yaml"))
	overflows := netCounter("TcpExt", "ListenOverflows")
	compare(t, s, func() { overflow(t, overflows) },
		comparison{ours: ours("ply_tcp_accept_overflows_total"), source: "ListenOverflows", theirs: overflows, least: connections},
	)
}

func overflow(t *testing.T, overflows func(*testing.T) float64) {
	t.Helper()
	listening := listen(t, 0)
	defer listening.close(t)
	before := overflows(t)
	for range connections + 1 { // the first finds room
		client := newSocket(t, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
		must(t, client.connect(listening.port(t)))
		defer client.close(t)
	}
	waitFor(t, overflows, before, connections)
}
