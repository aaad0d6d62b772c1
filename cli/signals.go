package cli

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// ends are the signals that end a run normally.
var ends = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// quitAtOnce makes ^\ exit the process immediately, without printing maps, and
// so does any signal of ends once the run is over but blocked, such as by output
// that nobody reads. The command is terminated too. The returned function
// restores the previous handling of these signals.
func quitAtOnce(child *child, over <-chan struct{}, stop func()) (restore func()) {
	quit, ended := make(chan os.Signal, 1), make(chan struct{})
	if os.Getenv(debugVariable) == "" { // otherwise ^\ prints the stacks of all goroutines
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

// ignoreHangups keeps SIGHUP from ending the process: service managers and log
// rotation send it to daemons to make them reload their configuration. The
// returned function restores the previous handling.
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
