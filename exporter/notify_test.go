package exporter

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/exporter/config"
)

// A heard is a service manager that listens.
type heard struct{ conn *net.UnixConn }

// listenAsManager makes this process's environment that of a service with a
// watchdog of a second.
func listenAsManager(t *testing.T) heard {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "1000000")
	return heard{conn}
}

// next is what the manager hears next, "" if that is nothing for a while.
func (h heard) next(while time.Duration) string {
	_ = h.conn.SetReadDeadline(time.Now().Add(while))
	b := make([]byte, 1000)
	n, _ := h.conn.Read(b)
	return string(b[:n])
}

// until reads up to a message.
func (h heard) until(t *testing.T, want string) {
	t.Helper()
	for {
		switch got := h.next(time.Minute); {
		case strings.HasPrefix(got, want):
			return
		case got != "WATCHDOG=1":
			t.Fatalf("the service manager hears %q, want %q", got, want)
		}
	}
}

// The service manager hears when the scripts run, then signs of life as long as
// scrapes get their turn, and that the exporter stops.
func TestServiceManagerHears(t *testing.T) {
	manager := listenAsManager(t)
	stuck := &fakeTracer{block: make(chan struct{})}
	b := &fakeBackend{scripts: map[string]string{"S": on(`@[comm] = count();`)}, tracers: map[string]*fakeTracer{"S": stuck}}
	cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML("")))
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddress(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	reload, opt := make(chan os.Signal), testOptions(b, addr)
	opt.Reload, opt.Load = reload, func() (*config.Config, error) { return cfg, nil }
	go func() { ended <- Serve(ctx, cfg, opt) }()
	manager.until(t, "READY=1\nSTATUS=1 of 1 scripts run")
	manager.until(t, "WATCHDOG=1")
	manager.until(t, "WATCHDOG=1")

	reload <- syscall.SIGHUP
	manager.until(t, "RELOADING=1\nMONOTONIC_USEC=")
	manager.until(t, "READY=1\nSTATUS=1 of 1 scripts run")

	scraped := make(chan int)
	go func() { status, _ := get(t, "http://"+addr+"/metrics"); scraped <- status }()
	stuck.block <- struct{}{} // the scrape has begun to read, and …
	close(stuck.block)        // … goes on
	if status := <-scraped; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	stuck.block = make(chan struct{})
	go func() { status, _ := get(t, "http://"+addr+"/metrics?again"); scraped <- status }()
	for sent := 0; manager.next(2*time.Second) != ""; sent++ { // before the scrape began
		if sent == 100 {
			t.Fatal("signs of life, although a scrape hangs")
		}
	}
	close(stuck.block)
	<-scraped
	manager.until(t, "WATCHDOG=1")
	cancel()
	manager.until(t, "STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// It hears of scripts that are detached for their budget, and that they are back.
func TestServiceManagerHearsOfBudgets(t *testing.T) {
	manager := listenAsManager(t)
	in := reloading(t, &reloadBackend{}, "scripts:\n"+countA+countB)
	in.manager.log = in.opt.Log
	in.detach(in.collector.scripts[0])
	manager.until(t, "STATUS=1 of 2 scripts run")
	in.startAgain(in.collector.scripts[0], "")
	manager.until(t, "STATUS=2 of 2 scripts run")
}
