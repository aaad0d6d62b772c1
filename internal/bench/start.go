package main

import (
	"time"
	"unsafe"

	"ply-exporter/configs"
)

var startRows = []row{{
	name:   "built-in configuration",
	values: []value{{name: "resident memory after the start", unit: "MB", ratio: 0.85}},
	run: func(path string) ([]float64, error) {
		s, err := serve(path, string(configs.Quickstart))
		if err != nil {
			return nil, err
		}
		defer s.end()
		time.Sleep(2 * time.Second) // what the start alone needed is given back by then
		for range 5 {
			if _, err := s.scrape("", "identity"); err != nil {
				return nil, err
			}
		}
		resident, err := s.megabytes("VmRSS")
		return []float64{resident}, err
	},
}}

func uintptrOf(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
