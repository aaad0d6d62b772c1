package decode

import (
	"strconv"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// maxSyscall is above all numbers of system calls, and below all addresses.
const maxSyscall = 4096

// syscall is the name of a system call's number; "sys_472" where that may be a
// call without a known name.
func (d *Decoder) syscall(v object.Value) string {
	n := v.Int()
	if n < 0 || n >= kernel.SyscallLimit {
		return strconv.FormatInt(n, 10)
	}
	if name, ok := d.machine.kernel.Arch().SyscallName(int(n)); ok {
		return name
	}
	return sysNumber(int(n))
}

// sysName is the name of a system call's number as the kernel's function of old.
func (m *Machine) sysName(n int) string {
	if name, ok := m.kernel.Arch().SyscallName(n); ok {
		return "sys_" + name
	}
	return sysNumber(n)
}

func sysNumber(n int) string { return "sys_" + strconv.Itoa(n) }
