package exporter

import (
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
