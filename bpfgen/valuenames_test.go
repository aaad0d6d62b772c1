package bpfgen_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// refusedConnection asks a port for a connection that nobody listens at, and returns
// the port.
func refusedConnection(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != unix.ECONNREFUSED {
		t.Errorf("connecting to a closed port: %v", err)
	}
	return port
}

// touchMemory makes the kernel give pages.
func touchMemory(t testing.TB) {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	if err := unix.Munmap(memory); err != nil {
		t.Error(err)
	}
}

// What happens on this kernel appears in its own words, which are constants of its
// numbers.
func TestNamesOfValues(t *testing.T) {
	need.EachKernel(t)
	k := running(t)
	for _, row := range []struct {
		script string
		want   []string
	}{
		{`tracepoint:sock/inet_sock_set_state / pid == PID && data->family == AF_INET && data->protocol == IPPROTO_TCP && data->oldstate != TCP_LISTEN && data->newstate != TCP_LISTEN / {
			@[data->oldstate, data->newstate, data->family] = count();
			last = data->newstate;
			if (last == TCP_CLOSE) { @closed = count(); }
		}`, []string{"@[TCP_CLOSE, TCP_SYN_SENT, AF_INET] 1", "@[TCP_SYN_SENT, TCP_CLOSE, AF_INET] 1", "@closed 1"}},
		{`tracepoint:irq/softirq_raise / data->vec == NET_RX / { @[data->vec] = max(data->vec); }`, []string{"@[NET_RX] 3"}},
		{`tracepoint:kmem/mm_page_alloc / pid == PID && (data->gfp_flags & __GFP_MOVABLE) == __GFP_MOVABLE / { @[data->gfp_flags & __GFP_MOVABLE] = 1; }`,
			[]string{"@[__GFP_MOVABLE] 1"}},
	} {
		got := trace(t, k, row.script, bpfgen.Options{}, func() {
			refusedConnection(t)
			touchMemory(t)
		})
		for _, want := range row.want {
			if !strings.Contains("\n"+got+"\n", "\n"+want+"\n") {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", row.script, got, want)
			}
		}
	}
}

// The reason of a dropped packet has the same name whatever its number is.
func TestNamesOfDropReasons(t *testing.T) {
	need.Kernel(t, "6.1", "reasons of drops")
	k := running(t)
	const script = `tracepoint:skb/kfree_skb / data->reason == NO_SOCKET / { @[data->reason, data->reason == SKB_DROP_REASON_NO_SOCKET] = count(); }`
	got := trace(t, k, script, bpfgen.Options{}, func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		to := &unix.SockaddrInet4{Port: refusedConnection(t), Addr: [4]byte{127, 0, 0, 1}}
		for range 3 { // the answer to one is the error of the next
			_ = unix.Sendto(fd, []byte("x"), 0, to)
		}
	})
	count := 0
	if _, err := fmt.Sscanf(got, "@[NO_SOCKET, 1] %d", &count); err != nil || count < 3 {
		t.Errorf("three packets to a port without a socket: %q", got)
	}
}
