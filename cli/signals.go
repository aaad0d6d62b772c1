package cli

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ends are the signals that end a run normally.
var ends = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// interrupts handles the signals that end a run. The first one of ends stops the
// script. One that arrives when the script has stopped by itself leaves the maps
// the time of maxDelay to be printed, and then exits the process. The second one
// does so immediately, and ^\ at any time. The command is terminated too.
type interrupts struct {
	child   *child
	signals chan os.Signal
	first   chan struct{} // closed by the first signal
	stopped chan struct{} // closed when the script has stopped
	printed chan struct{} // closed when its maps are printed
	over    chan struct{}
}

// handleInterrupts begins to handle the signals of a run; restore ends it.
func handleInterrupts(child *child) *interrupts {
	i := &interrupts{child, make(chan os.Signal, 2), make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})}
	signal.Notify(i.signals, ends...)
	if os.Getenv(debugVariable) == "" { // otherwise ^\ prints the stacks of all goroutines
		signal.Notify(i.signals, syscall.SIGQUIT)
	}
	go i.handle()
	return i
}

func (i *interrupts) handle() {
	for {
		select {
		case sig := <-i.signals:
			if sig == syscall.SIGQUIT || isClosed(i.first) {
				quitBy(sig, i.child)
			}
			if close(i.first); isClosed(i.stopped) {
				time.AfterFunc(maxDelay, func() { i.quitUnlessPrinted(sig) })
			}
		case <-i.over:
			return
		}
	}
}

func (i *interrupts) quitUnlessPrinted(sig os.Signal) {
	if !isClosed(i.printed) {
		quitBy(sig, i.child)
	}
}

// restore restores the previous handling of the signals.
func (i *interrupts) restore() {
	signal.Stop(i.signals)
	close(i.over)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// quitBy terminates the command and exits with the status for the signal.
func quitBy(sig os.Signal, child *child) {
	child.terminate()
	if n, ok := sig.(syscall.Signal); ok {
		os.Exit(128 + int(n))
	}
}

// ignoreSIGPIPE makes a write to a closed pipe return an error instead of
// killing the process. The returned function restores the previous handling.
func ignoreSIGPIPE() (restore func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}
