package userspace

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A jit is what a program says of the code that it makes while it runs: a file
// /tmp/perf-PID.map with a line for each piece, its start, its size and its name.
// Those of Java, node, Erlang and Python differ in whether the numbers begin with 0x.
type jit struct {
	written time.Time
	size    int64
	pieces  []piece // by start, none over another
}

type piece struct {
	start, end uint64
	line       int
	name       string
}

const (
	// maxJITs is how many processes' files are kept, and maxJIT how many bytes of a
	// file are read.
	maxJITs = 16
	maxJIT  = 64 << 20
)

// jits are those files by process.
type jits map[int]*jit

// place names an address within what a process has made itself. A file that is older
// than the process is of another one that had its number.
func (all jits) place(proc string, pid int, addr uint64) Place {
	f, err := openJIT(proc, pid)
	if err != nil {
		return Place{}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.ModTime().Before(startOf(proc, pid)) {
		return Place{}
	}
	j := all[pid]
	if j == nil || !j.written.Equal(info.ModTime()) || j.size != info.Size() {
		if len(all) >= maxJITs {
			clear(all)
		}
		j = &jit{written: info.ModTime(), size: info.Size(), pieces: parsePieces(io.LimitReader(f, maxJIT))}
		all[pid] = j
	}
	return j.place(addr)
}

func (j *jit) place(addr uint64) Place {
	i := sort.Search(len(j.pieces), func(i int) bool { return j.pieces[i].start > addr }) - 1
	if i < 0 || addr >= j.pieces[i].end {
		return Place{}
	}
	return Place{Function: j.pieces[i].name, In: addr - j.pieces[i].start, File: "jit"}
}

// openJIT opens the file that a process writes: in its own /tmp, by its own number. A
// link of its own would lead to a file of ours, so the path is looked up as the process
// would. Needs Linux 5.6.
func openJIT(proc string, pid int) (*os.File, error) {
	root, err := os.Open(fmt.Sprintf("%s/%d/root", proc, pid))
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	path := "tmp/perf-" + numberInside(proc, pid) + ".map"
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(root.Fd()), path, &how)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// numberInside is the number that a process has for itself: the last one of the line
// NSpid of its status.
func numberInside(proc string, pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("%s/%d/status", proc, pid))
	_, rest, _ := strings.Cut(string(text), "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	if numbers := strings.Fields(line); len(numbers) > 0 {
		return numbers[len(numbers)-1]
	}
	return strconv.Itoa(pid)
}

// startOf is when a process began: the 22nd number of its stat, in hundredths of a
// second after the machine did. It is the zero time where that cannot be read.
func startOf(proc string, pid int) time.Time {
	stat, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", proc, pid))
	machine, err2 := os.ReadFile(proc + "/stat")
	if err != nil || err2 != nil {
		return time.Time{}
	}
	_, boot, _ := strings.Cut(string(machine), "\nbtime ")
	boot, _, _ = strings.Cut(boot, "\n")
	seconds, err := strconv.ParseInt(boot, 10, 64)
	after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // from the third on
	if err != nil || len(after) < 20 {
		return time.Time{}
	}
	ticks, err := strconv.ParseInt(after[19], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, ticks*1e7)
}

// parsePieces reads the lines. Where pieces lie over each other, that of the later line
// is there now. node's bytecode, "JS:~", is none: it is never run.
func parsePieces(r io.Reader) []piece {
	var all []piece
	lines := bufio.NewScanner(r)
	for n := 0; lines.Scan(); n++ {
		start, rest, _ := strings.Cut(lines.Text(), " ")
		size, name, _ := strings.Cut(rest, " ")
		from, err1 := hex(start)
		length, err2 := hex(size)
		if err1 != nil || err2 != nil || name == "" || length == 0 || from+length < from || strings.HasPrefix(name, "JS:~") {
			continue
		}
		all = append(all, piece{from, from + length, n, name})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].start != all[j].start {
			return all[i].start < all[j].start
		}
		return all[i].line < all[j].line
	})
	kept := all[:0]
	for _, p := range all {
		for len(kept) > 0 && kept[len(kept)-1].end > p.start && kept[len(kept)-1].line < p.line {
			kept = kept[:len(kept)-1]
		}
		if len(kept) == 0 || kept[len(kept)-1].end <= p.start {
			kept = append(kept, p)
		}
	}
	return slices.Clip(kept)
}

func hex(digits string) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(digits, "0x"), 16, 64)
}
