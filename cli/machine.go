package cli

import (
	"log/slog"
	"sync"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter"
	"ply-exporter/report"
	"ply-exporter/tracer"
)

// openKernel reads what is known of this machine's kernel, once in a process:
// its types and symbols take a while.
var openKernel = sync.OnceValues(func() (*kernel.Kernel, error) {
	k, err := kernel.Running()
	if err == nil {
		tracer.Detect(k)
	}
	return k, err
})

// openMachine is openKernel for commands that look at what can be attached to.
func openMachine() (*kernel.Kernel, error) {
	_ = tracer.MountTracefs() // whoever needs it reports what is wrong
	return openKernel()
}

// openBackend returns what compiles for, and runs on, this machine.
func openBackend(log *slog.Logger, attach string) (exporter.Backend, error) {
	k, err := openMachine()
	if err != nil {
		return nil, err
	}
	backend := exporter.NewBackend(k, log, attach == attachPlain)
	backend.Sprintf = report.Sprintf
	return backend, nil
}
