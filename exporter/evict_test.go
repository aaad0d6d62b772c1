package exporter

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// A map that evicts exports as many series as it is allowed, those that changed
// last, and what was hidden has the start it had.
func TestEvictingMapIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", `{map: "@", max_entries: 2, overflow: evict}`)
		s.read(counts(map[string]int64{"a": 1, "b": 1}), map[string]int{"a": 0, "b": 0})
		s.read(counts(map[string]int64{"a": 1, "b": 1, "c": 1}), map[string]int{"a": 0, "c": 1}) // a new one
		s.read(counts(map[string]int64{"a": 1, "b": 2, "c": 1}), map[string]int{"b": 0, "c": 1}) // one that changed
		s.read(counts(map[string]int64{"a": 2, "b": 3, "c": 3}), map[string]int{"b": 0, "c": 1}) // all of them
		s.read(counts(map[string]int64{"a": 2, "b": 3, "c": 3, "d": 1}), map[string]int{"b": 0, "d": 4})
		s.read(counts(map[string]int64{"a": 3, "b": 1, "c": 4, "d": 2}), map[string]int{"b": 5, "d": 4})
		s.read(counts(map[string]int64{"a": 3, "c": 4, "d": 2}), map[string]int{"a": 0, "d": 4})         // one is evicted
		s.read(counts(map[string]int64{"A": 1, "a": 4, "c": 5, "d": 3}), map[string]int{"a": 0, "d": 4}) // a new one finds no place
		s.read(nil, map[string]int{})
		got := scrapeAll(t, s.c)
		for name, n := range map[string]int{"entries": 0, "max_entries": 2, "surplus_entries": 0} {
			expectLine(t, got, "ply_map_%s{map=\"@\",script=\"net\"} %d\n", name, n)
		}
	})
}

func expectLine(t *testing.T, text, format string, args ...any) {
	t.Helper()
	if line := fmt.Sprintf(format, args...); !strings.Contains(text, line) {
		t.Errorf("no line %sin\n%s", line, text)
	}
}

// A table always evicts.
func TestTableIsBounded(t *testing.T) {
	tracer := &fakeTracer{rows: map[string][]pair{"t": {{words(1), words(7)}, {words(2), words(7)}, {words(3), words(7)}}}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on("t[pid] = time;")},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(`{map: t, export: true, max_entries: 2}`))
	for range 2 {
		got := scrapeAll(t, c)
		if n := strings.Count(got, "ply_net_t_seconds{"); n != 2 || strings.Contains(got, `pid="3"`) {
			t.Errorf("%d series of 2, or other ones:\n%s", n, got)
		}
		for name, n := range map[string]int{"entries": 2, "max_entries": 2, "surplus_entries": 1} {
			expectLine(t, got, "ply_map_%s{map=\"t\",script=\"net\"} %d\n", name, n)
		}
	}
}

// The status page shows what scrapes export.
func TestPageOfEvictingMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStartsScript(t, "@[comm] = count();", `{map: "@", max_entries: 2, overflow: evict}`)
		s.read(counts(map[string]int64{"a": 1, "b": 1}), map[string]int{"a": 0, "b": 0})
		s.read(counts(map[string]int64{"a": 1, "b": 1, "c": 1, "d": 1}), map[string]int{"c": 1, "d": 1})
		s.tracer.rows["@"] = counts(map[string]int64{"a": 1, "b": 1, "c": 1, "d": 1, "A": 5})
		readings, err := s.c.scripts[0].running.peek()
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, row := range readings[0].view().Rows {
			keys = append(keys, row.Keys...)
		}
		if got := strings.Join(keys, " "); got != "c d" {
			t.Errorf("the page shows %s, and scrapes c d", got)
		}
	})
}
