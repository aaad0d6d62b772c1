package decode

import (
	"strconv"

	"ply-exporter/bpfgen/object"
)

// maxSyscall is above all numbers of system calls, and below all addresses.
const maxSyscall = 4096

// syscall is the name of a system call's number.
func (d *Decoder) syscall(v object.Value) string {
	n := v.Int()
	if n < 0 || n >= maxSyscall {
		return strconv.FormatInt(n, 10)
	}
	return d.machine.syscallName(int(n))
}

func (m *Machine) syscallName(n int) string {
	if name, ok := m.kernel.Arch().SyscallName(n); ok {
		return name
	}
	return strconv.Itoa(n)
}
