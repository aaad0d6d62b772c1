package decode

import "ply-exporter/bpfgen/object"

// function is the traced function: a kernel address, shown without an offset,
// or the number of a system call, of which no address is as small.
func (d *Decoder) function(v object.Value) string {
	addr := uint64(v.Int())
	if addr < maxSyscall {
		return d.machine.sysName(int(addr))
	}
	if name, _, ok := d.machine.lookup(addr); ok {
		return name
	}
	return hexNumber(addr)
}
