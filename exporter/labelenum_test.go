package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
)

// Keys of a label table over values that have names are names, shown ones and
// others, and numbers.
func TestLabelTablesOfNames(t *testing.T) {
	for _, tt := range []struct{ script, table, want string }{
		{`tracepoint:irq/softirq_entry { @[data->vec] = count(); }`, "{NET_RX: net, 1: timer}", "NET_RX: net, TIMER: timer"},
		{`tracepoint:irq/softirq_entry { @[data->vec] = count(); }`, "{99: new}", "99: new"},
		{`tracepoint:skb/kfree_skb { @[data->reason] = count(); }`, "{SKB_DROP_REASON_NO_SOCKET: x}", "NO_SOCKET: x"},
		{`tracepoint:skb/kfree_skb { @[data->reason] = count(); }`, "{NO_SOCKET: x, SKB_DROP_REASON_NO_SOCKET: y}",
			"key SKB_DROP_REASON_NO_SOCKET of a label table can never match: it is NO_SOCKET again"},
		{`tracepoint:sched/sched_switch { @[data->prev_state] = count(); }`, "{R: running, 2: disk, S|D: both}", "R: running, D: disk, S|D: both"},
		{`rawtracepoint:kfree_skb { @[arg2] = count(); }`, "{3: x}", "3: x"},
	} {
		if got := tableText(t, tt.script, tt.table); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.script, tt.table, got, tt.want)
		}
	}
}

// A table with numbers, or with names of another kernel, is warned of.
func TestWarningsOfLabelTables(t *testing.T) {
	for _, tt := range []struct{ script, table, want string }{
		{`tracepoint:irq/softirq_entry { @[data->vec] = count(); }`, "{NET_RX: net}", ""},
		{`tracepoint:irq/softirq_entry { @[data->vec] = count(); }`, "{3: net}",
			"key 3 of a label table is NET_RX on this kernel, and may be another one's number elsewhere: write NET_RX"},
		{`tracepoint:irq/softirq_entry { @[data->vec] = count(); }`, "{NET_RY: net}",
			`key NET_RY of a label table is no name in the table of vec in softirq_entry of this kernel; did you mean "NET_RX"?`},
		{`tracepoint:irq/softirq_entry { @[data->vec] = count(); }`, "{99: new}", ""},
		{`tracepoint:sched/sched_switch { @[data->prev_state] = count(); }`, "{S|D: both}", ""},
		{`tracepoint:sched/sched_switch { @[data->prev_prio] = count(); }`, "{120: normal}", ""},
	} {
		b := &fakeBackend{scripts: map[string]string{"S": tt.script}}
		cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML(`{map: "@", labels: [{name: x, map: `+tt.table+`}]}`)))
		if err != nil {
			t.Fatal(err)
		}
		scripts, fatal := compile(cfg, b)
		if len(fatal) > 0 {
			t.Fatal(fatal.Detail())
		}
		var got []string
		for _, m := range scripts[0].compiled.metrics {
			for _, w := range m.tableWarnings() {
				got = append(got, w.Msg)
			}
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.script, tt.table, got, tt.want)
		}
	}
}
