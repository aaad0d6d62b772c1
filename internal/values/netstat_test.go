package values

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// netCounter is a source: a counter of /proc/net/snmp or /proc/net/netstat, by its
// group, "Tcp", and its name. These files have two lines for a group: one of names,
// and one of numbers.
func netCounter(group, name string) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		var names []string
		for _, file := range []string{"/proc/net/snmp", "/proc/net/netstat"} {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				words := strings.Fields(line)
				if words[0] != group+":" {
					continue
				}
				if names == nil {
					names = words
				} else if i := slices.Index(names, name); i > 0 {
					n, err := strconv.ParseFloat(words[i], 64)
					if err != nil {
						t.Fatalf("%s: %v", line, err)
					}
					return n
				}
			}
		}
		t.Fatalf("no counter %s of %s", name, group)
		return 0
	}
}

// difference is a source: what one counts and another does not.
func difference(a, b func(*testing.T) float64) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		return a(t) - b(t)
	}
}

// socketField returns a number of the socket that is bound to a port, from a list
// of sockets such as /proc/net/udp, by the number of its column.
func socketField(t *testing.T, file string, port, column int) float64 {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if !strings.HasSuffix(words[1], fmt.Sprintf(":%04X", port)) {
			continue
		}
		n, err := strconv.ParseFloat(words[column], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return n
	}
	t.Fatalf("%s has no port %d", file, port)
	return 0
}

// sum is a source: what two count together.
func sum(a, b func(*testing.T) float64) func(*testing.T) float64 {
	return func(t *testing.T) float64 {
		t.Helper()
		return a(t) + b(t)
	}
}

// established is how many connections to a port of this machine are open.
func established(port int) func(t *testing.T) float64 {
	return func(t *testing.T) (n float64) {
		t.Helper()
		text, err := os.ReadFile("/proc/net/tcp")
		must(t, err)
		at := fmt.Sprintf(":%04X", port)
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); strings.HasSuffix(f[1], at) && f[3] == "01" {
				n++
			}
		}
		return n
	}
}
