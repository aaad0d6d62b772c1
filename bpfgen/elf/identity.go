package elf

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// overlayMagic is what the kernel calls the file systems of containers.
const overlayMagic = 0x794c7630

// Identity tells a file from all others, by the path that leads to it. The kernel attaches
// to the file below an overlay, which containers of one image share: it is one file for all
// of them, though each has it on a device of its own. A container that has changed its file
// has another one, of which the number may be the same, but not when it was made.
func Identity(name string) (device, inode uint64, err error) {
	var stat syscall.Stat_t
	var file syscall.Statfs_t
	if err := syscall.Stat(name, &stat); err != nil {
		return 0, 0, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if err := syscall.Statfs(name, &file); err == nil && uint32(file.Type) == overlayMagic {
		return overlayMagic<<32 ^ uint64(made(name, &stat)), stat.Ino, nil
	}
	return uint64(stat.Dev), stat.Ino, nil //nolint:unconvert // it is of 32 bits elsewhere
}

// made is when a file was made, in nanoseconds, or changed, where its file system does not
// keep that: a file whose mode has changed is taken for another one there.
func made(name string, stat *syscall.Stat_t) int64 {
	var more unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, 0, unix.STATX_BTIME, &more); err == nil && more.Mask&unix.STATX_BTIME != 0 {
		return more.Btime.Sec*1e9 + int64(more.Btime.Nsec)
	}
	return stat.Ctim.Nano()
}
