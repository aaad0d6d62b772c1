package tracer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
)

// manyFunctions are attach points f0, f1 and so on of a glob.
func manyFunctions(n int) []object.AttachPoint {
	var list []object.AttachPoint
	for i := range n {
		list = append(list, ofGlob(object.Function{Symbol: fmt.Sprint("f", i)}))
	}
	return list
}

// refusing is a link for many functions that the kernel refuses as a whole for any
// of those with that error.
func refusing(errno syscall.Errno, bad ...string) attacher {
	return attacher{divide: byNameOrAddress, many: func(_ *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
		for _, at := range points {
			for _, name := range bad {
				if at.Site.String() == name {
					return nil, fmt.Errorf("create link: %w", errno)
				}
			}
		}
		return io.NopCloser(nil), nil
	}}
}

// TestRefusedOfMany: of many functions those that the kernel refuses are left out
// and named, whatever it says and however many it attaches to by one link.
func TestRefusedOfMany(t *testing.T) {
	need.BPF(t) // without the privilege to trace, EPERM means that
	for _, row := range []struct {
		errno syscall.Errno
		n     int
		bad   []string
		want  string // what is said, after the kind
	}{
		{unix.EINVAL, 9, nil, ""},
		{unix.EINVAL, 9, []string{"f3"}, "f3: the kernel does not let it be probed"},
		{unix.EINVAL, 9, []string{"f0", "f7", "f8"}, "f0, f7, f8: the kernel does not let it be probed"},
		{unix.EPERM, 9, []string{"f4"}, "f4: the kernel refuses it: create link: operation not permitted"},
		{unix.EPERM, 9, []string{"f0", "f5"}, "f0, f5: the kernel refuses it: create link: operation not permitted"},
		{unix.EOPNOTSUPP, 2, []string{"f1"}, "f1: the kernel refuses it: create link: operation not supported"},
		{unix.ENOENT, 40, []string{"f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f38"},
			"f1, f2, f3, f4, f5, f6, f7, f8 and 2 more: this kernel does not have it, or does not let it be probed"},
	} {
		p := &program{Program: &object.Program{Attach: object.AttachKprobeMulti}}
		if err := p.attachLinks(refusing(row.errno, row.bad...), manyFunctions(row.n)); err != nil {
			t.Errorf("%v of %q: %v", row.errno, row.bad, err)
			continue
		}
		var said []string
		for _, err := range leftOut(p) {
			said = append(said, strings.TrimPrefix(err.Error(), "kprobe_multi "))
		}
		if got := strings.Join(said, "\n"); got != row.want || len(p.attached) != row.n-len(row.bad) {
			t.Errorf("%v of %q: %d attached, said\n%s\nwant\n%s", row.errno, row.bad, len(p.attached), got, row.want)
		}
	}
}

// TestRefusedOfAll: what is refused for all, and what was named literally, is an
// error, after few attempts.
func TestRefusedOfAll(t *testing.T) {
	all := manyFunctions(1000)
	var names []string
	for _, at := range all {
		names = append(names, at.Site.String())
	}
	a := refusing(unix.EPERM, names...)
	attempts, many := 0, a.many
	a.many = func(p *ebpf.Program, points []object.AttachPoint) (io.Closer, error) {
		attempts++
		return many(p, points)
	}
	p := &program{Program: &object.Program{Attach: object.AttachKprobeMulti}}
	if err := p.attachLinks(a, all); !errors.Is(err, unix.EPERM) || attempts > 3 {
		t.Errorf("%d attempts, then %v", attempts, err)
	}
	literal := manyFunctions(3)
	literal[1].Glob = false
	p = &program{Program: &object.Program{Attach: object.AttachKprobeMulti}}
	err := p.attachLinks(refusing(unix.EINVAL, "f1"), literal)
	if err == nil || err.Error() != "kprobe_multi f1: the kernel does not let it be probed" {
		t.Errorf("named literally: %v", err)
	}
}
