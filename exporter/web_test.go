package exporter

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/trace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/exporter-toolkit/web"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// demo is a configuration with a script of every kind of fate.
func demo() (*fakeBackend, string) {
	return &fakeBackend{
			scripts: map[string]string{
				"kprobe:x { @lat = quantize(time - time); }": on(`@lat[comm] = quantize(time - time);`),
			},
			tracers: map[string]*fakeTracer{
				"kprobe:SyS_* { $syscalls[comm].count() }": {
					rows:    map[string][]pair{"$syscalls": {{chars("<b>sshd</b>"), words(28700)}, {chars("dd"), words(22644)}, {chars("bash\xff"), words(77)}}},
					dropped: map[string]uint64{"$syscalls": 3},
					probes: []Probe{{Spec: "kprobe:SyS_*", Kind: "tracepoint", Attached: true, Sites: 1, Covers: 331,
						Why: "one program at raw_syscalls/sys_enter sees all system calls"}},
				},
				"kprobe:x { @lat = quantize(time - time); }": {
					rows: map[string][]pair{"@lat": {
						{chars("dd"), histogramValue(durationThresholds(), 1000, 3000, 3000, 9000, 9000, 9000, 9000, 40000, 40000, 90000, 900000)},
						{chars("cat"), histogramValue(durationThresholds(), 100, 200000, 3000, 400000)}}},
					probes: []Probe{{Spec: "kprobe:x", Kind: "kprobe", Attached: true, Sites: 1, Covers: 1}},
				},
			},
			checks: map[string]error{"kprobe:tcp_x { @ = count(); }": &plylang.Error{Msg: `no function "tcp_x"; did you mean "tcp_v4_rcv"?`, Missing: true}},
		}, `scripts:
  - name: syscalls
    help: System calls by process.
    script: |
      kprobe:SyS_* { $syscalls[comm].count() }
  - name: latency
    help: How long it takes.
    script: "kprobe:x { @lat = quantize(time - time); }"
  - name: missing
    script: |
      kprobe:tcp_x { @ = count(); }
`
}

func durationThresholds() []uint64 {
	return thresholds(quantized("seconds", nanoseconds, nil))
}

// serve runs an exporter until the test ends and returns its URL.
func serve(t *testing.T, b Backend, yaml, webConfig string) string {
	t.Helper()
	opt := testOptions(b, freeAddress(t))
	opt.Web.WebConfigFile = &webConfig
	return serveWith(t, opt, yaml)
}

func serveWith(t *testing.T, opt Options, yaml string) string {
	t.Helper()
	cfg, err := config.Parse("probes.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return serveConfig(t, opt, cfg)
}

func serveConfig(t *testing.T, opt Options, cfg *config.Config) string {
	t.Helper()
	addr := (*opt.Web.WebListenAddresses)[0]
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Serve(ctx, cfg, opt) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		if status, _ := get(t, "http://"+addr+"/-/ready"); status == http.StatusOK {
			return "http://" + addr
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready after 10 s")
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func testOptions(b Backend, addr string) Options {
	noFile := ""
	return Options{
		Backend: b, Log: slog.New(slog.DiscardHandler), TelemetryPath: "/metrics", MaxSeries: 50000, MaxRequests: 100, ProcessMetrics: true,
		Web: &web.FlagConfig{WebListenAddresses: &[]string{addr}, WebConfigFile: &noFile},
	}
}

func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	return resp.StatusCode, readBody(t, resp)
}

func readBody(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestServe(t *testing.T) {
	b, yaml := demo()
	url := serve(t, b, yaml, "")
	tests := []struct {
		path   string
		accept string
		status int
		want   string
	}{
		{"/metrics", "", 200, `ply_syscalls_total{comm="dd"} 22644`},
		{"/metrics", "", 200, `ply_exporter_build_info{`},
		{"/metrics", "", 200, "go_goroutines"},
		{"/metrics", "application/openmetrics-text;version=1.0.0", 200, "# EOF"},
		{"/-/healthy", "", 200, "healthy"},
		{"/", "", 200, `&lt;b&gt;sshd&lt;/b&gt;`},
		{"/", "", 200, `did you mean &#34;tcp_v4_rcv&#34;?`},
		{"/", "", 200, "331 probes"},
		{"/", "", 200, "3 updates refused"},
		{"/nothing", "", 404, "not found"},
	}
	for _, tt := range tests {
		status, body := get(t, url+tt.path, "Accept", tt.accept)
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: status %d, no %q in\n%.3000s", tt.path, status, tt.want, body)
		}
	}
}

func TestServedMetricsPassTheLint(t *testing.T) {
	b, yaml := demo()
	url := serve(t, b, yaml, "")
	_, body := get(t, url+"/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// passwordFile is a --web.config.file of the user u, whose password is "ply".
func passwordFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web.yaml")
	users := "basic_auth_users: {u: $2a$04$oL/iKbnm/xZuVdl77eAxMuM1hFPDvS9F.X04NkFRNSzDuzfxCKQPi}\n"
	if err := os.WriteFile(file, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestHealthNeedsNoPassword(t *testing.T) {
	b, yaml := demo()
	url := serve(t, b, yaml, passwordFile(t))
	for path, want := range map[string]int{"/-/healthy": 200, "/-/ready": 200, "/metrics": 401, "/": 401} {
		if status, _ := get(t, url+path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
	if status, _ := get(t, strings.Replace(url, "//", "//u:ply@", 1)+"/metrics"); status != 200 {
		t.Errorf("with the password: status %d", status)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	err = Serve(t.Context(), &config.Config{}, testOptions(&fakeBackend{}, addr))
	want := addr + " is in use by another program: choose another address with --web.listen-address"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestStopping(t *testing.T) {
	b, yaml := demo()
	cfg, err := config.Parse("probes.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Serve(ctx, cfg, testOptions(b, freeAddress(t))); err != nil {
		t.Error(err)
	}
	for name, tracer := range b.tracers {
		if !tracer.closed {
			t.Errorf("%s still runs", name)
		}
	}
}

func TestStrict(t *testing.T) {
	b, yaml := demo()
	cfg, err := config.Parse("probes.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	opt := testOptions(b, freeAddress(t))
	opt.Strict = true
	err = Serve(t.Context(), cfg, opt)
	if err == nil || !strings.Contains(err.Error(), `no function "tcp_x"`) {
		t.Errorf("got %v", err)
	}
}

func TestMistakesStopTheStart(t *testing.T) {
	mistake := &plylang.Error{Msg: "syntax error"}
	b := &fakeBackend{checks: map[string]error{"S": mistake}}
	cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML("")))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	err = Serve(t.Context(), cfg, testOptions(b, freeAddress(t)))
	var list plylang.ErrorList
	if !errors.As(err, &list) || list[0] != mistake {
		t.Errorf("got %v", err)
	}
}

// A client that asks and does not read its answer is let go.
func TestClientsThatDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, yaml := demo()
		in := &instance{opt: testOptions(b, ""), collector: run(t, b, yaml)}
		client, conn := net.Pipe() // has no buffer: each write waits for its reader
		server := in.newServer(in.handler())
		go func() { _ = server.Serve(&oneConn{conn: conn, closed: make(chan struct{})}) }()
		defer server.Close()
		if _, err := client.Write([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // of the test's own clock
		if answer, err := io.ReadAll(client); err != nil || len(answer) > 0 {
			t.Errorf("after an hour there is still an answer of %d bytes, error %v", len(answer), err)
		}
	})
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	net.Listener
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

// No script's name is the id of something else on the page, which the page's
// own program would then replace.
func TestIDsOfThePage(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": on(`@ = count();`)}}
	url := serve(t, b, "scripts: [{name: facts, script: S}, {name: live, script: S}]\n", "")
	_, body := get(t, url+"/")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if seen[m[1]] {
			t.Errorf("id %q is there twice", m[1])
		}
		seen[m[1]] = true
	}
	if !seen["facts"] || !seen["live"] {
		t.Errorf("ids %v have not those of the scripts", seen)
	}
}

// All paths that show something are bounded: where no request may be under way, each is
// refused.
func TestPathsAreBounded(t *testing.T) {
	b, yaml := demo()
	in := &instance{opt: testOptions(b, ""), collector: run(t, b, yaml)}
	in.opt.MaxRequests = 0
	for _, path := range []string{"/metrics", "/", statusPath, configPath} {
		if w := visit(in, path); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "--web.max-requests") {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// Profiles of the exporter itself are there for who asks for them at the start.
func TestProfiles(t *testing.T) {
	b, yaml := demo()
	in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, yaml)}
	paths := map[string]string{
		"/debug/pprof/":                   "goroutine",
		"/debug/pprof/heap?debug=1":       "heap profile: ",
		"/debug/pprof/goroutine?debug=1":  "goroutine profile: ",
		"/debug/pprof/profile?seconds=1":  "\x1f\x8b", // gzip
		"/debug/pprof/allocs":             "\x1f\x8b",
		"/debug/pprof/trace?seconds=0.01": "go 1.",
	}
	for path := range paths {
		if w := visit(in, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, though nobody asked for profiles", path, w.Code)
		}
	}
	in.opt.Profiles = true
	for path, want := range paths {
		if w := visit(in, path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, %.100q; want %q", path, w.Code, w.Body.String(), want)
		}
	}
	refused := map[string]int{"none": 404, "heap?seconds=1": 400, "profile?seconds=60": 400, "trace?seconds=%2BInf": 400}
	for path, want := range refused {
		if w := visit(in, profilesPath+path); w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
	if err := trace.Start(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer trace.Stop()
	if w := visit(in, profilesPath+"trace"); w.Code != http.StatusConflict || !strings.Contains(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("a second trace: status %d, %v", w.Code, w.Header())
	}
}

// Metrics can be at any path, and are there alone.
func TestTelemetryPath(t *testing.T) {
	for _, row := range []struct {
		metrics string
		found   map[string]bool
	}{
		{"/metrics", map[string]bool{"/metrics": true, "/": true, "/metrics/": false, "/else": false}},
		{"/", map[string]bool{"/": true, "/metrics": false, "/favicon.ico": false}},
		{"/a/b", map[string]bool{"/a/b": true, "/": true, "/a": false, "/a/b/c": false}},
	} {
		b, text := demo()
		in := &instance{opt: testOptions(b, ""), collector: run(t, b, text)}
		in.opt.TelemetryPath = row.metrics
		for path, want := range row.found {
			w := httptest.NewRecorder()
			in.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if got := w.Code == http.StatusOK; got != want {
				t.Errorf("metrics at %s: %s is answered with %d", row.metrics, path, w.Code)
			}
		}
	}
}

// The profile of the heap is one of what is in use, if garbage is collected first.
func TestHeapProfile(t *testing.T) {
	b, yaml := demo()
	in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, yaml)}
	in.opt.Profiles = true
	if w := visit(in, profilesPath+"heap?debug=-1"); !strings.HasPrefix(w.Body.String(), "heap profile: ") || !strings.Contains(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("a text: %v, %.100q", w.Header(), w.Body.String())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	visit(in, profilesPath+"heap?gc=1")
	if runtime.ReadMemStats(&after); after.NumForcedGC == before.NumForcedGC {
		t.Error("no garbage was collected for heap?gc=1")
	}
}
