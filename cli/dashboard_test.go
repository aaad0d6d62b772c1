package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/configs"
	"ply-exporter/internal/need"
	"ply-exporter/internal/promtest"
)

// A dashboardQuery is one query of a dashboard: "row / panel / A".
type dashboardQuery struct{ name, row, expr string }

func dashboardQueries(t *testing.T, text []byte) []dashboardQuery {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var queries []dashboardQuery
	row := ""
	for _, p := range dashboard.Panels {
		if p.Type == "row" {
			row = p.Title
			continue
		}
		for _, target := range p.Targets {
			queries = append(queries, dashboardQuery{row + " / " + p.Title + " / " + target.RefID, row, target.Expr})
		}
	}
	if len(queries) == 0 {
		t.Fatal("no queries")
	}
	return queries
}

// promql is the query as Grafana sends it.
func (q dashboardQuery) promql() string {
	return strings.NewReplacer("$__rate_interval", "10s", "$__range", "1m", "$job", "test", "$instance", ".*", "$script", ".*").Replace(q.expr)
}

// Each query gives data from a Prometheus that scrapes the built-in
// configuration under load, and those of scripts show that something happened.
func TestDashboardShowsData(t *testing.T) {
	need.BPF(t)
	s := startServer(t, string(configs.Quickstart))
	prometheus := promtest.Start(t, s.address)
	keepMachineBusy(t)
	text, err := os.ReadFile("../dashboards/quickstart.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range dashboardQueries(t, text) {
		if strings.Contains(q.expr, "ply_probe_missed_total") && need.Older(need.Release(), "6.7") {
			continue // older kernels do not count what they miss, and nobody says 0
		}
		fault := ""
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			fault = q.fault(prometheus.Query(q.promql()))
			if fault == "" || time.Now().After(end) {
				break
			}
		}
		if fault != "" {
			t.Errorf("%s: %s: %s", q.name, fault, q.promql())
		}
	}
}

// fault says what is wrong with the answer to a query.
func (q dashboardQuery) fault(samples []promtest.Sample) string {
	sum := 0.0
	for _, s := range samples {
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			return fmt.Sprintf("%v is %v", s.Metric, s.Value)
		}
		sum += s.Value
	}
	switch {
	case len(samples) == 0:
		return "no data"
	case q.row != "State of the scripts" && sum == 0:
		return "only zeros"
	}
	return ""
}

// keepMachineBusy starts processes, writes to a disk and loses TCP segments
// until the test is over.
func keepMachineBusy(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "ply-dashboard") // /tmp may be in memory
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `while dd if=/dev/zero of="$1" bs=4096 count=20 oflag=dsync status=none; do sleep 0.1; done`, "sh", filepath.Join(dir, "blocks"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = os.RemoveAll(dir) })
	address := deafAddress(t)
	for range 20 {
		go func() {
			if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
				<-t.Context().Done()
				_ = c.Close()
			}
		}()
	}
}

// deafAddress is a listener that accepts nobody: when its short queue is full,
// the first segments of further clients are dropped, and sent again for a minute.
func deafAddress(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
}
