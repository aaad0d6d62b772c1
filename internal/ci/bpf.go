package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

const tracefs = "/sys/kernel/tracing"

// mountTracefs mounts tracefs where it is not yet.
func mountTracefs() error {
	var st unix.Statfs_t
	if err := unix.Statfs(tracefs, &st); err == nil && st.Type == unix.TRACEFS_MAGIC {
		return nil
	}
	return unix.Mount("tracefs", tracefs, "tracefs", 0, "")
}

// loadOneProgram is the argument that makes this command load one program and
// end.
const loadOneProgram = "load-one-program"

// loadsPrograms asks in a child process whether the kernel still loads BPF
// programs: a kernel can hang there for good (docs/testing.md), and a process
// that waits for it cannot be killed.
func loadsPrograms() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, loadOneProgram)
	done := make(chan error, 1)
	go func() {
		text, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("loading a BPF program: %w: %s", err, text)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("this kernel has stopped loading BPF programs; only a restart of the machine helps")
	}
}

// loadProgram is what the child process does.
func loadProgram() int {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.RawTracepoint,
		License:      "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		fmt.Fprint(os.Stderr, err)
		return 1
	}
	prog.Close()
	return 0
}
