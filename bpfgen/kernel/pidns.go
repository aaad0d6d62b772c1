package kernel

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// A PIDNamespace is one as BPF helpers are told of it: by the device of its
// file, as the kernel writes device numbers inside, and by its inode.
type PIDNamespace struct{ Device, Inode uint64 }

// initialPIDs is PROC_PID_INIT_INO, the inode of the namespace that the kernel
// starts with.
const initialPIDs = 0xeffffffc

// PIDNamespace returns the namespace in which this process has its ID. ok is
// false in the initial one, whose IDs are the kernel's own, and for a recorded
// kernel.
func (k *Kernel) PIDNamespace() (ns PIDNamespace, ok bool) {
	info, err := fs.Stat(k.files, "proc/self/ns/pid")
	if err != nil {
		return ns, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Ino == initialPIDs {
		return ns, false
	}
	device := stat.Dev
	return PIDNamespace{
		Device: uint64(unix.Major(device))<<20 | uint64(unix.Minor(device)),
		Inode:  stat.Ino,
	}, true
}
