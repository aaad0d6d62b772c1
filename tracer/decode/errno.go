package decode

import (
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// success is what no error is called.
const success = "OK"

// internalErrors are those that functions of the kernel return, and system calls
// before the kernel restarts them, but no program sees (include/linux/errno.h).
var internalErrors = map[int64]string{
	512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 515: "ENOIOCTLCMD", 516: "ERESTART_RESTARTBLOCK",
	517: "EPROBE_DEFER", 518: "EOPENSTALE", 519: "ENOPARAM",
	521: "EBADHANDLE", 522: "ENOTSYNC", 523: "EBADCOOKIE", 524: "ENOTSUPP", 525: "ETOOSMALL", 526: "ESERVERFAULT",
	527: "EBADTYPE", 528: "EJUKEBOX", 529: "EIOCBQUEUED", 530: "ERECALLCONFLICT", 531: "ENOGRACE",
}

// errnoName takes an error number of either sign: -2 and 2 are ENOENT.
func errnoName(_ *Decoder, v object.Value) string {
	n := v.Int()
	if n < 0 {
		n = -n
	}
	if n == 0 {
		return success
	}
	if name := unix.ErrnoName(unix.Errno(n)); name != "" {
		return name
	}
	if name := internalErrors[n]; name != "" {
		return name
	}
	return Number(v)
}
