package cli

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// ends are the signals that end a run in order.
var ends = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// quitAtOnce has the process end at once, without its maps, by ^\, or by a
// signal of ends when the run is over already and something holds it up, such
// as output that nobody reads. The command ends all the same. The function it
// returns restores what these signals did before.
func quitAtOnce(child *child, over <-chan struct{}, stop func()) (restore func()) {
	quit, ended := make(chan os.Signal, 1), make(chan struct{})
	if os.Getenv(debugVariable) == "" { // else ^\ shows what every goroutine does
		signal.Notify(quit, syscall.SIGQUIT)
	}
	go func() {
		select {
		case sig := <-quit:
			quitBy(sig, child)
		case <-over:
		}
		signal.Notify(quit, ends...)
		stop()
		select {
		case sig := <-quit:
			quitBy(sig, child)
		case <-ended:
			signal.Stop(quit)
		}
	}()
	return func() { close(ended) }
}

// quitBy ends the process as the signal would, and the command.
func quitBy(sig os.Signal, child *child) {
	child.terminate()
	if n, ok := sig.(syscall.Signal); ok {
		os.Exit(128 + int(n))
	}
}

// ignoreSIGPIPE has a write fail whose reader has left, instead of ending the
// process. The function it returns restores what the signal did before.
func ignoreSIGPIPE() (restore func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}

// ignoreHangups keeps SIGHUP from ending the process: service managers and
// rotation of logs send it to daemons to have them reload their configuration.
// The function it returns restores what SIGHUP did before.
func ignoreHangups(log *slog.Logger) (restore func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			log.Warn("SIGHUP ignored: the configuration is not reloaded; restart the exporter to apply changes")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}
