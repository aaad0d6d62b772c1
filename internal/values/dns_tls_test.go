package values

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// lookups looks names up with the C library: of each line so many that are found, names
// that are none, and services that are none.
const lookups = `
import socket, sys
for line in sys.stdin:
    found, names, services = map(int, line.split())
    for i in range(found):
        socket.getaddrinfo("127.0.0.1", 1)
    for i in range(names + services):
        try:
            socket.getaddrinfo("no number" if i < names else "127.0.0.1", 1 if i < names else "no-service", flags=socket.AI_NUMERICHOST)
        except socket.gaierror as e:
            pass
    print("done", flush=True)
`

// Each lookup of a program is counted, by what came of it.
func TestLookups(t *testing.T) {
	need.BPF(t)
	folder := t.TempDir()
	python := need.Command(t, "/usr/bin/python3")
	libc := copyProgram(t, folder, "libc.so.6")
	s := serve(t, onlyScripts(loadFor(t, "dns_tls.yaml", map[string]string{"libc.so.6": libc}), "dns_tls_lookup"))
	did := ledger{}
	client := startWorker(t, withLibraries(exec.Command(python, "-I", "-c", lookups), folder))
	compare(t, s, func() {
		begin := time.Now()
		client.do(t, "7 3 2")
		did["lookups"] += 12
		did["names"] += 3
		did["services"] += 2
		did["seconds"] += time.Since(begin).Seconds()
	},
		comparison{ours: ours("ply_dns_tls_lookup_seconds_count"), source: "the calls of the program", theirs: did.of("lookups")},
		comparison{ours: ours("ply_dns_tls_lookup_failures_total", "reason", "no_name"), source: "those of names", theirs: did.of("names")},
		comparison{ours: ours("ply_dns_tls_lookup_failures_total", "reason", "service"), source: "those of services", theirs: did.of("services")},
		comparison{ours: ours("ply_dns_tls_lookup_failures_total"), source: "both", theirs: func(*testing.T) float64 { return did["names"] + did["services"] }},
	)
	checkTime(t, s, "ply_dns_tls_lookup_seconds_sum", did["seconds"])
}

func withLibraries(cmd *exec.Cmd, folder string) *exec.Cmd {
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+folder)
	return cmd
}

// checkTime says when something took no time, or longer than all that was done.
func checkTime(t *testing.T, s *server, name string, all float64, labels ...string) {
	t.Helper()
	if got := ours(name, labels...).of(s.scrape(t)); got <= 0 || got > all {
		t.Errorf("%s is %v seconds, and all that was done took %v", name, got, all)
	}
}

// opensslClient makes a connection for each line, to a port, and writes and reads in so
// many pieces of so many bytes. It has no patience: its socket does not block it.
const opensslClient = `
import select, socket, ssl, sys
context = ssl._create_unverified_context()
for line in sys.stdin:
    port, pieces, size, bad = map(int, line.split())
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setblocking(False)
    try:
        verified = ssl.create_default_context() if bad else context
        with verified.wrap_socket(sock, do_handshake_on_connect=False, server_hostname="localhost") as s:
            def wait(f, *args):
                while True:
                    try:
                        return f(*args)
                    except ssl.SSLWantReadError:
                        select.select([s], [], [])
                    except ssl.SSLWantWriteError:
                        select.select([], [s], [])
            wait(s.do_handshake)
            for i in range(pieces):
                wait(s.send, b"x" * size)
            for i in range(pieces):
                got = 0
                while got < size:
                    got += len(wait(s.recv, size - got))
    except ssl.SSLCertVerificationError:
        pass
    print("done", flush=True)
`

// gnutlsClient does the same with GnuTLS.
const gnutlsClient = `
import ctypes, socket, sys
tls = ctypes.CDLL("libgnutls.so.30")
tls.gnutls_record_send.restype = tls.gnutls_record_recv.restype = ctypes.c_ssize_t
who = ctypes.c_void_p()
tls.gnutls_certificate_allocate_credentials(ctypes.byref(who))
for line in sys.stdin:
    port, pieces, size, bad = map(int, line.split())
    sock = socket.create_connection(("127.0.0.1", port))
    s = ctypes.c_void_p()
    tls.gnutls_init(ctypes.byref(s), 2)
    tls.gnutls_priority_set_direct(s, b"NORMAL:-VERS-ALL:+VERS-TLS1.0" if bad else b"NORMAL", None)
    tls.gnutls_credentials_set(s, 1, who)
    tls.gnutls_transport_set_int2(s, sock.fileno(), sock.fileno())
    if tls.gnutls_handshake(s) == 0:
        text = ctypes.create_string_buffer(size)
        for i in range(pieces):
            tls.gnutls_record_send(s, text, ctypes.c_size_t(size))
        for i in range(pieces):
            got = 0
            while got < size:
                n = tls.gnutls_record_recv(s, text, ctypes.c_size_t(size - got))
                if n <= 0 and n != -28: # which it says after the server's ticket
                    sys.exit("reading: %d" % n)
                got += max(0, n)
    tls.gnutls_deinit(s)
    sock.close()
    print("done", flush=True)
`

// What two libraries say of connections to a server that has neither is what the server
// says.
func TestTLS(t *testing.T) {
	need.BPF(t)
	python := need.Command(t, "/usr/bin/python3")
	for _, lib := range []struct{ name, traced, file, program, reason string }{
		{"openssl", "libssl.so.*", "libssl.so.3", opensslClient, "protocol"},
		{"gnutls", "libgnutls.so.*", "libgnutls.so.30", gnutlsClient, "handshake"},
	} {
		t.Run(lib.name, func(t *testing.T) {
			folder := t.TempDir()
			traced := copyProgram(t, folder, lib.file)
			prefix := "dns_tls_" + lib.name
			cfg := onlyScripts(loadFor(t, "dns_tls.yaml", map[string]string{lib.traced: traced}), prefix, prefix+"_handshakes", prefix+"_errors")
			s := serve(t, cfg)
			client := startWorker(t, withLibraries(exec.Command(python, "-I", "-c", lib.program), folder))
			server := listenTLS(t)
			did := ledger{}
			compare(t, s, func() {
				begin := time.Now()
				for range 4 {
					client.do(t, fmt.Sprintf("%d %d %d 0", server.port, tlsPieces, tlsSize))
				}
				client.do(t, fmt.Sprintf("%d 1 1 1", server.port))
				server.ended(t, 5)
				did["seconds"] += time.Since(begin).Seconds()
			},
				comparison{ours: ours("ply_" + prefix + "_handshake_seconds_count"), source: "handshakes of the server", theirs: server.of(&server.handshakes)},
				comparison{ours: ours("ply_"+prefix+"_bytes_total", "operation", "write"), source: "bytes that the server got", theirs: server.of(&server.read)},
				comparison{ours: ours("ply_"+prefix+"_bytes_total", "operation", "read"), source: "bytes that the server sent", theirs: server.of(&server.written)},
				comparison{ours: ours("ply_"+prefix+"_seconds_count", "operation", "write"), source: "pieces", theirs: server.of(&server.pieces)},
				comparison{ours: ours("ply_" + prefix + "_errors_total"), source: "connections that the server saw fail", theirs: server.of(&server.failed)},
			)
			checkTime(t, s, "ply_"+prefix+"_handshake_seconds_sum", did["seconds"])
			checkTime(t, s, "ply_"+prefix+"_seconds_sum", did["seconds"], "operation", "write")
			checkTime(t, s, "ply_"+prefix+"_seconds_sum", did["seconds"], "operation", "read")
		})
	}
}

// Each of the pieces of a connection fits a record of TLS.
const tlsPieces, tlsSize = 5, 10_000

// A tlsServer sends back what it gets, and counts.
type tlsServer struct {
	port                                            int
	lock                                            sync.Mutex
	handshakes, failed, read, written, pieces, over float64
	end                                             *sync.Cond
}

func listenTLS(t *testing.T) *tlsServer {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &tlsServer{port: l.Addr().(*net.TCPAddr).Port}
	s.end = sync.NewCond(&s.lock)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			s.serve(c.(*tls.Conn))
		}
	}()
	return s
}

func (s *tlsServer) serve(c *tls.Conn) {
	defer c.Close()
	handshake := c.Handshake()
	text := make([]byte, tlsPieces*tlsSize)
	got, sent := 0, 0
	if handshake == nil {
		if got, handshake = io.ReadFull(c, text); handshake == nil {
			sent, _ = c.Write(text)
			_, _ = c.Read(make([]byte, 1)) // until the client goes
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if handshake == nil {
		s.handshakes++
		s.pieces += tlsPieces
	} else {
		s.failed++
	}
	s.read += float64(got)
	s.written += float64(sent)
	s.over++
	s.end.Broadcast()
}

// ended waits for the end of so many connections.
func (s *tlsServer) ended(t *testing.T, n float64) {
	t.Helper()
	s.lock.Lock()
	defer s.lock.Unlock()
	for s.over < n {
		s.end.Wait()
	}
}

// of returns one of the counts as a source.
func (s *tlsServer) of(count *float64) func(*testing.T) float64 {
	return func(*testing.T) float64 {
		s.lock.Lock()
		defer s.lock.Unlock()
		return *count
	}
}

// certificate is one that nobody trusts.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
