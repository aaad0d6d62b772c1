package exporter

import (
	"strings"
	"testing"
	"testing/synctest"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// What finds no room in a map is a series of its own from the reading before it is
// seen first, and a key with these labels is added to it.
func TestOtherKeys(t *testing.T) {
	for _, agg := range []string{"count()", "sum((u64)pid)", "avg((u64)pid)"} {
		t.Run(agg, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStartsScript(t, "@[comm] = "+agg+";", "")
				s.tracer.others = map[string][]byte{}
				s.read(counts(map[string]int64{"a": 1}), map[string]int{"a": 0})
				s.tracer.others["@"] = words(7, 7, 0)
				s.read(counts(map[string]int64{"a": 1}), map[string]int{"a": 0, "other": 1})
				s.tracer.others["@"] = words(9, 9, 0)
				s.read(counts(map[string]int64{"a": 1}), map[string]int{"a": 0, "other": 1})
			})
		})
	}
}

func TestKeyThatIsCalledOther(t *testing.T) {
	tracer := &fakeTracer{
		rows: map[string][]pair{"@": {{chars("other"), words(5)}, {chars("a"), words(2)}}}, others: map[string][]byte{"@": words(30)},
		over: map[string]uint64{"@": 30},
	}
	c := run(t, &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tracer}}, oneScriptYAML(""))
	got := scrapeAll(t, c)
	expectLine(t, got, "ply_net_total{comm=\"a\"} 2\n")
	expectLine(t, got, "ply_net_total{comm=\"other\"} 35\n")
	expectLine(t, got, "ply_map_overflow_total{map=\"@\",script=\"net\"} 30\n")
	expectLine(t, got, "ply_map_dropped_total{map=\"@\",script=\"net\"} 0\n")
}

// The code that a configuration asks for: aggregations by key have a value of other
// keys unless it says otherwise, and where all keys have room there is none.
func TestWhichMapsHaveOtherKeys(t *testing.T) {
	for body, want := range map[string]bool{
		"@[comm] = count();": true, "@[comm] = sum(pid);": true, "@[comm] = quantize(pid);": true, "@[comm] = avg(pid);": true, "@[comm] = max(pid);": true,
		"@ = count();": false, "@[cpu] = count();": false, "@[comm] = pid;": false,
	} {
		for overflow, fits := range map[string]bool{"": true, ", overflow: other": true, ", overflow: drop": false, ", overflow: evict": false} {
			table := strings.HasSuffix(body, "= pid;")
			if overflow != "" && (body == "@ = count();" || table) {
				continue // refused
			}
			export := ""
			if table {
				export = ", export: true"
			}
			c := run(t, &fakeBackend{scripts: map[string]string{"S": on(body)}}, oneScriptYAML(`{map: "@"`+export+overflow+`}`))
			if got := strings.Contains(scrapeAll(t, c), "ply_map_overflow_total{"); got != (want && fits) {
				t.Errorf("%s%s: counts other keys %t", body, overflow, got)
			}
		}
	}
}

// Series of a metric that gets another name begin where those before did, also that
// of the other keys.
func TestOtherKeysAfterReload(t *testing.T) {
	old := &mapSeries{other: 1, list: []series{{start: 5}, {start: 7, round: 3}}, round: 3, m: &metric{typ: counter}}
	now := (&mapSeries{}).after(old, 1)
	if was := now.former.seriesOf(now.former.other); was == nil || was.start != 7 {
		t.Errorf("the series of other keys was %v", was)
	}
}

func TestWrongOverflow(t *testing.T) {
	for metric, want := range map[string]string{
		`{map: "@", overflow: others}`:              `overflow must be one of other, drop, evict, not "others"; did you mean "other"?`,
		`{map: "@", overflow: [drop]}`:              "overflow must be a word or a number, not a list",
		`{map: "t", export: true, overflow: other}`: "overflow: t is a table, which always forgets its oldest key: remove it, or write evict",
		`{map: "@cell", overflow: other}`:           "overflow: @cell has no keys, so it cannot overflow: remove it",
	} {
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(metric)))
		if err == nil {
			_, errs := compile(cfg, &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count(); t[pid] = time; @cell = count();")}})
			if len(errs) > 0 {
				err = errs
			}
		}
		if err == nil || !strings.Contains(plylang.Detail(err), want) || !strings.Contains(plylang.Detail(err), "^") {
			t.Errorf("%s: got %v", metric, err)
		}
	}
}
