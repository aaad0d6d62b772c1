package exporter_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/prometheus/exporter-toolkit/web"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

const probes = `
scripts:
  - name: syscalls
    script: |
      kprobe:SyS_* { $syscalls[func].count() }
`

// Serve a configuration until ^C.
func ExampleServe() {
	k, err := kernel.Running()
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer.Detect(k)
	cfg, err := config.Parse("probes.yaml", []byte(probes))
	if err != nil {
		fmt.Println(plylang.Detail(err))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	noTLS := ""
	err = exporter.Serve(ctx, cfg, exporter.Options{
		Backend:       exporter.NewBackend(k, slog.Default(), false),
		Log:           slog.Default(),
		Web:           &web.FlagConfig{WebListenAddresses: &[]string{":10759"}, WebConfigFile: &noTLS},
		TelemetryPath: "/metrics",
		MaxRequests:   100,
		MaxSeries:     50000,
	})
	if err != nil {
		fmt.Println(plylang.Detail(err))
	}
}
