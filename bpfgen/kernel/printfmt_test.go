package kernel

import (
	"slices"
	"strings"
	"testing"
)

// Which fields are addresses is what the kernel prints as such.
func TestAddressFields(t *testing.T) {
	for _, row := range []struct{ kernel, event, want string }{
		{"7.3-amd64", "sock/inet_sock_set_state", "saddr daddr saddr_v6 daddr_v6"},
		{"7.3-amd64", "tcp/tcp_retransmit_skb", "saddr daddr saddr_v6 daddr_v6"},
		{"6.12-arm64", "tcp/tcp_probe", ""}, // of 28 bytes, with family and port
		{"5.10-amd64", "tcp/tcp_destroy_sock", "saddr daddr saddr_v6 daddr_v6"},
		{"7.3-amd64", "sched/sched_switch", ""},
	} {
		category, event, _ := strings.Cut(row.event, "/")
		f, err := open(t, row.kernel).Tracepoint(category, event)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, field := range f.Fields {
			if field.Inet {
				names = append(names, field.Name)
			}
		}
		if got := strings.Join(names, " "); got != row.want {
			t.Errorf("%s on %s: %q, want %q", row.event, row.kernel, got, row.want)
		}
	}
}

func TestCutPrint(t *testing.T) {
	const print = `"%d%% of %s, \"%pI4\" %#x" "and %p", REC->a, __print_flags(REC->b, "|", { 1, "x,y" }), REC->c, (REC->d & 1, 2), REC->e`
	text, args := cutPrint(print)
	want := []string{"REC->a", `__print_flags(REC->b, "|", { 1, "x,y" })`, "REC->c", "(REC->d & 1, 2)", "REC->e"}
	if !slices.Equal(args, want) || !strings.HasSuffix(text, `"and %p"`) {
		t.Errorf("%s %q", text, args)
	}
	f := Format{Fields: []Field{{Name: "a", Array: true, Size: 4}, {Name: "c", Array: true, Size: 4}, {Name: "e", Array: true, Size: 16}}}
	f.markAddresses(print)
	if f.Field("a").Inet || !f.Field("c").Inet || f.Field("e").Inet {
		t.Errorf("%+v", f.Fields)
	}
	for _, odd := range []string{"", `"`, `"%pI4"`, `"%pI4", REC->c, REC->a`, `"%*d %pI4", 3, REC->a, REC->c`, `"%pI4", REC->none`} {
		odds := Format{Fields: []Field{{Name: "a", Array: true, Size: 4}, {Name: "c", Array: true, Size: 4}}}
		odds.markAddresses(odd)
		if odds.Field("a").Inet || odds.Field("c").Inet {
			t.Errorf("%s: %+v", odd, odds.Fields)
		}
	}
}
