package values

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf/rlimit"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/exporter-toolkit/web"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/configs"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A server is a configuration that this process serves.
type server struct{ address string }

// serve serves a configuration until the test ends. Each of its scripts must run
// on this kernel.
func serve(t *testing.T, cfg *config.Config) *server {
	t.Helper()
	need.BPF(t)
	k, err := running()
	if err != nil {
		t.Fatal(err)
	}
	said := &log{}
	s := &server{freeAddress(t)}
	noTLS := ""
	opt := exporter.Options{
		Backend: exporter.NewBackend(k, slog.New(slog.NewTextHandler(said, nil)), false), Log: slog.New(slog.NewTextHandler(said, nil)),
		Web: &web.FlagConfig{WebListenAddresses: &[]string{s.address}, WebConfigFile: &noTLS}, TelemetryPath: "/metrics",
		MaxRequests: 10, MaxSeries: 50000, Strict: true,
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- exporter.Serve(ctx, cfg, opt) }()
	t.Cleanup(func() {
		stop()
		<-ended
		if t.Failed() {
			t.Logf("the exporter said:\n%s", said)
		}
	})
	s.wait(t, ended)
	return s
}

// load reads a shipped configuration.
func load(t *testing.T, file string) *config.Config {
	t.Helper()
	text, err := configs.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(file, text)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return cfg
}

// loadAll reads all shipped configurations.
func loadAll(t *testing.T) *config.Config {
	t.Helper()
	names, err := fs.Glob(configs.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := &config.Config{}
	for _, name := range names {
		all.Scripts = append(all.Scripts, load(t, name).Scripts...)
	}
	return all
}

// running is shared by all tests: to read types takes long in emulation.
var running = sync.OnceValues(func() (*kernel.Kernel, error) {
	if err := rlimit.RemoveMemlock(); err != nil { // kernels before 5.11 count maps
		return nil, err
	}
	k, err := kernel.Running()
	if err == nil {
		tracer.Detect(k)
	}
	return k, err
})

// startTimeout is for all scripts to run. Many of them take a minute in emulation
// beside other work.
const startTimeout = 5 * time.Minute

// wait waits for all scripts to run.
func (s *server) wait(t *testing.T, ended chan error) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the exporter ended: %s", plylang.Detail(err))
		default:
		}
		if answer, err := http.Get("http://" + s.address + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("the exporter is not ready after %v", startTimeout)
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

// log is what the exporter says, kept for when a test fails.
type log struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}

// text is what a scrape gets.
func (s *server) text(t *testing.T) string {
	t.Helper()
	answer, err := http.Get("http://" + s.address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v\n%s", answer.Status, err, body)
	}
	return string(body)
}

// A scrape is all metric families of one.
type scrape map[string]*dto.MetricFamily

func (s *server) scrape(t *testing.T) scrape {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader([]byte(s.text(t))))
	if err != nil {
		t.Fatal(err)
	}
	return families
}
