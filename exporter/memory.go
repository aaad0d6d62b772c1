package exporter

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Memory
//
// Starting takes more than counting: the kernel's types are decoded, scripts are
// compiled, and half of the program runs that never runs again. What that took
// is given back once, when all scripts were started and whoever asked meanwhile has been
// answered. Until then the heap may grow by more than is in use before it is collected,
// as little of it would be found to be garbage. Later it may grow by
// a half, instead of by all, of what is in use:
// keys and series are memory without pointers, so a collection costs little.

// How many percent the heap may grow by, unless the user says it.
const (
	startPercent = 200
	gcPercent    = 50
)

func allowGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// giveBack gives back what only the start needed.
func giveBack(b Backend) {
	b.Forget()
	allowGarbage(gcPercent)
	debug.FreeOSMemory()
	unmapProgram()
}

// unmapProgram has the pages of the program's file no longer count as memory of
// this process. Those that are used again come back from the page cache, one
// fault for 16 of them: two thirds of the program and of its tables do not.
func unmapProgram() {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer file.Close()
	for _, m := range readMappings(file) {
		if m.path == path && m.permissions[:2] != "rw" && m.unchanged {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // helps or not
		}
	}
}

// A mapping is memory that a file is mapped to.
type mapping struct {
	from, to    uintptr
	permissions string // "r-xp"
	path        string
	unchanged   bool // no page has been written to, as by a debugger or a linker
}

// readMappings reads /proc/PID/smaps: a line with the addresses, then lines such
// as "Anonymous:   4 kB".
func readMappings(smaps io.Reader) (all []mapping) {
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		var m mapping
		switch n, _ := fmt.Sscanf(name, "%x-%x", &m.from, &m.to); {
		case n == 2:
			m.permissions = rest[:4]
			if slash := strings.IndexByte(rest, '/'); slash >= 0 {
				m.path = rest[slash:]
			}
			all = append(all, m)
		case name == "Anonymous:" && len(all) > 0:
			all[len(all)-1].unchanged = strings.TrimSpace(rest) == "0 kB"
		}
	}
	return all
}
