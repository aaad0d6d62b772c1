package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
	"ply-exporter/internal/promtest"
)

// A dashboardQuery is one query of a dashboard: "tcp.json / row / panel / A".
type dashboardQuery struct{ file, row, panel, ref, expr string }

func (q dashboardQuery) String() string {
	return strings.Join([]string{q.file, q.row, q.panel, q.ref}, " / ")
}

func dashboardQueries(t *testing.T, file string) []dashboardQuery {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
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
		}
		for _, target := range p.Targets {
			queries = append(queries, dashboardQuery{filepath.Base(file), row, p.Title, target.RefID, target.Expr})
		}
	}
	if len(queries) == 0 {
		t.Fatalf("%s has no queries", file)
	}
	return queries
}

// promql is the query as Grafana sends it.
func (q dashboardQuery) promql() string {
	return strings.NewReplacer("$__rate_interval", "20s", "$__range", "1m", "$job", "test", "$instance", ".*", "$script", ".*").Replace(q.expr)
}

// notHere are panels that show nothing, or only zeros, on a machine on which their
// events cannot be caused, by how the name of the panel begins. TestQueriesGiveData of
// package dashboards gives them data.
var notHere = map[string]string{
	"Block I/O errors":              "no disk fails",
	"CPU throttled":                 "the functions that it traces have no kprobes on some machines",
	"TCP accept overflows":          "the functions that it traces have no kprobes on some machines",
	"TCP retransmitted synacks":     "the other end of a connection is this machine, which answers",
	"Memory direct reclaim":         "the machine would have to run short of memory",
	"Memory limit reclaim":          "a cgroup would have to",
	"Memory cgroup reclaim":         "a cgroup would have to",
	"Memory OOM kills":              "a cgroup would have to",
	"Containers memory wait":        "a container would have to",
	"Containers OOM kills":          "a container would have to",
	"Security modules loaded":       "no module is loaded",
	"Security capabilities refused": "older kernels have no tracepoint for it, and some machines no kprobes",
}

func (q dashboardQuery) cannotShow() bool {
	for panel := range notHere {
		if strings.HasPrefix(q.panel, panel) {
			return true
		}
	}
	// older kernels do not count what they miss, and nobody says 0
	return strings.Contains(q.expr, "ply_probe_missed_total") && need.Older(need.Release(), "6.7")
}

// losing is a script that can lose prints and be late to clear, so that there is a
// number for it, beside one that waits.
const losing = `
scripts:
  - name: losing
    script: |
      BEGIN { print("begin"); @x.count(); clear(@x); }
  - name: waits # for a program
    script: "uprobe:/nowhere/app:main { @ = count(); }"
`

// programsOnly says whether a dashboard is of a configuration that looks into programs which
// this machine may not have. Any program gives data to profile.
func programsOnly(file string) bool {
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	_, err := os.Stat("../configs/userspace/" + name + ".yaml")
	return err == nil && name != "profile"
}

// Each query of each dashboard gives data from a Prometheus that scrapes all shipped
// configurations under load, and those of scripts show that something happened.
// TestQueriesGiveData of package dashboards gives data to those of programs.
func TestDashboardsShowData(t *testing.T) {
	need.BPF(t)
	folder, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, losing, "--config", folder, "--config", folder+"/userspace/profile.yaml", "--allow-writable")
	prometheus := promtest.Start(t, s.address)
	keepMachineBusy(t)
	files, err := filepath.Glob("../dashboards/*.json")
	files = slices.DeleteFunc(files, programsOnly)
	if err != nil || len(files) < 10 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	var missing []dashboardQuery
	for _, file := range files {
		missing = append(missing, dashboardQueries(t, file)...)
	}
	var faults []string
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(time.Second) {
		missing, faults = stillMissing(prometheus, missing)
		if len(missing) == 0 || time.Now().After(end) {
			break
		}
	}
	for i, q := range missing {
		t.Errorf("%v: %s: %s", q, faults[i], q.promql())
	}
}

// stillMissing are the queries that show too little, and what is wrong with each.
func stillMissing(prometheus *promtest.Server, queries []dashboardQuery) (missing []dashboardQuery, faults []string) {
	for _, q := range queries {
		if fault := q.fault(prometheus.Query(q.promql())); fault != "" && !q.cannotShow() {
			missing, faults = append(missing, q), append(faults, fault)
		}
	}
	return missing, faults
}

// fault says what is wrong with the answer to a query.
func (q dashboardQuery) fault(samples []promtest.Sample) string {
	sum := 0.0
	for _, s := range samples {
		if math.IsInf(s.Value, 0) {
			return fmt.Sprintf("%v is %v", s.Metric, s.Value)
		}
		if !math.IsNaN(s.Value) { // a quantile of no events
			sum += math.Abs(s.Value)
		}
	}
	switch {
	case len(samples) == 0:
		return "no data"
	case q.file != "fleet.json" && q.row != "State of the scripts" && sum == 0:
		return "only zeros"
	}
	return ""
}

// keepMachineBusy starts processes, writes to a disk, loses TCP segments and UDP
// datagrams until the test is over.
func keepMachineBusy(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "ply-dashboard") // /tmp may be in memory
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", busy)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL); _ = cmd.Wait(); _ = os.RemoveAll(dir) })
	address := deafAddress(t)
	for range 20 {
		go dial(t, address)
	}
	go connectAndSend(t)
}

// busy is what a shell does meanwhile. It starts a program that is on the disk only, of which
// pages are read when they are touched.
const busy = `
exec >/dev/null 2>&1
cp "$(command -v perl)" program
while :; do
  sync program
  dd if=program of=/dev/null iflag=nocache count=0
  ./program -e 1
  dd if=/dev/zero of=blocks bs=4096 count=20 oflag=dsync
  dd if=blocks of=/dev/null bs=8192 iflag=direct
  dd if=/dev/zero bs=1 count=1 conv=fsync | cat
  sync
  for signal in KILL TERM SEGV; do sh -c "kill -$signal \$\$"; done
  su nobody -s /bin/sh -c 'chroot / /bin/true'
  echo 1 >/proc/sys/vm/compact_memory
  sleep 0.2
done`

// dial holds a connection, or the attempt to open one, until the test is over.
func dial(t *testing.T, address string) {
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
		<-t.Context().Done()
		_ = c.Close()
	}
}

// connectAndSend opens connections, some where nobody listens, sends datagrams that
// nobody reads, and asks for a process that there is not.
func connectAndSend(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return
	}
	defer listener.Close()
	deaf, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Error(err)
		return
	}
	defer deaf.Close()
	_ = deaf.SetReadBuffer(1)
	for ; t.Context().Err() == nil; time.Sleep(20 * time.Millisecond) {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			if server, err := listener.Accept(); err == nil {
				_ = server.Close()
			}
			_ = client.Close()
		}
		if c, err := net.Dial("tcp", "127.0.0.1:9"); err == nil {
			_ = c.Close()
		}
		if c, err := net.Dial("udp", deaf.LocalAddr().String()); err == nil {
			_, _ = c.Write(make([]byte, 1000))
			_ = c.Close()
		}
		_ = unix.PtraceAttach(math.MaxInt32)
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
