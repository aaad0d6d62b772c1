package cli

import (
	"debug/elf"
	encoding "encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// spinning is a program that uses the CPU for as long as it is told, in main.inner
// nearly all the time. It counts its own time, so that other work on the machine
// changes nothing.
const spinning = `package main

import (
	"os"
	"syscall"
	"time"
)

func main() {
	long, _ := time.ParseDuration(os.Args[1])
	outer(long)
}

//go:noinline
func outer(long time.Duration) {
	for used() < long {
		inner()
	}
}

//go:noinline
func inner() (n int) {
	for i := range 20 {
		n += innermost(100000 + i)
	}
	return n
}

// innermost calls nothing, so it has no frame: its caller is not in the stack.
//
//go:noinline
func innermost(turns int) (n int) {
	for i := range turns {
		n += i * i
	}
	return n
}

func used() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
`

// spin is the stack in which nearly all time is spent.
var spin = "main.innermost;main.outer;main.main;runtime.main;runtime.goexit"

func buildSpinning(t *testing.T, name string, flags ...string) string {
	t.Helper()
	source := writeFile(t, "main.go", spinning)
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", program, source)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// buildWithID is buildSpinning for a program with a build ID that the kernel sees. Go's
// linker leaves the ID out of the program header of notes, where the kernel looks; other
// linkers do not.
func buildWithID(t *testing.T, name string) string {
	t.Helper()
	program := buildSpinning(t, name, "-ldflags=-B gobuildid")
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	id := file.Section(".note.gnu.build-id")
	header := slices.IndexFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_NOTE })
	_ = file.Close()
	const start, size, offset, fileSize = 64, 56, 8, 32 // of the program headers, and in one
	image, err := os.OpenFile(program, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = image.Close() }()
	at := int64(start + header*size)
	word := encoding.LittleEndian.AppendUint64(nil, id.Offset)
	if _, err = image.WriteAt(word, at+offset); err != nil {
		t.Fatal(err)
	}
	if _, err = image.WriteAt(encoding.LittleEndian.AppendUint64(nil, id.FileSize), at+fileSize); err != nil {
		t.Fatal(err)
	}
	return program
}

// stackCounts are the counts of a map by stack, as run -f json prints it: functions
// with ";" between them, the innermost first.
func stackCounts(t *testing.T, stdout string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(stdout) {
		var m struct {
			Type string
			Data []struct {
				Key   []any
				Value int
			}
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, row := range m.Data {
			var functions []string
			for _, f := range row.Key[0].([]any) {
				name, _, _ := strings.Cut(f.(string), "+0x")
				functions = append(functions, strings.TrimSuffix(name, ".abi0")) // which stripped programs do not tell
			}
			counts[strings.Join(functions, ";")] += row.Value
		}
	}
	return counts
}

// most is the stack that was seen most often, and its share of all.
func most(counts map[string]int) (stack string, share float64) {
	all := 0
	for s, n := range counts {
		all += n
		if n > counts[stack] {
			stack = s
		}
	}
	return stack, float64(counts[stack]) / float64(max(all, 1))
}

// Stacks of processes are named after these have ended, whether their file has a build
// ID or not.
func TestUserStacks(t *testing.T) {
	need.BPF(t)
	for name, program := range map[string]string{
		"without-id": buildSpinning(t, "without-id"),
		"with-id":    buildWithID(t, "with-id"),
		"stripped":   buildSpinning(t, "stripped", "-ldflags=-s -w"),
	} {
		r := ply(t, "run", "-f", "json", "-c", program+" 300ms", "profile:997hz / comm == \""+name+"\" / { @[ustack] = count(); }")
		if stack, share := most(stackCounts(t, r.stdout)); r.status != 0 || stack != spin || share < 0.5 {
			t.Errorf("%s: %.2f of %s, want %s\n%+v", name, share, stack, spin, r)
		}
	}
}

// A stack in a file with a build ID is the same in each process of a program, and so
// takes one place however many there are.
func TestUserStacksOfShortProcesses(t *testing.T) {
	need.BPF(t)
	program := buildWithID(t, "short")
	const processes = 200
	loop := fmt.Sprintf("for i in $(seq %d); do %s 4ms; done", processes, program)
	r := ply(t, "run", "-f", "json", "-c", loop, `profile:997hz / comm == "short" / { @[ustack] = count(); }`)
	if stack, _ := most(stackCounts(t, r.stdout)); r.status != 0 || stack != spin {
		t.Errorf("most often %s, want %s\n%+v", stack, spin, r)
	}
	if places := strings.Count(r.stdout, `[["main.innermost+`); places == 0 || places >= processes/4 {
		t.Errorf("%d processes take %d places", processes, places)
	}
}

// perf shows the same stack.
func TestUserStacksBesidePerf(t *testing.T) {
	need.BPF(t)
	perf := need.Command(t, "perf")
	program, data := buildSpinning(t, "both"), filepath.Join(t.TempDir(), "perf.data")
	record := exec.Command(perf, "record", "-q", "-e", "cpu-clock:u", "-F", "997", "-g", "-o", data, "--", program, "300ms")
	if out, err := record.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(perf, "script", "-i", data, "-F", "ip,sym").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]int{}
	for sample := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n\n") {
		var functions []string
		for line := range strings.Lines(sample) {
			if words := strings.Fields(line); len(words) == 2 {
				functions = append(functions, strings.TrimSuffix(words[1], ".abi0"))
			}
		}
		theirs[strings.Join(functions, ";")]++
	}
	if stack, share := most(theirs); stack != spin || share < 0.5 {
		t.Errorf("perf: %.2f of %s, want %s", share, stack, spin)
	}
}

// What a served script prints of a stack is in the log, named.
func TestStacksInTheLog(t *testing.T) {
	need.BPF(t)
	s := startServer(t, fmt.Sprintf("scripts:\n  - name: a\n    script: |\n"+
		"      rawtracepoint:sys_enter / pid == %d && arg1 == %d / { print(kstack); print(ustack); }\n", os.Getpid(), unix.SYS_GETPRIORITY))
	for range 3 {
		_, _ = unix.Getpriority(unix.PRIO_PROCESS, 0)
	}
	s.waitLog(t, "do_syscall")
	s.waitLog(t, "cli.TestStacksInTheLog")
}
