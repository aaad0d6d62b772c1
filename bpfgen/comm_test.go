package bpfgen

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/internal/live"
)

var commNames = []string{"x", "xy", "1234567", "12345678", "123456789", "grüße", "123456789012345", "12345678901234", "~~~~~~~~ÿ", "y"}

// A name is equal to the literal that has its text, and a key of its own.
func TestComm(t *testing.T) {
	var script strings.Builder
	script.WriteString("BEGIN { @all[comm] = count(); @two[comm, comm] = count();")
	for i, name := range commNames {
		fmt.Fprintf(&script, " if (comm == %[1]q) { @is[%[2]d] = count(); } if (%[1]q != comm) { @not[%[2]d] = count(); }", name, i)
	}
	script.WriteString(` if (comm == "") { @is[99] = count(); } if (comm == "1234567890123456") { @is[99] = count(); } }`)
	l := load(t, compile(t, live.Kernel(t), script.String(), Options{}))
	asThread(t, func(rename func(string)) {
		for _, name := range commNames {
			rename(name)
			l.run(l.obj.Programs[0].Name)
		}
	})
	for i := range commNames {
		if is, not := l.number("@is", l.value("@is", int64(i))), l.number("@not", l.value("@not", int64(i))); is != 1 || not != int64(len(commNames)-1) {
			t.Errorf("%q is %d names and is not %d, want 1 and %d", commNames[i], is, not, len(commNames)-1)
		}
	}
	if l.value("@is", 99) != nil {
		t.Error("a name is empty, or has 16 letters")
	}
	for _, name := range commNames {
		key := append([]byte(name), make([]byte, commSize-len(name))...)
		if l.read(l.mapNamed("@all"), key) == nil || l.read(l.mapNamed("@two"), append(key, key...)) == nil {
			t.Errorf("no key is %q", key)
		}
	}
}

// asThread calls f in a thread that f may rename.
func asThread(t *testing.T, f func(rename func(string))) {
	t.Helper()
	end := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good
		var err error
		f(func(name string) {
			text, _ := unix.BytePtrFromString(name)
			err = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0)
		})
		end <- err
	}()
	if err := <-end; err != nil {
		t.Fatal(err)
	}
}

// What follows the first NUL of a word is cut off.
func TestCutWord(t *testing.T) {
	k := live.Kernel(t)
	g := &gen{compiler: &compiler{kernel: k}}
	g.Emitter = emit.New(emit.Scratch{}, &emit.Constants{})
	g.Emit(asm.Mov.Reg(asm.R6, asm.R1), asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord))
	g.cutWord()
	g.Emit(asm.LoadMem(asm.R2, asm.R6, 8, asm.DWord), asm.Mov.Imm(asm.R0, 1))
	g.JumpReg(asm.JNE, asm.R1, asm.R2, "end")
	g.Emit(asm.Mov.Imm(asm.R0, 2))
	g.Jump(asm.JEq, asm.R4, 0, "end")
	g.Emit(asm.Mov.Imm(asm.R0, 3))
	g.Bind("end")
	g.Emit(asm.Return())
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, Instructions: g.Instructions()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, row := range []struct {
		word, cut string
		found     uint32 // 3: a NUL was found
	}{
		{"abcdefgh", "abcdefgh", 2},
		{"abcdefg\x00", "abcdefg", 3},
		{"a\x00cdefgh", "a", 3},
		{"\x00bcdefgh", "", 3},
		{"abc\x00\x01\x00gh", "abc", 3},
		{"\xff\x80\x01\x00\x00\x01\xff\xff", "\xff\x80\x01", 3},
		{"\x01\x01\x01\x01\x01\x01\x01\x01", "\x01\x01\x01\x01\x01\x01\x01\x01", 2},
		{"", "", 3},
	} {
		got, err := p.Run(&ebpf.RunOptions{Context: []int64{literal(row.word).constant(0), literal(row.cut).constant(0)}})
		if err != nil || got != row.found {
			t.Errorf("%q: %d, %v, want %d", row.word, got, err, row.found)
		}
	}
}
