package decode

import (
	"fmt"
	"os"
	"strings"
	"time"

	"ply-exporter/bpfgen/object"
)

// devices knows block devices' names by number. A number that is not known
// makes it read them again, at most once in a while: devices come and go.
type devices struct {
	names map[uint32]string
	read  time.Time
}

const deviceRefresh = 10 * time.Second

// device is a dev_t as the kernel has it inside (12 bits major, 20 minor), as
// the device's name, or major:minor when there is none.
func (d *Decoder) device(v object.Value) string {
	if d.devices == nil {
		d.devices = &devices{}
	}
	dev := uint32(v.Int())
	name, ok := d.devices.names[dev]
	if !ok && time.Since(d.devices.read) > deviceRefresh {
		d.devices.names, d.devices.read = readDevices("/proc/partitions"), time.Now()
		name, ok = d.devices.names[dev]
	}
	if ok {
		return name
	}
	return fmt.Sprintf("%d:%d", dev>>20, dev&(1<<20-1))
}

// readDevices reads lines "major minor blocks name".
func readDevices(file string) map[uint32]string {
	names := map[uint32]string{}
	b, err := os.ReadFile(file)
	if err != nil {
		return names
	}
	for line := range strings.Lines(string(b)) {
		var major, minor uint32
		var blocks uint64
		var name string
		if n, _ := fmt.Sscan(line, &major, &minor, &blocks, &name); n == 4 {
			names[major<<20|minor] = name
		}
	}
	return names
}
