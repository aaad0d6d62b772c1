package exporter

import (
	"strings"
	"testing"
	"testing/synctest"
)

// A series under the new name of an interface continues the one under the old name,
// and does not seem to have counted all that since the last scrape.
func TestStartsOfRenamedInterfaces(t *testing.T) {
	row := func(key, n int64) pair { return pair{words(key), words(n)} }
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[ifname((u64)pid)] = count();", `{map: "@", labels: [{regexp: "(eth.|wan.)|(?:veth.*)"}]}`)
		names := map[int64]string{1: "lo", 2: "eth0", 3: "eth1"}
		s.tracer.names = names
		s.read([]pair{row(1, 5), row(2, 5)}, map[string]int{"lo": 0, "eth0": 0})
		s.read([]pair{row(1, 5), row(2, 6), row(3, 1)}, map[string]int{"lo": 0, "eth0": 0, "eth1": 1})
		names[2], names[4] = "wan0", "4"
		s.read([]pair{row(1, 6), row(2, 7), row(3, 2), row(4, 1)}, map[string]int{"lo": 0, "wan0": 0, "eth1": 1, "4": 2})
		names[3], names[4] = "eth0", "veth4"
		s.read([]pair{row(1, 7), row(2, 8), row(3, 3), row(4, 2)}, map[string]int{"lo": 0, "wan0": 0, "eth0": 1, "": 2})
		names[2] = "wan1"
		s.read([]pair{row(1, 7)}, map[string]int{"lo": 0})
		s.read([]pair{row(1, 7), row(2, 1)}, map[string]int{"lo": 0, "wan1": 5})
		for i := range 3000 { // not all are kept
			names[1] = []string{"a", "b"}[i%2] + string(rune(0x4e00+i))
			s.tracer.rows["@"] = []pair{row(1, 8)}
			scrape(t, s.c)
		}
		if n := len(s.c.scripts[0].running.series[0].list); n > 1100 {
			t.Errorf("%d series are kept of one interface", n)
		}
	})
}

// What was counted under the old name of an interface stays there where the script deletes
// keys: the series under the new name has what is counted from then on.
func TestRenamedInterfacesOfLostKeys(t *testing.T) {
	tracer := &fakeTracer{rows: map[string][]pair{}}
	body := on("@[ifname((u64)pid)] = count(); if (pid == 1) { delete @[ifname((u64)pid)]; }")
	c := run(t, &fakeBackend{scripts: map[string]string{"S": body}, tracers: map[string]*fakeTracer{"S": tracer}}, oneScriptYAML(""))
	for i, step := range []struct {
		name string
		n    int64
		want string
	}{
		{"eth0", 100, `ply_net_total{ifname="eth0"} 100`},
		{"lan0", 110, `ply_net_total{ifname="lan0"} 10`},
		{"lan0", 111, `ply_net_total{ifname="lan0"} 11`},
		{"eth0", 113, `ply_net_total{ifname="eth0"} 2`},
	} {
		tracer.names = map[int64]string{2: step.name}
		tracer.rows["@"] = []pair{{words(2), words(step.n)}}
		if got := scrapeAll(t, c); !strings.Contains(got, step.want+"\n") || strings.Count(got, "\nply_net_total{") != 1 {
			t.Errorf("step %d: no %s alone in\n%s", i, step.want, got)
		}
	}
}
