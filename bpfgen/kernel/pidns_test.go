package kernel

import (
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

func TestPIDNamespace(t *testing.T) {
	for _, tt := range []struct {
		name string
		stat any
		want PIDNamespace
		ok   bool
	}{
		{"the initial one", &syscall.Stat_t{Dev: 4, Ino: 0xeffffffc}, PIDNamespace{}, false},
		{"another", &syscall.Stat_t{Dev: 4, Ino: 0xf0000123}, PIDNamespace{4, 0xf0000123}, true},
		{"a large device number", &syscall.Stat_t{Dev: unix.Mkdev(5, 0x12345), Ino: 7}, PIDNamespace{5<<20 | 0x12345, 7}, true},
		{"a recorded kernel", nil, PIDNamespace{}, false},
	} {
		k := &Kernel{files: fstest.MapFS{"proc/self/ns/pid": {Sys: tt.stat}}}
		if got, ok := k.PIDNamespace(); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v, %v", tt.name, got, ok)
		}
	}
	if got, ok := (&Kernel{files: fstest.MapFS{}}).PIDNamespace(); ok {
		t.Errorf("no file: %+v", got)
	}
}
