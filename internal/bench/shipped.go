package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ply-exporter/configs"
	"ply-exporter/internal/stress"
)

// All configurations that come with the exporter, together.

var shippedRows = []row{{
	name: "all shipped configurations",
	values: []value{
		{name: "start to the first scrape", unit: "ms", most: 500, alone: true},
		{name: "resident memory", unit: "MB", most: 35, alone: true},
		{name: "peak resident memory", unit: "MB", alone: true},
		{name: "CPU of a scrape under load", unit: "ms", most: 15, alone: true},
		{name: "SIGTERM to the end", unit: "ms", most: 500, alone: true},
	},
	run: shipped,
}}

func shipped(path string) ([]float64, error) {
	folder := filepath.Join(filepath.Dir(path), "configs")
	if err := writeShipped(folder); err != nil {
		return nil, err
	}
	began := time.Now()
	s, err := start(path, folder)
	if err != nil {
		return nil, err
	}
	started := time.Since(began)
	defer s.end()
	var scrape []float64
	err = stress.Mixed(func() (err error) {
		scrape, err = s.scrapeOften(protobuf, "gzip")
		return err
	})
	if err != nil {
		return nil, err
	}
	resident, err := s.megabytes("VmRSS")
	if err != nil {
		return nil, err
	}
	peak, err := s.megabytes("VmHWM")
	began = time.Now()
	s.end()
	return []float64{ms(started), resident, peak, scrape[0], ms(time.Since(began))}, err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// writeShipped writes all shipped configurations to a folder.
func writeShipped(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	names, err := fs.Glob(configs.Files, "*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := configs.Files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
