package decode

import (
	"bufio"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/object"
)

// pciFiles are where distributions have the names of PCI devices.
var pciFiles = []string{"usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"}

// A pciKey says what has a name: a vendor, a device with its vendor above, a class, or a
// class with its subclass.
type pciKey struct {
	kind   byte
	number uint32
}

// The kinds of pciKey.
const (
	pciVendor   = 'v'
	pciDevice   = 'd'
	pciClass    = 'c'
	pciSubclass = 's'
)

// pciDevice is a number with the vendor in its upper 16 bits and the device in the lower
// ones as their names, or as lspci -n shows them.
func (d *Decoder) pciDevice(v object.Value) string {
	n := uint32(v.Int())
	vendor, ok := d.machine.pci.of(pciKey{pciVendor, n >> 16})
	if !ok {
		return fmt.Sprintf("%04x:%04x", n>>16, n&0xffff)
	}
	if device, ok := d.machine.pci.of(pciKey{pciDevice, n}); ok {
		return vendor + " " + device
	}
	return fmt.Sprintf("%s %04x", vendor, n&0xffff)
}

// pciClass is the class of a device with the subclass in its lower 8 bits as a name, or as
// lspci -n shows it.
func (d *Decoder) pciClass(v object.Value) string {
	n := uint32(v.Int()) & 0xffff
	if name, ok := d.machine.pci.of(pciKey{pciSubclass, n}); ok {
		return name
	}
	if name, ok := d.machine.pci.of(pciKey{pciClass, n >> 8}); ok {
		return name
	}
	return fmt.Sprintf("%04x", n)
}

// readPCI reads the first file of names that there is.
func readPCI(files fs.FS) map[pciKey]string {
	for _, name := range pciFiles {
		if f, err := files.Open(name); err == nil {
			defer func() { _ = f.Close() }()
			return parsePCI(bufio.NewScanner(f))
		}
	}
	return nil
}

// parsePCI reads lines "8086  Intel Corporation" of vendors, with those of their devices
// below, a tab further in, and "C 02  Network controller" of classes with their
// subclasses. What is two tabs in is of no interest.
func parsePCI(lines *bufio.Scanner) map[pciKey]string {
	names := map[pciKey]string{}
	var above pciKey
	for lines.Scan() && len(names) < maxNames {
		line := lines.Text()
		inner, below := strings.CutPrefix(line, "\t")
		id, name, ok := strings.Cut(strings.TrimPrefix(inner, "C "), "  ")
		n, err := strconv.ParseUint(id, 16, 16)
		if !ok || err != nil {
			continue
		}
		key := pciKey{pciVendor, uint32(n)}
		switch {
		case below && above.kind == pciVendor:
			key = pciKey{pciDevice, above.number<<16 | uint32(n)}
		case below:
			key = pciKey{pciSubclass, above.number<<8 | uint32(n)}
		case strings.HasPrefix(line, "C "):
			key.kind = pciClass
			fallthrough
		default:
			above = key
		}
		names[key] = name
	}
	return names
}
