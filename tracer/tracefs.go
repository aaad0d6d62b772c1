package tracer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// MountTracefs mounts tracefs at /sys/kernel/tracing unless it is there
// already. It needs CAP_SYS_ADMIN; the error says what to do without it.
func MountTracefs() error {
	for _, folder := range tracefs {
		if _, err := os.Stat(folder + "/events"); err == nil {
			return nil
		}
	}
	if err := unix.Mount("tracefs", tracefs[0], "tracefs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("tracefs is not mounted, and mounting it failed (%w): as root, run mount -t tracefs tracefs %s", err, tracefs[0])
	}
	return nil
}
