package exporter

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A manager is the service manager that started the exporter, which hears of its
// state where it asked for that (NOTIFY_SOCKET, WATCHDOG_USEC; sd_notify(3)).
// Other managers take no part.
type manager struct {
	log    *slog.Logger
	logged sync.Once // that a message was not taken
}

// tell sends a state.
func (m *manager) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.logged.Do(func() { m.log.Warn("the service manager does not hear of the exporter's state", "err", err) })
	}
}

// ready says that the scripts run, or those that can.
func (m *manager) ready(scripts []*script) {
	m.tell(daemon.SdNotifyReady + "\n" + statusOf(scripts))
}

// changed says that other scripts run than before.
func (m *manager) changed(scripts []*script) { m.tell(statusOf(scripts)) }

func statusOf(scripts []*script) string {
	run, wait := 0, 0
	for _, s := range scripts {
		switch {
		case s.counts():
			run++
		case s.waits() != nil:
			wait++
		}
	}
	text := fmt.Sprintf("STATUS=%d of %d scripts run", run, len(scripts))
	if wait > 0 {
		text += fmt.Sprintf(", %d waiting for a program", wait)
	}
	return text
}

// reloading says that the configuration is being loaded again. It is over when
// ready is said.
func (m *manager) reloading() {
	m.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// watch tells the manager's watchdog, while it waits for end, that scrapes still
// get their turn: whoever hangs in the kernel while it reads a map keeps it from
// everybody, and then no scrape has an answer until the exporter is restarted. It
// does not read maps itself, and opens no connection that a firewall could refuse.
func (m *manager) watch(c *collector, end <-chan struct{}) {
	const times = 3 // as many in each period, so that one may be late
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("the service manager's watchdog gets no signs of life", "err", err)
	}
	if period == 0 || err != nil {
		return
	}
	tick := time.NewTicker(period / times)
	defer tick.Stop()
	for {
		c.wait()
		m.tell(daemon.SdNotifyWatchdog)
		select {
		case <-end:
			return
		case <-tick.C:
		}
	}
}

// wait returns when no scrape is under way.
func (c *collector) wait() {
	c.lock.Lock()
	defer c.lock.Unlock()
}
