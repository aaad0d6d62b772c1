package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errCrashed = errors.New("the guest ended without a status")

// A machine is how QEMU runs one architecture.
type machine struct {
	qemu    string
	cpus    int
	args    []string // %s stands for the file of the kernel's messages
	cmdline string
}

// machines has a row for each architecture. Only a PC has two serial ports: the
// first one gets the kernel's messages, the second one the programs' output. The
// other machines have one for both, so there the kernel is told to be quiet.
//
// A PC has the plain CPU: guests are up a tenth sooner than with "max",
// and what QEMU 7.2 gets wrong of AVX and ADX, which Go's packages use where
// they are, cannot disturb a test. RISC-V's firmware is the one that leaves the
// device tree where QEMU put it: fw_jump copies it to an address that is inside
// a kernel of 34 MB or more. Its guests with two CPUs hang within a minute
// of loading compiled BPF programs (QEMU 7.2, kernel 7.2).
var machines = map[string]machine{
	"amd64": {
		qemu: "qemu-system-x86_64",
		cpus: 2,
		args: []string{"-M", "q35,smm=off,vmport=off,usb=off,hpet=off", "-cpu", "qemu64",
			"-serial", "file:%s", "-serial", "stdio"},
		cmdline: "console=ttyS0 earlyprintk=serial,ttyS0 edd=off reboot=t",
	},
	"arm64": {
		qemu:    "qemu-system-aarch64",
		cpus:    2,
		args:    []string{"-M", "virt", "-cpu", "max,pauth-impdef=on", "-serial", "stdio"},
		cmdline: "console=ttyAMA0 quiet loglevel=3",
	},
	"riscv64": {
		qemu: "qemu-system-riscv64",
		cpus: 1,
		args: []string{"-M", "virt", "-serial", "stdio",
			"-bios", "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.elf"},
		cmdline: "console=ttyS0 quiet loglevel=3",
	},
}

// qemuCommand is the command that boots o's kernel. A guest that oopses ends
// instead of going on in some undefined way.
func qemuCommand(o options, initrd string) (*exec.Cmd, error) {
	m, ok := machines[o.arch]
	if !ok {
		return nil, fmt.Errorf("no architecture %s: want amd64, arm64 or riscv64", o.arch)
	}
	if o.cpus == 0 {
		o.cpus = m.cpus
	}
	args := []string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-accel", o.accel, "-smp", strconv.Itoa(o.cpus), "-m", strconv.Itoa(o.memory),
		"-kernel", o.kernel, "-initrd", initrd,
		"-append", strings.TrimSpace("panic=-1 oops=panic " + m.cmdline + " " + o.cmdline)}
	for _, arg := range m.args {
		args = append(args, strings.ReplaceAll(arg, "%s", o.console))
	}
	cmd := exec.Command(m.qemu, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}

// boot runs a guest to its end and returns the status it reports.
func boot(o options, initrd string, out *output) (int, error) {
	runtime.LockOSThread() // Pdeathsig goes by the thread that started the child
	defer runtime.UnlockOSThread()
	cmd, err := qemuCommand(o, initrd)
	if err != nil {
		return 0, err
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	timer := time.AfterFunc(o.timeout, func() { _ = cmd.Process.Kill() })
	out.copy(pipe)
	_ = cmd.Wait() // what the guest reported counts, not how QEMU ended
	inTime := timer.Stop()
	switch {
	case out.exited && out.err == nil:
		if !o.quiet {
			fmt.Fprintf(os.Stderr, "vmrun: ready after %.1f s, ended after %.1f s\n",
				out.ready.Sub(begin).Seconds(), time.Since(begin).Seconds())
		}
		return out.status, nil
	case out.err != nil:
		return 0, out.err
	case !inTime:
		return 0, fmt.Errorf("%w: killed after %v%s", errCrashed, o.timeout, lastMessages(o.console))
	default:
		return 0, fmt.Errorf("%w (QEMU: %v)%s", errCrashed, cmd.ProcessState, lastMessages(o.console))
	}
}

// lastMessages is the end of what the kernel had to say.
func lastMessages(console string) string {
	const keep = 40
	text, err := os.ReadFile(console)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "\nthe kernel's last messages:\n" + strings.Join(lines[max(0, len(lines)-keep):], "\n")
}
