package kernel

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/internal/recorded"
)

func TestBTFFunc(t *testing.T) {
	tests := []struct{ kernel, name, want string }{
		{"6.18-amd64", "vfs_read", "ssize_t(file buf count pos)"},
		{"5.10-amd64", "vmlinux:vfs_read", "ssize_t(file buf count pos)"},
		{"7.3-amd64", "ip_rcv", "int(skb dev pt orig_dev)"},
		{"6.12-arm64", "tcp_sendmsg", "int(sk msg size)"},
	}
	for _, tt := range tests {
		f, err := open(t, tt.kernel).BTFFunc(tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.kernel, err)
			continue
		}
		proto := f.Type.(*btf.FuncProto)
		var params []string
		for _, p := range proto.Params {
			params = append(params, p.Name)
		}
		if got := proto.Return.TypeName() + "(" + strings.Join(params, " ") + ")"; got != tt.want {
			t.Errorf("%s: %s is %s, want %s", tt.kernel, tt.name, got, tt.want)
		}
	}
	for _, name := range []string{"vfs_raed", "task_struct", "no_module:f", "", "../../x:f"} {
		if f, err := open(t, "6.18-amd64").BTFFunc(name); err == nil {
			t.Errorf("%q is %v", name, f)
		}
	}
	if _, err := open(t, "6.18-amd64").BTFFunc("vfs_raed"); !errors.Is(err, errNotFound) {
		t.Errorf("vfs_raed: %v", err)
	}
}

func TestFieldOffset(t *testing.T) {
	for _, name := range recorded.Names() {
		k := open(t, name)
		bit := k.Arch().Compat
		if _, err := k.FieldOffset("task_struct", bit.Field); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if offset, err := k.FieldOffset("task_struct", "comm"); err != nil || offset < 100 {
			t.Errorf("%s: comm at %d, %v", name, offset, err)
		}
		whole, err1 := k.FieldOffset("sock", "__sk_common")
		part, err2 := k.FieldOffset("sock", "__sk_common.skc_dport") // inside nameless structs
		if err1 != nil || err2 != nil || whole != 0 || part != 12 {
			t.Errorf("%s: %d %v, skc_dport at %d %v", name, whole, err1, part, err2)
		}
	}
	tests := []struct{ structName, path, want string }{
		{"task_strct", "comm", "struct task_strct: not found"},
		{"task_struct", "com", "member com of struct task_struct: not found"},
		{"task_struct", "comm.x", "member comm.x of struct task_struct: not found"},
		{"task_struct", "", "member  of struct task_struct: not found"},
		{"sk_buff", "ip_summed", ""},
	}
	for _, tt := range tests {
		offset, err := open(t, "6.18-amd64").FieldOffset(tt.structName, tt.path)
		if err == nil || tt.want != "" && (err.Error() != tt.want || !errors.Is(err, errNotFound)) {
			t.Errorf("%s in %s: %d, %v; want %s", tt.path, tt.structName, offset, err, tt.want)
		}
	}
}

func TestNoBTF(t *testing.T) {
	k := files(t, nil)
	if _, err := k.BTFFunc("vfs_read"); err == nil || !strings.Contains(err.Error(), "CONFIG_DEBUG_INFO_BTF") {
		t.Errorf("without types: %v", err)
	}
}

// A function of a module is found through the symbols, and its types may refer
// to the kernel's.
func TestModuleBTF(t *testing.T) {
	builder, err := btf.NewBuilder([]btf.Type{&btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := builder.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k := files(t, map[string]string{
		"proc/kallsyms":          "ffffffffc0001000 t xfs_read\t[xfs]\n",
		"sys/kernel/btf/vmlinux": string(base),
		"sys/kernel/btf/xfs":     string(moduleBTF(base, "xfs_read", "ip")),
	})
	for _, name := range []string{"xfs_read", "xfs:xfs_read"} {
		f, err := k.BTFFunc(name)
		if err != nil {
			t.Fatal(err)
		}
		proto := f.Type.(*btf.FuncProto)
		if p := proto.Params; len(p) != 1 || p[0].Name != "ip" || p[0].Type.TypeName() != "int" {
			t.Errorf("%s has parameters %v", name, p)
		}
	}
}

// moduleBTF describes a function of one parameter as a module does: types and
// names count on from those of the kernel, here type 1, "int".
func moduleBTF(base []byte, function, param string) []byte {
	const headerSize, kindFunc, kindProto = 24, 12, 13
	names := binary.LittleEndian.Uint32(base[20:]) // where the module's names begin
	types := []uint32{
		0, kindProto<<24 | 1, 1, names + uint32(len(function)) + 1, 1, // type 2: int (int param)
		names, kindFunc << 24, 2, // type 3
	}
	text := function + "\x00" + param + "\x00"
	size := uint32(4 * len(types))
	raw := binary.LittleEndian.AppendUint32(nil, 0x1eb9f)
	raw[2] = 1 // version
	for _, word := range append([]uint32{headerSize, 0, size, size, uint32(len(text))}, types...) {
		raw = binary.LittleEndian.AppendUint32(raw, word)
	}
	return append(raw, text...)
}
