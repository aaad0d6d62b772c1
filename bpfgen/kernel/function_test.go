package kernel

import (
	"slices"
	"strings"
	"testing"
)

func TestFunctions(t *testing.T) {
	k := files(t, map[string]string{
		"proc/kallsyms":                       someSymbols,
		"sys/kernel/debug/kprobes/blacklist":  "0xffffffff81000700-0xffffffff81000800\tweak_one\n",
		"sys/kernel/tracing/events/enable":    "0\n",
		"sys/kernel/debug/tracing/not_looked": "at\n",
	})
	tests := []struct{ pattern, want string }{
		{"vfs_read", "vfs_read"},
		{"vfs_*", "vfs_read vfs_read_alias"},
		{"helper", "helper helper xfs:helper"},
		{"xfs:helper", "xfs:helper"},
		{"vmlinux:helper", "helper helper"},
		{"xfs:*", "xfs:xfs_read xfs:helper"},
		{"*:*_read", "vfs_read xfs:xfs_read"},
		{"tcp_ack", "tcp_ack.constprop.0"},
		{"tcp_ack.constprop.0", "tcp_ack.constprop.0"},
		{"tcp_*", "tcp_ack.constprop.0 tcp_ack.part.0"},
		{"tcp", ""},
		{"weak_one", ""},        // the kernel refuses it
		{"__pfx_*", ""},         // padding
		{"do_early_things", ""}, // gone after boot
		{"_stext", ""},          // a mark
		{"some_data", ""},       // no function
		{"", ""},
	}
	for _, tt := range tests {
		found, err := k.Functions(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		if got := functionNames(found); got != tt.want {
			t.Errorf("%s finds %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

func functionNames(functions []Function) string {
	var names []string
	for _, f := range functions {
		name := f.Name
		if f.Module != "" {
			name = f.Module + ":" + name
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// What a misspelled name may have meant is a function that can be probed.
func TestProbeable(t *testing.T) {
	k := files(t, map[string]string{
		"proc/kallsyms":                      someSymbols,
		"sys/kernel/debug/kprobes/blacklist": "0xffffffff81000700-0xffffffff81000800\tweak_one\n",
		"sys/kernel/tracing/events/enable":   "0\n",
	})
	symbols, err := k.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(slices.Collect(k.Probeable(symbols)), " ")
	if want := "startup_64 helper vfs_read vfs_read_alias helper tcp_ack tcp_ack.part.0 xfs_read helper nf_hook"; got != want {
		t.Errorf("probeable are %s\nwant %s", got, want)
	}
	if got := strings.Join(symbols.Parts("tcp_ack"), " "); got != "tcp_ack.part.0" {
		t.Errorf("parts of tcp_ack are %q", got)
	}
}

// A function in which the kernel allows no probe is a symbol, and not found.
func TestRefused(t *testing.T) {
	k := open(t, "5.10-amd64")
	symbols, err := k.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"notifier_call_chain": true, "vfs_read": false} {
		found, err := k.Functions(name)
		if err != nil || !symbols.Has(name) || (len(found) == 0) != want {
			t.Errorf("%s: found %v, %v; refused should be %v", name, found, err, want)
		}
	}
}

// Where ftrace's list can be read, a glob finds what is in it, and a name any
// function all the same.
func TestTraceable(t *testing.T) {
	k := files(t, map[string]string{
		"proc/kallsyms":                                 someSymbols,
		"sys/kernel/tracing/events/enable":              "0\n",
		"sys/kernel/tracing/available_filter_functions": "vfs_read\nxfs_read [xfs]\n__ftrace_invalid_address___64\n",
	})
	for pattern, want := range map[string]string{"*": "vfs_read xfs:xfs_read", "nf_hook": "nf_tables:nf_hook"} {
		if found, err := k.Functions(pattern); functionNames(found) != want || err != nil {
			t.Errorf("%s finds %q, %v; want %q", pattern, functionNames(found), err, want)
		}
	}
}

// Kernels that refuse probes in what is not traceable go by the address: the list
// has one name of it, and a script may have another.
func TestTraceableAliases(t *testing.T) {
	k := files(t, map[string]string{
		"proc/kallsyms": "ffffffff81000010 T within_notrace_func\n" +
			"ffffffff81000100 t __do_sys_getppid\nffffffff81000100 T __x64_sys_getppid\n" +
			"ffffffff81000200 t inlined\nffffffff81000200 t also_inlined\n",
		"sys/kernel/tracing/events/enable":              "0\n",
		"sys/kernel/tracing/available_filter_functions": "__do_sys_getppid\n",
	})
	for name, want := range map[string]string{"__x64_sys_getppid": "__x64_sys_getppid", "inlined": "", "also_inlined": ""} {
		if found, err := k.Functions(name); functionNames(found) != want || err != nil {
			t.Errorf("%s finds %q, %v; want %q", name, functionNames(found), err, want)
		}
	}
}

func TestRecordedFunctions(t *testing.T) {
	tests := []struct{ kernel, pattern, want string }{
		{"5.10-amd64", "__netif_receive_skb_core", "__netif_receive_skb_core"},
		{"6.18-amd64", "__netif_receive_skb_core", "__netif_receive_skb_core.constprop.0"},
		{"7.3-amd64", "ip_rcv", "ip_rcv"},
		{"6.12-arm64", "ip_rcv", "ip_rcv"},
		{"5.10-amd64", "notifier_call_chain", ""}, // probes use it themselves
		{"7.3-amd64", "__x64_sys_rea*", "__x64_sys_readv __x64_sys_read __x64_sys_readahead __x64_sys_readlinkat __x64_sys_readlink"},
	}
	for _, tt := range tests {
		found, err := open(t, tt.kernel).Functions(tt.pattern)
		if got := functionNames(found); err != nil || sorted(got) != sorted(tt.want) {
			t.Errorf("%s: %s finds %q, %v; want %q", tt.kernel, tt.pattern, got, err, tt.want)
		}
	}
}
