package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// largeMachine is how many CPUs the machine could have whose kernel memory is
// asked for.
const largeMachine = "256"

var memoryRows = []row{{
	name: "kernel memory at " + largeMachine + " possible CPUs",
	values: []value{
		{name: "a counter by key", unit: "MB", most: 2, alone: true},
		{name: "a histogram by key", unit: "MB", most: 1, alone: true},
	},
	run: kernelMemory,
}}

const defaultMaps = `scripts:
  - name: bench
    script: |
      BEGIN { @counter[comm] = count(); @histogram[comm] = quantize(pid); }
`

// ofMap is what check says of a map's memory.
var ofMap = regexp.MustCompile(`series, about ([0-9.]+) (B|KiB|MiB|GiB) of kernel memory`)

// kernelMemory asks check for the memory of the maps of a script with a counter
// and a histogram.
func kernelMemory(path string) ([]float64, error) {
	folder, err := os.MkdirTemp("", "ply-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	config := filepath.Join(folder, "probes.yaml")
	if err := os.WriteFile(config, []byte(defaultMaps), 0o600); err != nil {
		return nil, err
	}
	text, err := exec.Command(path, "check", "--cpus", largeMachine, "--config", config).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("check: %w: %s", err, text)
	}
	found := ofMap.FindAllSubmatch(text, 2)
	if len(found) != 2 {
		return nil, fmt.Errorf("check does not say what two maps take: %s", text)
	}
	sizes := make([]float64, 2)
	for i, m := range found {
		if sizes[i], err = strconv.ParseFloat(string(m[1]), 64); err != nil {
			return nil, err
		}
		sizes[i] *= map[string]float64{"B": 1e-6, "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824}[string(m[2])]
	}
	return sizes, nil
}
