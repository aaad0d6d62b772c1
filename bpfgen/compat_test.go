//go:build amd64 || arm64

package bpfgen_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// A compatArch is an architecture's 32-bit programs.
type compatArch struct {
	machine uint16                     // of the ELF header
	flags   uint32                     // of the ELF header
	call    func(nr, times int) []byte // code that makes a call with arguments -1, 0, 0
	exit    []byte                     // code that ends the program with status 0
	meaning map[int]string             // what the numbers mean natively
	native  uint16                     // machine of 64-bit programs that can run the same code, 0 where none can
	x32     bool                       // there are calls with the bit of the x32 ABI
}

// The numbers of read, close and getpid, which are the same in i386 and ARM.
const (
	compatRead, compatClose, compatGetpid = 3, 6, 20
)

var compatArches = map[string]compatArch{
	"amd64": {
		machine: 3,
		call: func(nr, times int) []byte {
			return []byte{
				0xbf, byte(times), byte(times >> 8), 0, 0, // mov edi, times
				0xb8, byte(nr), byte(nr >> 8), 0, 0, // mov eax, nr
				0xbb, 0xff, 0xff, 0xff, 0xff, // mov ebx, -1
				0x31, 0xc9, 0x31, 0xd2, // xor ecx, ecx; xor edx, edx
				0xcd, 0x80, // int 0x80
				0x83, 0xef, 1, 0x75, 0xeb, // sub edi, 1; jnz to the second line
			}
		},
		exit:    []byte{0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80}, // mov eax, 1; xor ebx, ebx; int 0x80
		meaning: map[int]string{compatRead: "close", compatClose: "newlstat", compatGetpid: "writev"},
		native:  62,
		x32:     true,
	},
	"arm64": {
		machine: 40, flags: 0x05000000,
		call: func(nr, times int) []byte {
			return words(
				0xe3006000|uint32(times>>12)<<16|uint32(times&0xfff), // movw r6, times
				0xe3007000|uint32(nr),                                // movw r7, nr
				0xe3e00000, 0xe3a01000, 0xe3a02000,                   // mvn r0, 0; mov r1, 0; mov r2, 0
				0xef000000,             // svc 0
				0xe2566001, 0x1afffff8, // subs r6, r6, 1; bne to the second line
			)
		},
		exit:    words(0xe3a07001, 0xe3a00000, 0xef000000), // mov r7, 1; mov r0, 0; svc 0
		meaning: map[int]string{compatRead: "io_cancel", compatClose: "lsetxattr", compatGetpid: "epoll_create1"},
	},
}

func words(code ...uint32) []byte {
	var out []byte
	for _, w := range code {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return out
}

// code makes 1000 calls of read, 300 of close and 200 of getpid.
func (a compatArch) code() []byte {
	var code []byte
	for _, c := range [][2]int{{compatRead, 1000}, {compatClose, 300}, {compatGetpid, 200}} {
		code = append(code, a.call(c[0], c[1])...)
	}
	return append(code, a.exit...)
}

// programs writes the programs that make these calls: a 32-bit one, and a
// 64-bit one where that can make 32-bit calls.
func (a compatArch) programs(t *testing.T) []string {
	t.Helper()
	code := a.code()
	files := [][]byte{elf32(a.machine, a.flags, code)}
	if a.native != 0 {
		files = append(files, elf64(a.native, code))
	}
	var names []string
	for i, file := range files {
		name := filepath.Join(t.TempDir(), fmt.Sprint("compat", i))
		if err := os.WriteFile(name, file, 0o700); err != nil { //nolint:gosec // it is executed
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

const (
	elfBase = 0x100000 // where programs are loaded
	loadAll = 5        // they may be read and executed
)

func elfStart(class byte, machine uint16) []byte {
	b := append([]byte("\x7fELF"), class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return append(b, halves(2, machine)...)
}

// elf32 is a 32-bit executable with one segment: header, program header, code.
func elf32(machine uint16, flags uint32, code []byte) []byte {
	const headers = 52 + 32
	size := uint32(headers + len(code))
	b := append(elfStart(1, machine), words(1, elfBase+headers, 52, 0, flags)...)
	b = append(b, halves(52, 32, 1, 0, 0, 0)...)
	b = append(b, words(1, 0, elfBase, elfBase, size, size, loadAll, 0x1000)...)
	return append(b, code...)
}

// elf64 is the same for 64 bits.
func elf64(machine uint16, code []byte) []byte {
	const headers = 64 + 56
	size := uint32(headers + len(code))
	b := append(elfStart(2, machine), words(1, elfBase+headers, 0, 64, 0, 0, 0, 0)...)
	b = append(b, halves(64, 56, 1, 0, 0, 0)...)
	b = append(b, words(1, loadAll, 0, 0, elfBase, 0, elfBase, 0, size, 0, size, 0, 0x1000, 0)...)
	return append(b, code...)
}

func halves(list ...uint16) []byte {
	var out []byte
	for _, h := range list {
		out = binary.LittleEndian.AppendUint16(out, h)
	}
	return out
}

// The numbers of a 32-bit process's system calls mean something else than those
// of a native one: its read has the number of the native close. System calls by
// name leave them out, in every way of attaching; raw_syscalls has them with
// their numbers.
func TestCompatCalls(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	arch := compatArches[runtime.GOARCH]
	programs := arch.programs(t)
	if err := exec.Command(programs[0]).Run(); errors.Is(err, unix.ENOEXEC) {
		t.Skip("needs 32-bit programs")
	}
	run := func() {
		for _, program := range programs {
			if out, err := exec.Command(program).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", filepath.Base(program), err, out)
			}
		}
		for i := range 1000 {
			if i < nativeCalls {
				_, _, _ = unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
			}
			if arch.x32 {
				_, _, _ = unix.RawSyscall(0x40000000|unix.SYS_LSEEK, ^uintptr(0), 0, 0)
			}
		}
	}
	var names []string
	for _, nr := range []int{compatRead, compatClose, compatGetpid} {
		names = append(names, arch.meaning[nr])
	}
	calls := "@(read|close|getpid|lseek|" + strings.Join(names, "|") + ")"
	const ours = " / pid == PID || ppid == PID / "
	k := running(t)
	for _, script := range []string{
		"kprobe:SyS_" + calls + ours + "{ @[func] = count(); }",
		"kretprobe:SyS_" + calls + ours + "{ @[func] = count(); }",
		"kprobe:SyS_getpid" + ours + "{ @[func] = count(); }",
		"tracepoint:syscalls/sys_enter_" + calls + ours + "{ @[probe] = count(); }",
		"tracepoint:syscalls/sys_exit_" + calls + ours + "{ @[probe] = count(); }",
	} {
		for _, plain := range []bool{false, true} {
			got := trace(t, k, script, bpfgen.Options{PlainAttach: plain}, run)
			wantNative(t, fmt.Sprintf("%s plain=%v", script, plain), got)
		}
	}
	raw := trace(t, k, "tracepoint:raw_syscalls/sys_enter / ppid == PID && data->args[0] == 0xffffffff / { @[data->id] = count(); }", bpfgen.Options{}, run)
	n := len(programs)
	if want := fmt.Sprintf("@[20] %d\n@[3] %d\n@[6] %d", 200*n, 1000*n, 300*n); raw != want {
		t.Errorf("raw_syscalls: got\n%s\nwant\n%s", raw, want)
	}
}

// nativeCalls is how often this program calls getpid itself.
const nativeCalls = 777

// wantNative accepts the calls that Go makes to start programs, and ours.
func wantNative(t *testing.T, script, got string) {
	t.Helper()
	ours := 0
	for line := range strings.Lines(got) {
		var n int
		name, count, _ := strings.Cut(strings.TrimSpace(line), "] ")
		if _, err := fmt.Sscan(count, &n); err != nil {
			t.Errorf("%s: %q", script, line)
		}
		if strings.HasSuffix(name, "_getpid") {
			ours, n = n, max(0, n-nativeCalls)
		}
		if n >= 100 {
			t.Errorf("%s counted calls that are not native:\n%s", script, got)
		}
	}
	if ours < nativeCalls {
		t.Errorf("%s counted %d calls of getpid, want %d:\n%s", script, ours, nativeCalls, got)
	}
}
