package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server is an exporter in a process of its own.
type server struct {
	url string
	cmd *exec.Cmd
}

// serve starts the program at path with a configuration, and returns once it
// has answered a scrape.
func serve(path, config string, args ...string) (*server, error) {
	file := filepath.Join(filepath.Dir(path), "probes.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return start(path, file, args...)
}

// start does so with a configuration in a file or folder.
func start(path, config string, args ...string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args = append([]string{"--config", config, "--web.listen-address", address, "--log.level", "error"}, args...)
	s := &server{url: "http://" + address + "/metrics", cmd: exec.Command(path, args...)}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 5000 {
		if _, err = s.scrape("", "identity"); err == nil {
			return s, nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.end()
	return nil, fmt.Errorf("the exporter does not answer: %w", err)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *server) end() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// scrape reads a page to its end, in the format and encoding asked for, and
// returns the number of its bytes.
func (s *server) scrape(accept, encoding string) (int64, error) {
	request, err := http.NewRequest(http.MethodGet, s.url, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", encoding)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, errors.New(answer.Status)
	}
	return io.Copy(io.Discard, answer.Body)
}

// cpu is the processor time that the process used so far, its system calls
// included, in steps of 10 ms.
func (s *server) cpu() (time.Duration, error) {
	text, err := s.proc("stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100, err
}

// megabytes reads a line of /proc/PID/status: VmRSS is what is resident now,
// VmHWM the most that ever was.
func (s *server) megabytes(line string) (float64, error) {
	text, err := s.proc("status")
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(text, []byte(line+":"))
	if !ok {
		return 0, fmt.Errorf("/proc/PID/status has no %s", line)
	}
	kb, err := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
	return kb / 1024, err
}

func (s *server) proc(file string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file))
}
