package report

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// DrawsBlocks says whether f is a terminal that can show block characters: one
// whose locale is UTF-8.
func DrawsBlocks(f *os.File) bool {
	if !IsTerminal(f) {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// IsTerminal says whether f is a terminal on which one can draw: a "dumb" one
// is as good as a file.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "dumb"
}
