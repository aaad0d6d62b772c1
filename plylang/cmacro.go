package plylang

import "fmt"

// Macros of C
//
// A kernel's types have the names of its enums, but macros are gone before
// anything is compiled. Who writes one is told its number. The table has common
// ones whose number is the same on all architectures.
var cMacros = map[string]uint64{
	"EPERM": 1, "ENOENT": 2, "ESRCH": 3, "EINTR": 4, "EIO": 5, "ENXIO": 6, "E2BIG": 7, "ENOEXEC": 8, "EBADF": 9,
	"ECHILD": 10, "EAGAIN": 11, "EWOULDBLOCK": 11, "ENOMEM": 12, "EACCES": 13, "EFAULT": 14, "EBUSY": 16, "EEXIST": 17,
	"EXDEV": 18, "ENODEV": 19, "ENOTDIR": 20, "EISDIR": 21, "EINVAL": 22, "ENFILE": 23, "EMFILE": 24, "ENOTTY": 25,
	"EFBIG": 27, "ENOSPC": 28, "ESPIPE": 29, "EROFS": 30, "EMLINK": 31, "EPIPE": 32, "ERANGE": 34, "EDEADLK": 35,
	"ENAMETOOLONG": 36, "ENOSYS": 38, "ENOTEMPTY": 39, "ELOOP": 40, "EPROTO": 71, "EOVERFLOW": 75, "EMSGSIZE": 90,
	"EOPNOTSUPP": 95, "EADDRINUSE": 98, "EADDRNOTAVAIL": 99, "ENETUNREACH": 101, "ECONNABORTED": 103, "ECONNRESET": 104,
	"ENOBUFS": 105, "EISCONN": 106, "ENOTCONN": 107, "ETIMEDOUT": 110, "ECONNREFUSED": 111, "EHOSTUNREACH": 113,
	"EALREADY": 114, "EINPROGRESS": 115, "EDQUOT": 122, "ECANCELED": 125,

	"O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_ACCMODE": 3, "O_CREAT": 0x40, "O_EXCL": 0x80, "O_NOCTTY": 0x100, "O_TRUNC": 0x200,
	"O_APPEND": 0x400, "O_NONBLOCK": 0x800, "O_DSYNC": 0x1000, "O_CLOEXEC": 0x80000, "O_SYNC": 0x101000, "O_PATH": 0x200000,

	"CLONE_VM": 0x100, "CLONE_FS": 0x200, "CLONE_FILES": 0x400, "CLONE_SIGHAND": 0x800, "CLONE_VFORK": 0x4000,
	"CLONE_THREAD": 0x10000, "CLONE_NEWNS": 0x20000, "CLONE_NEWCGROUP": 0x2000000, "CLONE_NEWUTS": 0x4000000,
	"CLONE_NEWIPC": 0x8000000, "CLONE_NEWUSER": 0x10000000, "CLONE_NEWPID": 0x20000000, "CLONE_NEWNET": 0x40000000,

	"PROT_READ": 1, "PROT_WRITE": 2, "PROT_EXEC": 4, "MAP_SHARED": 1, "MAP_PRIVATE": 2, "MAP_FIXED": 0x10, "MAP_ANONYMOUS": 0x20,
	"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17,
	"SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "IPPROTO_ICMP": 1, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17,
	"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8, "SIGKILL": 9, "SIGUSR1": 10,
	"SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15, "SIGCHLD": 17, "SIGCONT": 18, "SIGSTOP": 19, "SIGTSTP": 20,
	"TCGETS": 0x5401, "TCSETS": 0x5402, "TIOCGWINSZ": 0x5413, "FIONREAD": 0x541b,
	"S_IFMT": 0xf000, "S_IFSOCK": 0xc000, "S_IFLNK": 0xa000, "S_IFREG": 0x8000, "S_IFBLK": 0x6000, "S_IFDIR": 0x4000, "S_IFCHR": 0x2000, "S_IFIFO": 0x1000,
}

// cMacro says what to write instead of a macro of C; "" for what is none.
func cMacro(name string) string {
	n, ok := cMacros[name]
	switch {
	case name == "AT_FDCWD":
		return ", a macro of C: write -100"
	case !ok:
		return ""
	case name == "O_SYNC":
		return fmt.Sprintf(", a macro of C: write (x & %#x) == %#x, because O_DSYNC is one of its bits", n, n)
	case name[0] == 'E':
		return fmt.Sprintf(", a macro of C: write %d; a call that fails with it returns -%d", n, n)
	case n < 64:
		return fmt.Sprintf(", a macro of C: write %d", n)
	}
	return fmt.Sprintf(", a macro of C: write %#x", n)
}
