package bpfgen_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// A string that is loaded in words is what the helper reads, which reads strings of
// more than 64 bytes: of any length, wherever it begins in a word, and at the end of a
// page. The kernel's code has bytes of all kinds, and begins at a page.
func TestTextInWords(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	sizes := []int{1, 5, 8, 9, 16, 24, 31, 32, 33, 63, 64}
	longest := 70
	for len(sizes) > 0 { // a few at a time: keys are on the stack
		some := sizes[:min(4, len(sizes))]
		sizes = sizes[len(some):]
		var parts []string
		for _, size := range append(some[:len(some):len(some)], longest) {
			parts = append(parts, fmt.Sprintf(`str(kaddr("_stext") + arg1, %d)`, size))
		}
		script := fmt.Sprintf("kprobe:SyS_getpriority / pid == %d / { @[%s] = count(); }", os.Getpid(), strings.Join(parts, ", "))
		obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true}, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		runtime.LockOSThread()
		for page := range 8 {
			for before := range 80 {
				_, _, _ = unix.RawSyscall(unix.SYS_GETPRIORITY, 0, uintptr(4096*(page+1)-before), 0)
			}
		}
		runtime.UnlockOSThread()
		rows, err := tr.Rows(obj.Maps[0])
		if err != nil {
			t.Fatal(err)
		}
		differ := map[int]bool{} // lengths that were seen
		for _, row := range rows {
			key := obj.Maps[0].Key
			whole := row.Key[key[len(some)].Offset:]
			for i, size := range some {
				got, want := row.Key[key[i].Offset:][:size], bytes.Clone(whole[:size])
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes of %q are %q", size, whole[:longest], got)
				}
				differ[len(bytes.TrimRight(want, "\x00"))] = true
			}
		}
		if len(differ) < 5 {
			t.Errorf("the strings of %d keys have %d lengths", len(rows), len(differ))
		}
		tr.Close()
	}
}
