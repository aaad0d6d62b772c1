package bpfgen_test

import (
	"os"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// A program whose values do not fit the stack is interrupted by events of its own
// tracepoint, which run it again where the kernel does not skip them. No key is made
// of the values of both: the beginning of each is its end.
func TestNestedKeys(t *testing.T) {
	need.EachKernel(t)
	need.BPF(t)
	names := strings.Repeat("comm, ", 31)
	script := "rawtracepoint:kmem_cache_free { @free[arg0, " + names + "arg0] = count(); } " +
		"tracepoint:irq/softirq_* { @softirq[data->vec, " + names + "data->vec] = count(); }"
	text := trace(t, running(t), script, bpfgen.Options{}, func() {
		inThreads(func() {
			for range 600 {
				sendPacket(t)
				if file, err := os.Open("/proc/self/stat"); err == nil {
					file.Close()
				}
			}
		})
	})
	lines := strings.Split(text, "\n")
	for _, line := range lines {
		if !sameThroughout(line) {
			t.Errorf("nobody made the key %s", line)
		}
	}
	if len(lines) < 10 {
		t.Errorf("only the keys\n%s", text)
	}
}

// sameThroughout says whether a key's first part is its last, and the others are
// equal.
func sameThroughout(line string) bool {
	_, key, _ := strings.Cut(line, "[")
	key = key[:strings.LastIndex(key, "]")]
	parts := strings.Split(key, ", ")
	last := len(parts) - 1
	for _, name := range parts[1:last] {
		if name != parts[1] {
			return false
		}
	}
	return last == 32 && parts[0] == parts[last]
}
