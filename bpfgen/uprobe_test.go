package bpfgen_test

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// Functions of this very program, which guests have, too. It has no symbols. They call
// nothing, so that they need no stack: what Go lets wait for stack begins again.

//go:noinline
func uprobeWords(a, b uint64, text string) uint64 { return a + b + uint64(len(text)) }

//go:noinline
func uprobeOther(a uint64) uint64 { return a + 1 }

// used is what these functions return: one that is called for nothing is left out.
var used uint64

// uprobeStack needs more stack than a new goroutine has.
//
//go:noinline
func uprobeStack(a uint64) uint64 {
	var room [16 << 10]byte
	for i := range room {
		room[i] = byte(a) + byte(i)
	}
	return uint64(room[a%uint64(len(room))])
}

// What Go lets wait for stack begins again, and is counted once.
func TestUprobeOfGoOnce(t *testing.T) {
	k := running(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	got := trace(t, k, "uprobe:"+exe+":ply-exporter/bpfgen_test.uprobeStack / pid == PID && arg0 == 5 / { @[func] = count(); }", bpfgen.Options{}, func() {
		done := make(chan uint64)
		for range 1000 {
			go func() { done <- uprobeStack(5) }()
			<-done
		}
	})
	name, number, _ := strings.Cut(got, " ")
	n, err := strconv.Atoi(number)
	most := 1000
	if runtime.GOARCH != "amd64" {
		most += 10 // an instruction that the kernel steps over begins again after a signal, which Go sends itself
	}
	if err != nil || name != "@[ply-exporter/bpfgen_test.uprobeStack]" || n < 1000 || n > most {
		t.Errorf("got %q, want 1000 to %d", got, most)
	}
}

// here writes WORDS and OTHER in a script as the functions above.
func here(t *testing.T, script string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("WORDS", at(t, exe, uprobeWords), "OTHER", at(t, exe, uprobeOther)).Replace(script)
}

// at is the file of this program and the offset in it at which a function begins.
func at(t *testing.T, exe string, function any) string {
	t.Helper()
	file, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	addr := uint64(reflect.ValueOf(function).Pointer())
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr < p.Vaddr+p.Filesz {
			return fmt.Sprintf("%s:%#x", exe, addr-p.Vaddr+p.Off)
		}
	}
	t.Fatalf("%s has no %#x", exe, addr)
	return ""
}

func TestUprobe(t *testing.T) {
	k := running(t)
	for _, row := range []struct{ name, script, want string }{
		{"arguments of a Go function", `uprobe:WORDS / pid == PID / { @[arg0, arg1, str(arg2, 4), arg3] = count(); }`, "@[7, 40, word, 8] 1000"},
		{"memory of the process", `u:WORDS / pid == PID / { @[mem(arg2, 2), *(char *)arg2, ((char *)arg2)[1]] = count(); }`, "@[0x776f, 119, 111] 1000"},
		{"a register", `u:WORDS / pid == PID / { @[regs->ip > 0] = count(); }`, "@[1] 1000"},
		{"memory that registers point to", `u:WORDS / pid == PID / { @[*(u64 *)reg("sp") != 0, *(u64 *)regs->sp != 0] = count(); }`, "@[1, 1] 1000"},
		{"several, with one body", `u:WORDS, u:OTHER, u:WORDS / pid == PID / { @ = count(); }`, "@ 3000"},
		{"several bodies", `u:WORDS / pid == PID / { @a = sum(arg0); } u:WORDS / pid == PID / { @b = sum(arg1); }`, "@a 7000\n@b 40000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := trace(t, k, here(t, row.script), bpfgen.Options{}, func() {
				for range 1000 {
					used += uprobeWords(7, 40, "wordless") + uprobeOther(9) + uprobeOther(10)
				}
			})
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// calls makes so many calls of rmdir, which fail.
func calls(t *testing.T, n int) {
	t.Helper()
	if err := exec.Command("perl", "-e", fmt.Sprintf("rmdir q(/nonexistent/x) for 1..%d", n)).Run(); err != nil {
		t.Fatal(err)
	}
}

func TestUprobeOfC(t *testing.T) {
	need.BPF(t)
	need.Command(t, "perl")
	k, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, script, want string }{
		{"an argument", `uprobe:LIB:rmdir / str(arg0) == "/nonexistent/x" / { @[func, str(arg0)] = count(); }`, "@[rmdir, /nonexistent/x] 1000"},
		{"aliases", `u:LIB:rmdir, u:LIB:__rmdir, u:LIB:rmd* / str(arg0) == "/nonexistent/x" / { @[func] = count(); }`, "@[rmdir] 1000"},
		{"memory that is not on the stack", `u:LIB:rmdir / comm == "perl" / { @[str(arg0, 500), str(arg0, 400)] = count(); }`, "@[/nonexistent/x, /nonexistent/x] 1000"},
		{"the time of a call", `ur:LIB:rmdir, ur:LIB:getenv / comm == "perl" && elapsed > 0 && elapsed < 10s / { @[func] = sum(retval == -1); }`, "@[getenv] 0\n@[rmdir] 1000"},
		{"a result", `uretprobe:LIB:rmdir / comm == "perl" / { @[func, (int)retval] = count(); }`, "@[rmdir, -1] 1000"},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, " plain=", plain), func(t *testing.T) {
				got := trace(t, k, strings.ReplaceAll(row.script, "LIB", "libc.so.6"), bpfgen.Options{PlainAttach: plain}, func() { calls(t, 1000) })
				if got != row.want {
					t.Errorf("got %q, want %q", got, row.want)
				}
			})
		}
	}
}
