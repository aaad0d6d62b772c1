package decode

import (
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

const someSymbols = `ffffffff81001000 T do_exit
ffffffff81001100 T next_function
ffffffff81001200 T vfs_read
ffffffff81001300 T bpf_trace_run2
ffffffff81001400 T __bpf_trace_sys_enter
ffffffff81001500 T __traceiter_sched_switch
ffffffff81001600 T __schedule
ffffffffc0001000 t bpf_prog_6deef7357e7b4530_ply_read	[bpf]
`

// kernelStacks answer each id with the same addresses.
type kernelStacks []uint64

func (s kernelStacks) Stack(int64) []uint64         { return s }
func (kernelStacks) UserStack(int64) []object.Frame { return nil }
func (kernelStacks) LaterProbe(int64) string        { return "" }

func TestStackFrames(t *testing.T) {
	k, err := kernel.OpenArch(fstest.MapFS{"proc/kallsyms": {Data: []byte(someSymbols)}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	stack := &plylang.Type{Kind: plylang.Stack, Size: 8, Signed: true, Display: plylang.DisplayStack}
	for _, row := range []struct {
		name  string
		id    int64
		addrs []uint64 // innermost first
		want  string
	}{
		{"outermost first", 1, []uint64{0xffffffff81001200, 0xffffffff81001610}, "__schedule;vfs_read"},
		{"a call that does not return is its function's last", 1, []uint64{0xffffffff81001200, 0xffffffff81001100}, "do_exit;vfs_read"},
		{"the innermost address is where the kernel is", 1, []uint64{0xffffffff81001100}, "next_function"},
		{"no way through a raw tracepoint", 1, []uint64{0xffffffff81001310, 0xffffffff81001410, 0xffffffff81001210}, "vfs_read"},
		{"no program", 1, []uint64{0xffffffffc0001010, 0xffffffff81001310, 0xffffffff81001410, 0xffffffff81001210}, "vfs_read"},
		{"no program without a name", 1, []uint64{0x10, 0xffffffff81001310, 0xffffffff81001410, 0xffffffff81001210}, "vfs_read"},
		{"an unknown place", 1, []uint64{0x10, 0xffffffff81001210}, "vfs_read;0x10"},
		{"no way through a plain one", 1, []uint64{0xffffffff81001510, 0xffffffff81001610}, "__schedule"},
		{"not known", 1, []uint64{0x10}, "0x10"},
		{"none", -14, nil, "[no stack]"},
		{"none of the kernel's", 0, nil, "[no stack]"},
		{"no room for it", object.LostStack, nil, "[lost stack]"},
		{"gone", 1, nil, "[lost stack]"},
	} {
		d := New(NewMachine(k), nil, kernelStacks(row.addrs))
		if got := d.Text(object.Value{Type: stack, Raw: word(row.id)}); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
