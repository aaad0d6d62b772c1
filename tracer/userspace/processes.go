package userspace

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An area is memory of a process from which it can run: a piece of a file, or of what
// the program itself has written.
type area struct {
	start, end uint64
	offset     uint64 // in the file
	file       fileKey
	path       string // as the process sees it; "[vdso]" and the like; "" for none
}

// A fileKey is a file, whatever it is called. It is zero where there is none.
type fileKey struct {
	major, minor uint32
	inode        uint64
}

const (
	// maxProcesses is how many processes are remembered at most, and maxAreas how many
	// areas of each: those that were mapped last. The kernel does not tell which are
	// gone.
	maxProcesses = 1 << 13
	maxAreas     = 1 << 12
)

// processes are what processes run, also of those that have ended, until there are too
// many: then those are forgotten that were heard of longest ago.
type processes struct {
	areas map[int][]area
	order []int             // the one that was heard of last at the end
	at    map[int]time.Time // when they were looked at, of those that are there
}

func newProcesses() processes {
	return processes{areas: map[int][]area{}, at: map[int]time.Time{}}
}

func (p *processes) set(pid int, areas []area) {
	if _, ok := p.areas[pid]; !ok {
		if len(p.order) >= maxProcesses {
			delete(p.areas, p.order[0])
			p.order = slices.Delete(p.order, 0, 1)
		}
		p.order = append(p.order, pid)
	}
	p.areas[pid] = areas[max(0, len(areas)-maxAreas):]
}

// add adds an area that may lie over others.
func (p *processes) add(pid int, a area) {
	areas := p.areas[pid]
	if len(areas) >= maxAreas {
		areas = slices.Clone(areas[maxAreas/2:])
	}
	p.set(pid, append(areas, a))
}

// fork gives a process what another one runs.
func (p *processes) fork(parent, child int) { p.set(child, slices.Clone(p.areas[parent])) }

// keep forgets all other processes: that they have run something else may not be known.
func (p *processes) keep(those []int) {
	is := map[int]bool{}
	for _, pid := range those {
		is[pid] = true
	}
	p.order = slices.DeleteFunc(p.order, func(pid int) bool {
		if !is[pid] {
			delete(p.areas, pid)
		}
		return !is[pid]
	})
}

// due says that a process may be looked at again.
func (p *processes) due(pid int) bool { return time.Since(p.at[pid]) >= refresh }

func (p *processes) lookedAt(pid int) {
	if len(p.at) >= maxProcesses {
		clear(p.at)
	}
	p.at[pid] = time.Now()
}

// area finds the area that holds an address: the newest.
func (p *processes) area(pid int, addr uint64) (area, bool) {
	for _, a := range slices.Backward(p.areas[pid]) {
		if a.start <= addr && addr < a.end {
			return a, true
		}
	}
	return area{}, false
}

func pids(proc string) (all []int) {
	entries, _ := os.ReadDir(proc) // what cannot be read is not known
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// areasOf reads the areas of a process; none of one that is gone.
func areasOf(proc string, pid int) (all []area) {
	f, err := os.Open(filepath.Join(proc, strconv.Itoa(pid), "maps"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if a, ok := parseArea(lines.Text()); ok {
			all = append(all, a)
		}
	}
	return all
}

// parseArea reads a line of /proc/PID/maps:
//
//	7f0c1e5f8000-7f0c1e74e000 r-xp 00026000 fe:01 1835   /usr/lib/x86_64-linux-gnu/libc.so.6
//
// It is not ok for memory that cannot be run.
func parseArea(line string) (a area, ok bool) {
	where, rest, _ := strings.Cut(line, " ")
	rights, rest, _ := strings.Cut(rest, " ")
	offset, rest, _ := strings.Cut(rest, " ")
	device, rest, _ := strings.Cut(rest, " ")
	inode, path, _ := strings.Cut(rest, " ")
	if len(rights) < 3 || rights[2] != 'x' {
		return a, false
	}
	start, end, _ := strings.Cut(where, "-")
	major, minor, _ := strings.Cut(device, ":")
	a.path = strings.TrimLeft(path, " ")
	ok = number(start, 16, &a.start) && number(end, 16, &a.end) && number(offset, 16, &a.offset) && number(inode, 10, &a.file.inode)
	if ok && a.file.inode != 0 {
		var m, n uint64
		ok = number(major, 16, &m) && number(minor, 16, &n)
		a.file.major, a.file.minor = uint32(m), uint32(n)
	}
	return a, ok
}

func number(text string, base int, n *uint64) bool {
	var err error
	*n, err = strconv.ParseUint(text, base, 64)
	return err == nil
}
