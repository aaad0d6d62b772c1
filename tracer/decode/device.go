package decode

import (
	"fmt"
	"os"
	"strings"

	"ply-exporter/bpfgen/object"
)

// device is a dev_t as the kernel has it inside (12 bits major, 20 minor), as
// the device's name, or major:minor when there is none.
func (d *Decoder) device(v object.Value) string {
	dev := uint32(v.Int())
	if name, ok := d.machine.devices.of(dev); ok {
		return name
	}
	return fmt.Sprintf("%d:%d", dev>>20, dev&(1<<20-1))
}

// readDevices reads lines "major minor name …". /proc/partitions has fewer devices:
// until Linux 5.17 drivers could keep theirs out of it.
func readDevices(file string) map[uint32]string {
	names := map[uint32]string{}
	b, err := os.ReadFile(file)
	if err != nil {
		return names
	}
	for line := range strings.Lines(string(b)) {
		var major, minor uint32
		var name string
		if n, _ := fmt.Sscan(line, &major, &minor, &name); n == 3 && len(names) < maxNames {
			names[major<<20|minor] = name
		}
	}
	return names
}
