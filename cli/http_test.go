package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// request sends a request as it is and returns the answer's head and body.
func (s *server) request(t *testing.T, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	answer, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer, readAll(t, answer.Body)
}

func TestHTTP(t *testing.T) {
	need.BPF(t)
	s := startServer(t, exactConfig)
	runWorkload(t, 50)
	t.Run("methods and paths", func(t *testing.T) { testMethods(t, s) })
	t.Run("formats", func(t *testing.T) { testFormats(t, s) })
	t.Run("concurrent scrapes", func(t *testing.T) { testConcurrentScrapes(t, s) })
	t.Run("hostile clients", func(t *testing.T) { testHostileClients(t, s) })
}

func testMethods(t *testing.T, s *server) {
	for _, row := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"POST", "/metrics", 405}, {"DELETE", "/metrics", 405},
		{"GET", "/", 200}, {"POST", "/", 405},
		{"GET", "/api/v1/status", 200}, {"POST", "/api/v1/status", 405}, {"GET", "/config", 200}, {"PUT", "/config", 405}, {"GET", "/api/v1/", 404},
		{"GET", "/-/healthy", 200}, {"HEAD", "/-/ready", 200},
		{"GET", "/nothing", 404}, {"GET", "/metrics/", 404}, {"GET", "/METRICS", 404}, {"GET", "/metrics.php?x=%00", 404},
		{"GET", "/..%2f..%2fetc/passwd", 404}, {"GET", "/-/", 404}, {"POST", "/-/reload", 403}, {"GET", "/debug/pprof/", 404},
		{"GET", "/metrics?name[]=x&collect=%ff", 200},
	} {
		answer, body := s.request(t, row.method, row.path)
		if answer.StatusCode != row.status || row.method == "HEAD" && body != "" {
			t.Errorf("%s %s: status %d, want %d", row.method, row.path, answer.StatusCode, row.status)
		}
	}
}

var openMetricsLine = regexp.MustCompile(`^(# (HELP|TYPE|UNIT) [a-z][a-z0-9_]* ?.*|[a-z][a-z0-9_]*(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? [-+0-9.eINFNa]+( # \{.*)?)$`)

func testFormats(t *testing.T, s *server) {
	answer, text := s.request(t, "GET", "/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text; version=1.0.0") {
		t.Errorf("content type %q", got)
	}
	body, ended := strings.CutSuffix(text, "\n# EOF\n")
	if !ended || !strings.Contains(body, `ply_calls_total{func="sys_getpriority"} 50`) {
		t.Errorf("not ended by # EOF, or without its counter:\n%s", text)
	}
	for _, line := range strings.Split(body, "\n") {
		if !openMetricsLine.MatchString(line) {
			t.Errorf("not OpenMetrics: %s", line)
		}
	}
	for accept, contentType := range map[string]string{
		"":                 "text/plain; version=0.0.4",
		"*/*":              "text/plain; version=0.0.4",
		"image/png":        "text/plain; version=0.0.4",
		";;;,q=\xff":       "text/plain; version=0.0.4",
		"application/json": "text/plain; version=0.0.4",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf",
	} {
		answer, _ := s.request(t, "GET", "/metrics", "Accept", accept)
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || !strings.HasPrefix(got, contentType) {
			t.Errorf("Accept %q: status %d, content type %q, want %q", accept, answer.StatusCode, got, contentType)
		}
	}
	answer, packed := s.request(t, "GET", "/metrics", "Accept-Encoding", "gzip")
	unpacked, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil || answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not gzip: %v", err)
	}
	if !strings.Contains(readAll(t, unpacked), "ply_script_up{") {
		t.Error("gzip: no metrics")
	}
}

// scriptMetrics are the lines of what scripts count.
func scriptMetrics(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ply_calls") || strings.HasPrefix(line, "ply_reads") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Scrapes at the same time have equal answers while nothing is counted.
func testConcurrentScrapes(t *testing.T, s *server) {
	const n = 50
	answers := make(chan []string, n)
	for range n {
		go func() {
			r, err := http.Get("http://" + s.address + "/metrics")
			if err != nil {
				answers <- []string{err.Error()}
				return
			}
			defer r.Body.Close()
			b, _ := io.ReadAll(r.Body)
			answers <- scriptMetrics(string(b))
		}()
	}
	first := <-answers
	if !slices.Contains(first, "ply_reads_size_count 50\n") {
		t.Errorf("got %q", first)
	}
	for range n - 1 {
		if other := <-answers; !slices.Equal(first, other) {
			t.Errorf("got %q and %q", first, other)
		}
	}
}

// send opens a connection, sends some bytes and leaves it open.
func (s *server) send(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, text) // who sends too much may be cut off
	return c
}

func testHostileClients(t *testing.T, s *server) {
	const head = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
	for _, row := range []struct{ text, want string }{
		{head + "X: " + strings.Repeat("y", 2<<20) + "\r\n\r\n", "431"},
		{"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400"},
		{"GET /metrics HTTP/1.1\r\n\r\n", "400"},
		{"GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n", "505"},
		{"GET \x00 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
	} {
		answer := make([]byte, 32)
		n, _ := s.send(t, row.text).Read(answer)
		if !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 "+row.want)) {
			t.Errorf("%.40q: answer %q, want %s", row.text, answer[:n], row.want)
		}
	}
	for i := range 100 { // half a request each
		s.send(t, head[:i%len(head)])
	}
	if status, _ := s.get(t, "/metrics"); status != 200 {
		t.Errorf("scrape beside half requests: status %d", status)
	}
}

// Clients that never finish their request do not keep the process.
func TestHalfOpenClientsDoNotHoldTheEnd(t *testing.T) {
	need.BPF(t)
	s := startServer(t, goodConfig)
	for range 20 {
		s.send(t, "GET /metrics HTTP/1.1\r\nHost:")
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("status %v\n%s", err, s.logText(t))
		}
	case <-time.After(patience):
		t.Fatal("did not end")
	}
}

// Health checks need no password, everything else does.
func TestPasswords(t *testing.T) {
	need.BPF(t)
	const hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" // of "secret"
	s := startServer(t, goodConfig, "--web.config.file", writeFile(t, "web.yaml", "basic_auth_users: {admin: "+hash+"}\n"))
	for _, row := range []struct {
		path, user, password string
		status               int
	}{
		{"/-/healthy", "", "", 200}, {"/-/ready", "", "", 200}, {"/-/ready", "admin", "wrong", 200},
		{"/metrics", "", "", 401}, {"/", "", "", 401}, {"/nothing", "", "", 401}, {"/-/healthy/../../metrics", "", "", 401},
		{"/metrics", "admin", "wrong", 401}, {"/metrics", "nobody", "secret", 401},
		{"/metrics", "admin", "secret", 200}, {"/", "admin", "secret", 200}, {"/nothing", "admin", "secret", 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if row.user != "" {
			r.SetBasicAuth(row.user, row.password)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != row.status {
			t.Errorf("%s as %q: status %d, want %d", row.path, row.user, answer.StatusCode, row.status)
		}
	}
}
