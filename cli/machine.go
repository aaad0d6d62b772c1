package cli

import (
	"log/slog"
	"sync"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter"
	"ply-exporter/tracer"
)

// openKernel opens the running kernel, once per process: reading its types and
// symbols takes time.
var openKernel = sync.OnceValues(func() (*kernel.Kernel, error) {
	k, err := kernel.Running()
	if err == nil {
		tracer.Detect(k)
	}
	return k, err
})

// openMachine is openKernel for commands that need tracefs.
func openMachine() (*kernel.Kernel, error) {
	_ = tracer.MountTracefs() // whoever needs it reports what is wrong
	return openKernel()
}

// openBackend returns the backend that compiles for and attaches to this machine.
func openBackend(log *slog.Logger, attach string) (*exporter.KernelBackend, error) {
	k, err := openMachine()
	if err != nil {
		return nil, err
	}
	return exporter.NewBackend(k, log, attach == attachPlain), nil
}
