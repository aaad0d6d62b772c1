package tracer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const tracefs = "/sys/kernel/tracing"

// MountTracefs mounts tracefs at /sys/kernel/tracing unless it is there
// already. It needs CAP_SYS_ADMIN; the error says what to do without it.
func MountTracefs() error {
	for _, folder := range []string{tracefs, "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(folder + "/events"); err == nil {
			return nil
		}
	}
	if err := unix.Mount("tracefs", tracefs, "tracefs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("tracefs is not mounted, and mounting it failed (%w): as root, run mount -t tracefs tracefs %s", err, tracefs)
	}
	return nil
}
