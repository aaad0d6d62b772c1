package exporter

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
)

// Where the test below runs itself as an exporter: "ADDRESS CGROUP".
const asStalledServer = "PLY_TEST_STALLED"

const (
	stalledSeries = 50_000
	stalledMemory = 128 << 20
)

// An exporter of 50,000 series in a memory cgroup of 128 MiB lives beside 200
// clients that ask and do not read, and answers one that does.
func TestStalledClientsInAMemoryCgroup(t *testing.T) {
	if place := os.Getenv(asStalledServer); place != "" {
		serveToStalledClients(t, place)
		return
	}
	need.Root(t)
	addr, group := freeAddress(t), memoryGroup(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestStalledClientsInAMemoryCgroup$")
	cmd.Env = append(os.Environ(), asStalledServer+"="+addr+" "+group)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stdin.Close() // ends it
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	waitFor(t, "ready", func() bool { status, _ := get(t, "http://"+addr+"/-/ready"); return status == http.StatusOK })
	for i := range 200 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		path := []string{"/metrics", "/metrics", "/"}[i%3]
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/plain;x=%d\r\n\r\n", path, i)
		time.Sleep(10 * time.Millisecond)
	}
	waitFor(t, "answered", func() bool {
		status, body := get(t, "http://"+addr+"/metrics")
		return status == http.StatusOK && strings.Count(body, "\nply_net_total{") == stalledSeries
	})
	t.Logf("at most %s of memory", peak(group))
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s within a minute", what)
		}
	}
}

// memoryGroup makes a memory cgroup of either version.
func memoryGroup(t *testing.T) string {
	t.Helper()
	root, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		root, file = "/sys/fs/cgroup", "memory.max"
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory"), 0)
	}
	group := filepath.Join(root, fmt.Sprintf("ply-test-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	if err := os.WriteFile(filepath.Join(group, file), []byte(strconv.Itoa(stalledMemory)), 0); err != nil {
		t.Fatal(err)
	}
	return group
}

func peak(group string) string {
	for _, name := range []string{"memory.max_usage_in_bytes", "memory.peak"} {
		if b, err := os.ReadFile(filepath.Join(group, name)); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	return "unknown"
}

// serveToStalledClients serves until standard input ends.
func serveToStalledClients(t *testing.T, place string) {
	addr, group, _ := strings.Cut(place, " ")
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		t.Fatal(err)
	}
	var rows []pair
	for i := range stalledSeries {
		rows = append(rows, pair{binary.LittleEndian.AppendUint64(chars("process"), uint64(i)), words(int64(i) * 1000)})
	}
	b := &fakeBackend{
		scripts: map[string]string{"S": on(`@[comm, pid] = count();`)},
		tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"@": rows}}},
	}
	cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML("")))
	if err != nil {
		t.Fatal(err)
	}
	opt := testOptions(b, addr)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		cancel()
	}()
	if err := Serve(ctx, cfg, opt); err != nil {
		t.Error(err)
	}
}
