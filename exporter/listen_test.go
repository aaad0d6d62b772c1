package exporter

import (
	"net"
	"os"
	"strings"
	"testing"
)

// What systemd passes must accept connections, all of it.
func TestSocketsOfSystemd(t *testing.T) {
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for _, row := range []struct{ kinds, want string }{
		{"", "systemd passed no socket: start it through its .socket unit"},
		{"s", ""},
		{"ss", ""},
		{"d", "which accepts no connections"},
		{"sd", "use ListenStream= in the .socket unit"},
		{"n", "which accepts no connections"},
	} {
		var files []*os.File
		for _, kind := range row.kinds {
			files = append(files, socketFile(t, kind, stream, datagrams))
		}
		listeners, err := listenersOf(files)
		if row.want == "" {
			if err != nil || len(listeners) != len(files) {
				t.Errorf("%s: %d listeners, error %v", row.kinds, len(listeners), err)
			}
			closeAll(listeners)
			continue
		}
		if err == nil || !strings.Contains(err.Error(), row.want) || listeners != nil {
			t.Errorf("%s: error %v, want %s", row.kinds, err, row.want)
		}
	}
}

// socketFile is a stream socket (s), a datagram socket (d) or no socket (n).
func socketFile(t *testing.T, kind rune, stream net.Listener, datagrams net.PacketConn) *os.File {
	t.Helper()
	var f *os.File
	var err error
	switch kind {
	case 's':
		f, err = stream.(*net.TCPListener).File()
	case 'd':
		f, err = datagrams.(*net.UDPConn).File()
	default:
		f, err = os.Open(os.DevNull)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}
