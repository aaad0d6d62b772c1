package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/configs"
)

// What a change and a restart take of an exporter that runs.

var restartRows = []row{{
	name:   "one of twelve scripts that has changed",
	values: []value{{name: "a reload", unit: "ms", most: 60, alone: true}},
	run:    reload,
}, {
	name: "pinned scripts",
	values: []value{
		{name: "take-over of the built-in configuration, to the first scrape", unit: "ms", most: 100, alone: true},
		{name: "take-over of all shipped configurations, to the first scrape", unit: "ms", most: 100, alone: true},
	},
	run: takeOver,
}}

// reload is how long the quickest of some reloads takes in which one script of twelve has
// changed.
func reload(path string) ([]float64, error) {
	file := filepath.Join(filepath.Dir(path), "probes.yaml")
	s, err := serve(path, twelve("comm"), "--web.enable-lifecycle")
	if err != nil {
		return nil, err
	}
	defer s.end()
	least := time.Hour
	for i := range 10 {
		if err := os.WriteFile(file, []byte(twelve([]string{"uid", "comm"}[i%2])), 0o600); err != nil {
			return nil, err
		}
		time.Sleep(200 * time.Millisecond) // what the last one needed is given back by then
		began := time.Now()
		if err := s.post("/-/reload"); err != nil {
			return nil, err
		}
		least = min(least, time.Since(began))
	}
	return []float64{ms(least)}, nil
}

// twelve are the scripts of the built-in configuration and others, of which one counts by
// a key.
func twelve(key string) string {
	text := string(configs.Quickstart)
	for i := strings.Count(text, "\n  - name: "); i < 11; i++ {
		text += fmt.Sprintf("  - name: more_%d\n    script: |\n      kprobe:SyS_read { @[cpu] = count(); }\n", i)
	}
	return text + "  - name: changed\n    script: |\n      kprobe:SyS_write { @[" + key + "] = count(); }\n"
}

func (s *server) post(path string) error {
	answer, err := http.Post(strings.TrimSuffix(s.url, "/metrics")+path, "", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	return nil
}

// takeOver is how long an exporter takes until it has answered a scrape whose scripts run
// already, pinned by the one before.
func takeOver(path string) ([]float64, error) {
	folder := filepath.Dir(path)
	if err := writeShipped(filepath.Join(folder, "configs")); err != nil {
		return nil, err
	}
	builtIn := filepath.Join(folder, "probes.yaml")
	if err := os.WriteFile(builtIn, configs.Quickstart, 0o600); err != nil {
		return nil, err
	}
	var took []float64
	for _, config := range []string{builtIn, filepath.Join(folder, "configs")} {
		one, err := takeOverOf(path, config)
		if err != nil {
			return nil, err
		}
		took = append(took, ms(one))
	}
	return took, nil
}

func takeOverOf(path, config string) (took time.Duration, err error) {
	pins := filepath.Join(filepath.Dir(path), "pins")
	if err := os.MkdirAll(pins, 0o700); err != nil {
		return 0, err
	}
	if err := unix.Mount("bpf", pins, "bpf", 0, ""); err != nil {
		return 0, fmt.Errorf("a folder for pins: %w", err)
	}
	defer unix.Unmount(pins, 0)
	if err := os.Chmod(pins, 0o700); err != nil {
		return 0, err
	}
	defer func() {
		if undo := command(".", path, "unpin", "--bpf.pin-path", pins); err == nil {
			err = undo
		}
	}()
	for range 2 {
		began := time.Now()
		s, err := start(path, config, "--bpf.pin-path", pins)
		if err != nil {
			return 0, err
		}
		took = time.Since(began)
		time.Sleep(time.Second) // the start is over
		s.end()
	}
	return took, nil
}
