package kernel

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/internal/recorded"
)

// namesIn shows the names of a field: "flags A=1 B=2".
func namesIn(f *Format, field string) string {
	known := map[string]int64{"KNOWN": 7}
	e := f.Names(field, func(name string) (int64, bool) { v, ok := known[name]; return v, ok })
	if e == nil {
		return ""
	}
	var parts []string
	if e.Flags {
		parts = append(parts, "flags")
	}
	for _, v := range e.Values {
		parts = append(parts, fmt.Sprintf("%s=%d", v.Name, v.Value))
	}
	return strings.Join(parts, " ")
}

// Which tables name the values of field x, in all ways in which kernels write them.
func TestNamesInPrintFormats(t *testing.T) {
	for _, row := range []struct{ print, want string }{
		{`"%s", __print_symbolic(REC->x, { 0, "HI" }, { 1, "TIMER" })`, "HI=0 TIMER=1"},
		{`"%d %s", REC->y, __print_symbolic( REC->x, {0,"a"},{1,"b"} )`, "a=0 b=1"},
		{`"%s", __print_symbolic64(REC->x, { -9ULL, "TREE" }, { 1ULL, "ROOT" })`, "TREE=-9 ROOT=1"},
		{`"%s", __print_flags(REC->x, "|", { 0x1, "A" }, { 1 << 4, "B" }, { (1UL << 5), "C" })`, "flags A=1 B=16 C=32"},
		{`"%s", __print_flags(REC->x, "", { 1, "W" })`, "flags W=1"},
		{`"%s", __print_flags((unsigned long)REC->x, "|", { 1, "W" })`, "flags W=1"},
		{`"%s", (REC->x) ? __print_flags(REC->x, "|", {( unsigned long)((( gfp_t)((((1UL))) << (10)))|(( gfp_t)0x40u)), "GFP_A"}) : "none"`, "flags GFP_A=1088 none=0"},
		{`"%s", REC->x ? __print_symbolic(REC->x, { 2, "b" }) : "UNKNOWN"`, "b=2 UNKNOWN=0"},
		{`"%s", ((REC->x >= -9ULL) || (REC->x >= 1)) ? __print_symbolic(REC->x, { 2, "b" }) : "-"`, "b=2"},
		{`"%s", (REC->x & (8 - 1)) ? __print_flags(REC->x & (8 - 1), "|", { 1, "S" }, { 8, "out" }) : "R"`, "flags S=1 R=0"},
		{`"%s", __print_symbolic(REC->x & 0xff, { 0, "a" }, { 0x101, "out" })`, "a=0"},
		{`"%s", __print_symbolic(REC->x, { KNOWN, "known" }, { OTHER, "other" }, { ~0xfL, "m" })`, "known=7 m=-16"},
		{`"%s", __print_symbolic(REC->x, { 0, "all, \"but\" self" }, { 1, "a)b}" })`, `all, "but" self=0 a)b}=1`},
		{`"%s %s", __print_symbolic(REC->x, { 1, "a" }), __print_symbolic(REC->x, { 1, "a" })`, "a=1"},

		{`"%s", __print_symbolic((REC->x >> 13) & 7, { 0, "none" })`, ""},
		{`"%s", __print_symbolic(REC->x >> 13, { 0, "none" })`, ""},
		{`"%s", __print_symbolic((u8)REC->x, { 0, "none" })`, ""},
		{`"%s", __print_flags((1 << REC->x), "|", { 1 << 0, "REALTIME" })`, ""},
		{`"%s", __print_flags(REC->y ? REC->x : 0, "", { 1, "W" })`, ""},
		{`"%s", __print_symbolic(REC->xy, { 0, "other field" })`, ""},
		{`"%s", __print_symbolic(2ULL, { 2, "constant" })`, ""},
		{`"%s", REC->y == 1 ? __print_symbolic(REC->x, { 1, "vmx" }) : __print_symbolic(REC->x, { 1, "svm" })`, ""},
		{`"%s", REC->y ? __print_symbolic(REC->x, { 1, "a" }) : "-"`, ""},
		{`"%s %s", __print_symbolic(REC->x, { 1, "a" }), __print_symbolic(REC->x, { 1, "b" })`, ""},
		{`"%s", __print_symbolic(REC->x, { OTHER, "other" })`, ""},

		{`"%s", __print_symbolic(REC->x`, ""},
		{`"%s", __print_symbolic(REC->x, { 0, "HI" `, ""},
		{`"%s", __print_symbolic(REC->x, { , "HI" }, { 1 +, "b" }, { (1, "c" }, {}, { 08, "d" }, { 1 "e" }, 5)`, ""},
		{`"%s", __print_symbolic(REC->x))))`, ""},
		{`"%s", __print_symbolic`, ""},
		{`__print_symbolic(REC->`, ""},
	} {
		f := &Format{Name: "event", print: row.print}
		if got := namesIn(f, "x"); got != row.want {
			t.Errorf("%s: %q, want %q", row.print, got, row.want)
		}
	}
}

// The words that kernels of ten years have for the fields that people look at.
func TestNamesInKernels(t *testing.T) {
	for _, row := range []struct{ kernel, event, field, begins string }{
		{"5.10-amd64", "irq/softirq_entry", "vec", "HI=0 TIMER=1 NET_TX=2"},
		{"7.3-amd64", "irq/softirq_exit", "vec", "HI=0 TIMER=1 NET_TX=2"},
		{"5.10-amd64", "sock/inet_sock_set_state", "newstate", "TCP_ESTABLISHED=1 TCP_SYN_SENT=2"},
		{"6.12-arm64", "sock/inet_sock_set_state", "oldstate", "TCP_ESTABLISHED=1 TCP_SYN_SENT=2"},
		{"6.18-amd64", "sock/inet_sock_set_state", "family", "AF_INET=2 AF_INET6=10"},
		{"6.12-arm64", "skb/kfree_skb", "reason", "NOT_SPECIFIED=2 NO_SOCKET=3"},
		{"7.3-amd64", "skb/kfree_skb", "reason", "NOT_SPECIFIED=2 NO_SOCKET=3"},
		{"5.10-amd64", "skb/kfree_skb", "protocol", ""},
		{"5.10-amd64", "sched/sched_switch", "prev_state", "flags S=1 D=2 T=4 t=8 X=16 Z=32 P=64 I=128 R=0"},
		{"7.3-amd64", "vmscan/mm_vmscan_direct_reclaim_begin", "gfp_flags", "flags GFP_TRANSHUGE="},
		{"7.3-amd64", "syscalls/sys_enter_openat", "flags", "flags O_WRONLY=1 O_RDWR=2 O_CREAT=64"},
		{"6.18-amd64", "syscalls/sys_enter_openat", "flags", ""},
		{"7.3-amd64", "timer/timer_start", "flags", "flags M=262144"},
		{"6.18-amd64", "block/block_io_start", "ioprio", ""},
	} {
		category, event, _ := strings.Cut(row.event, "/")
		f, err := open(t, row.kernel).Tracepoint(category, event)
		if err != nil {
			t.Fatal(err)
		}
		if got := namesIn(f, row.field); !strings.HasPrefix(got, row.begins) || row.begins == "" && got != "" {
			t.Errorf("%s of %s on %s is %.80q, want %q", row.field, row.event, row.kernel, got, row.begins)
		}
	}
}

// Enums by one of their values, which only the kernel's types tell.
func TestEnumerators(t *testing.T) {
	for _, name := range recorded.Names() {
		k := open(t, name)
		found := k.Enumerators("MQ_RQ_IN_FLIGHT")
		if len(found) != 1 || found[0].Name != "mq_rq_state" {
			t.Fatalf("%s: MQ_RQ_IN_FLIGHT is in %v", name, found)
		}
		if v, ok := found[0].Value("MQ_RQ_COMPLETE"); !ok || v != 2 {
			t.Errorf("%s: MQ_RQ_COMPLETE is %d", name, v)
		}
		if found := k.Enumerators("NO_SUCH_VALUE"); len(found) != 0 {
			t.Errorf("%s: NO_SUCH_VALUE is in %v", name, found)
		}
	}
}

// Enums of all sorts: with a sign, of 64 bits, of the same content twice, and two
// with one name.
func TestEnumeratorsOfAllSorts(t *testing.T) {
	builder := &btf.Builder{}
	for _, e := range []btf.Type{
		&btf.Enum{Name: "e", Size: 4, Signed: true, Values: []btf.EnumValue{{Name: "MINUS", Value: ^uint64(0)}}},
		&btf.Enum{Name: "e", Size: 4, Values: []btf.EnumValue{{Name: "A", Value: 1}}},
		&btf.Enum{Name: "e", Size: 4, Values: []btf.EnumValue{{Name: "A", Value: 1}, {Name: "B", Value: 2}}},
		&btf.Pointer{Target: &btf.Enum{Size: 8, Values: []btf.EnumValue{{Name: "LARGE", Value: 1 << 40}}}},
	} {
		if _, err := builder.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := builder.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(fstest.MapFS{"sys/kernel/btf/vmlinux": {Data: append(raw, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"MINUS": "e=-1 ", "A": "e=1 e=1 ", "LARGE": "=1099511627776 ", "e": ""} {
		got := ""
		for _, e := range k.Enumerators(name) {
			v, _ := e.Value(name)
			got += fmt.Sprintf("%s=%d ", e.Name, v)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Files that are no type information, or an end of it, have no enums and do no
// harm.
func TestEnumeratorsOfBadFiles(t *testing.T) {
	whole, err := recorded.Files("5.10-amd64").Open("sys/kernel/btf/vmlinux")
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	raw := make([]byte, 4096)
	if _, err := whole.Read(raw); err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{nil, []byte("x"), make([]byte, 64), raw[:23], raw[:24], raw} {
		k, err := Open(fstest.MapFS{"sys/kernel/btf/vmlinux": {Data: content}})
		if err != nil {
			t.Fatal(err)
		}
		if found := k.Enumerators("MQ_RQ_IN_FLIGHT"); len(found) != 0 {
			t.Errorf("of %d bytes: %v", len(content), found)
		}
	}
	k, err := Open(fstest.MapFS{})
	if err != nil || len(k.Enumerators("MQ_RQ_IN_FLIGHT")) != 0 {
		t.Errorf("without the file: %v", err)
	}
}
