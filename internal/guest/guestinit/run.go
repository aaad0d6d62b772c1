package main

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"time"

	"ply-exporter/internal/guest"
)

// Statuses of commands that did not end by themselves, as shells number them.
const (
	statusKilled   = 126
	statusNotFound = 127
)

// run runs one command, sends its files back and returns its status.
func run(c guest.Command) int {
	say("%s %s", guest.MarkStart, c.Name)
	ctx := context.Background()
	if c.Seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Seconds)*time.Second)
		defer cancel()
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, out, out
	cmd.Env = append(os.Environ(), c.Env...)
	status := statusOf(c.Name, cmd.Run())
	for _, name := range c.Fetch {
		sendBack(name)
	}
	say("%s %s status=%d wall=%.2f", guest.MarkEnd, c.Name, status, time.Since(start).Seconds())
	return status
}

func statusOf(name string, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case errors.As(err, &exit):
		complain("%s: %v", name, err)
		return statusKilled
	default:
		complain("%s: %v", name, err)
		return statusNotFound
	}
}

func sendBack(name string) {
	content, err := os.ReadFile(name)
	if err != nil {
		complain("%v", err)
		return
	}
	say("\n%s %s %s", guest.MarkFile, name, base64.StdEncoding.EncodeToString(content))
}
