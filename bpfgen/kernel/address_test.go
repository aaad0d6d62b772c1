package kernel

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/plylang"
)

func TestAddress(t *testing.T) {
	const text = someSymbols + `ffffffff82001000 D init_task
ffffffff83000000 D __per_cpu_start
ffffffff83001000 D runqueues
ffffffff83002000 D __per_cpu_end
0000000000000000 A fixed_percpu_data
ffffffffc0002000 d state	[ext4]
ffffffffc0003000 d state	[xfs]
ffffffffc0004000 b twice	[xfs]
ffffffffc0005000 b twice	[xfs]
`
	k, err := OpenArch(fstest.MapFS{"proc/kallsyms": {Data: []byte(text)}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		symbol string
		want   uint64
		err    string
	}{
		{"vfs_read", 0xffffffff81000200, ""},
		{"some_data", 0xffffffff82000000, ""},
		{"xfs:state", 0xffffffffc0003000, ""},
		{"xfs_read", 0xffffffffc0001000, ""},
		{"state", 0, `modules ext4, xfs have a symbol named "state": write "ext4:state"`},
		{"helper", 0, `there are 3 symbols named "helper", and nothing tells them apart`},
		{"xfs:twice", 0, `there are 2 symbols named "twice", and nothing tells them apart`},
		{"runqueues", 0, "runqueues is a variable of each CPU: it has no address of its own"},
		{"fixed_percpu_data", 0, "fixed_percpu_data is a variable of each CPU: it has no address of its own"},
		{"some_dats", 0, `this kernel has no symbol "some_dats"; did you mean "some_data"?`},
		{"", 0, `this kernel has no symbol ""`},
	} {
		got, err := k.Address(row.symbol)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if got != row.want || message != row.err {
			t.Errorf("%q: %#x, %q; want %#x, %q", row.symbol, got, message, row.want, row.err)
		}
		if missing := strings.HasPrefix(row.err, "this kernel"); errors.Is(err, plylang.ErrMissing) != missing {
			t.Errorf("%q: missing in this kernel: %v", row.symbol, !missing)
		}
	}
}

// TestAddressOfFunctionsOnly: some kernels, and recordings, list no variables.
func TestAddressOfFunctionsOnly(t *testing.T) {
	k, err := OpenArch(fstest.MapFS{"proc/kallsyms": {Data: []byte("ffffffff81000000 T vfs_read\nffffffff82000000 D _sdata\n")}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	const want = `this kernel has no symbol "vfs_raed" among its functions, and of its variables it tells nothing; did you mean "vfs_read"?`
	if _, err := k.Address("vfs_raed"); err == nil || err.Error() != want {
		t.Errorf("the error is %v", err)
	}
}

// TestHiddenAddress: without CAP_SYSLOG all addresses are zero.
func TestHiddenAddress(t *testing.T) {
	k, err := OpenArch(fstest.MapFS{
		"proc/kallsyms":                 {Data: []byte("0000000000000000 T vfs_read\n0000000000000000 D some_data\n")},
		"proc/sys/kernel/kptr_restrict": {Data: []byte("1\n")},
	}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Address("some_data"); err == nil || !strings.Contains(err.Error(), "CAP_SYSLOG") {
		t.Errorf("the error is %v", err)
	}
}
