package userspace

import (
	"testing"
)

func TestAreas(t *testing.T) {
	for line, want := range map[string]area{
		"55f10f192000-55f10f19b000 r-xp 00002000 fe:01 247041    /usr/bin/chrt":               {0x55f10f192000, 0x55f10f19b000, 0x2000, fileKey{0xfe, 1, 247041}, "/usr/bin/chrt"},
		"7f00-7f80 r-xp 00000000 00:2b 7 /opt/a program (deleted)":                            {0x7f00, 0x7f80, 0, fileKey{0, 0x2b, 7}, "/opt/a program (deleted)"},
		"7ffd1000-7ffd3000 r-xp 00000000 00:00 0                                  [vdso]":     {0x7ffd1000, 0x7ffd3000, 0, fileKey{}, "[vdso]"},
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]": {0xffffffffff600000, 0xffffffffff601000, 0, fileKey{}, "[vsyscall]"},
		"7f10-7f20 rwxp 00000000 00:00 0 ":                                                    {0x7f10, 0x7f20, 0, fileKey{}, ""},
	} {
		if got, ok := parseArea(line); !ok || got != want {
			t.Errorf("%s: %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "7f10-7f20 rw-p 00000000 00:00 0", "7f10 r-xp 0 0:0 0", "7f10-7f2g r-xp 0 0:0 0", "1-2 r-xp 0 0:0 x", "1-2 r-xp 0 zz 5", "1-2 r"} {
		if got, ok := parseArea(line); ok {
			t.Errorf("%q is %+v", line, got)
		}
	}
}

// The newest area is what is there; of too many processes those are forgotten that
// were heard of first.
func TestProcesses(t *testing.T) {
	p := newProcesses()
	p.set(1, []area{{start: 10, end: 20, path: "old"}})
	p.add(1, area{start: 15, end: 30, path: "new"})
	for addr, want := range map[uint64]string{9: "", 10: "old", 15: "new", 19: "new", 29: "new", 30: ""} {
		if a, ok := p.area(1, addr); a.path != want || ok != (want != "") {
			t.Errorf("%d is in %q", addr, a.path)
		}
	}
	p.fork(1, 2)
	p.add(2, area{start: 100, end: 110, path: "its own"})
	if _, ok := p.area(1, 105); ok {
		t.Error("a child's area is its parent's")
	}
	for i := range uint64(3 * maxAreas) { // without end, and nobody says what is gone
		p.add(3, area{start: 100 * i, end: 100*i + 10})
	}
	if n := len(p.areas[3]); n > maxAreas {
		t.Errorf("%d areas", n)
	}
	if _, ok := p.area(3, 100*(3*maxAreas-1)); !ok {
		t.Error("the newest area is forgotten")
	}
	for pid := range maxProcesses {
		p.set(10+pid, nil)
	}
	if len(p.areas) != maxProcesses || len(p.order) != maxProcesses {
		t.Errorf("%d processes, %d in order", len(p.areas), len(p.order))
	}
	if _, ok := p.area(1, 15); ok {
		t.Error("the oldest is remembered")
	}
}
