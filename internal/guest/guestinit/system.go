package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/guest"
)

// mounts are made in this order; each source is its type's own name.
var mounts = []struct{ typ, dir string }{
	{"devtmpfs", "/dev"},
	{"proc", "/proc"},
	{"sysfs", "/sys"},
	{"tmpfs", "/tmp"},
	{"tmpfs", "/run"},
	{"devpts", "/dev/pts"},
	{"tmpfs", "/dev/shm"},
	{"tracefs", "/sys/kernel/tracing"},
	{"debugfs", "/sys/kernel/debug"},
	{"bpf", "/sys/fs/bpf"},
	{"cgroup2", "/sys/fs/cgroup"},
}

func mountAll() {
	for _, m := range mounts {
		os.MkdirAll(m.dir, 0o755)
		if err := unix.Mount(m.typ, m.dir, m.typ, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			complain("mount %s: %v", m.dir, err)
		}
	}
}

func loadModules() {
	names, _ := filepath.Glob(guest.ModulesDir + "/*.ko")
	for _, name := range names {
		image, err := os.ReadFile(name)
		if err == nil {
			err = unix.InitModule(image, "")
		}
		if err != nil {
			complain("module %s: %v", name, err)
		}
	}
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// powerOff reports the status and ends the machine; it does not return.
func powerOff(status int) {
	say("%s %d", guest.MarkExit, status)
	// TCSBRK with an argument drains the port before the machine goes.
	_ = unix.IoctlSetInt(int(out.Fd()), unix.TCSBRK, 1)
	if runtime.GOARCH == "amd64" {
		// A restart ends QEMU at once because of -no-reboot; powering off
		// takes ACPI, which costs half a second more.
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}
