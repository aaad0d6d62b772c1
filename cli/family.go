package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// parents maps each visible process to its parent.
func parents() map[int]int {
	of := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if parent, ok := parseParent(stat); ok {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits by the pattern, or 0
			of[pid] = parent
		}
	}
	return of
}

// parseParent finds the parent in /proc/PID/stat: "pid (name) state parent …".
// The name may contain any character.
func parseParent(stat []byte) (parent int, ok bool) {
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	var state string
	n, _ := fmt.Sscan(string(rest), &state, &parent)
	return parent, n == 2
}

// freeze stops a process and its descendants, so that none of them can fork or
// continue with the next command, and returns them.
func freeze(root int) []int {
	const rounds = 10 // enough, unless processes that we may not stop keep forking
	stopped := map[int]bool{}
	var all []int
	for range rounds {
		all = family(root, parents())
		before := len(stopped)
		for _, pid := range all {
			if !stopped[pid] {
				stopped[pid] = true
				_ = unix.Kill(pid, unix.SIGSTOP)
			}
		}
		if len(stopped) == before {
			break
		}
	}
	return all
}

// family returns a process and its descendants, parents before children.
func family(root int, parents map[int]int) []int {
	children := map[int][]int{}
	for pid, parent := range parents {
		children[parent] = append(children[parent], pid)
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}
