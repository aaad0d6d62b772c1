package exporter

import (
	"slices"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A warning of negative values, and a gauge for a sum, are where a value can be
// negative as far as the script says.
func TestSigns(t *testing.T) {
	const ret = "(s32)pid" // signed, for the checker
	for _, row := range []struct {
		script   string
		positive bool
	}{
		{`@ = F(RET);`, false},
		{`if (RET >= 0) { @ = F(RET); }`, true},
		{`if (RET > 0) { @ = F(RET + 4); }`, true},
		{`if (RET > -1 && cpu == 0) { @ = F(RET * 2); }`, true},
		{`if (0 <= RET) { @ = F(RET); }`, true},
		{`if (!(RET < 0)) { @ = F(RET); }`, true},
		{`if (RET < 0) { return; } @ = F(RET);`, true},
		{`if (RET < 0) { @n = count(); } else { @ = F(RET); }`, true},
		{`if (RET < 0 || cpu == 1) { return; } @ = F(RET);`, true},
		{`x = RET; if (x > 0) { y = x / 2; @ = F(y); }`, true},
		{`@ = F(RET & 0xff);`, true},
		{`@ = F(abs(RET));`, true},
		{`@ = F(RET > 0 ? 1 : 0);`, true},
		{`if (RET == 5) { @ = F(RET); }`, true},

		{`@ = F(log2(RET));`, false},
		{`if (RET >= -5) { @ = F(RET); }`, false},
		{`if (RET > 0 || cpu == 0) { @ = F(RET); }`, false},
		{`if (RET > 0) { @ = F(RET - 4); }`, false},
		{`if (RET < 0) { @n = count(); } @ = F(RET);`, false},
		{`x = RET; if (x > 0) { x = x - 5; @ = F(x); }`, false},
		{`x = RET; if (x > 0) { unroll (2) { @ = F(x); x -= 3; } }`, false},
		{`if (RET > 0) { @ = F(RET); } @ = F(RET);`, false},
		{`if (RET >= (u64)0) { @ = F(RET); }`, false},
		{`t[cpu] = RET; if (t[cpu] > 0) { @ = F(t[cpu]); }`, false},
	} {
		for _, f := range []string{"sum", "quantize"} {
			text := strings.NewReplacer("RET", ret, "F(", f+"(").Replace(row.script)
			cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML("")))
			if err != nil {
				t.Fatal(plylang.Detail(err))
			}
			scripts, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": on(text)}})
			if len(fatal) > 0 {
				t.Fatal(fatal.Detail())
			}
			all := scripts[0].compiled.metrics
			m := all[slices.IndexFunc(all, func(m *metric) bool { return m.decl.Name == "@" })]
			warned := strings.Contains(scripts[0].warnings.Error(), "may be negative")
			if f == "quantize" && warned == row.positive || f == "sum" && m.isCounter() != row.positive {
				t.Errorf("%s: a %s, warned %t; never negative: %t", text, typeName(m.typ), warned, row.positive)
			}
		}
	}
	// A predicate about something else keeps no negative values out.
	for pred, positive := range map[string]bool{"cpu != 5": false, ret + " > 0": true, ret + " > 0 && cpu": true,
		ret + " in (0, 4096)": true, ret + " in (0, -1)": false, "!(" + ret + " in (0, 1))": false} {
		text := strings.Replace(on("@ = sum("+ret+");"), " {", " / "+pred+" / {", 1)
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML("")))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		scripts, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": text}})
		if len(fatal) > 0 {
			t.Fatal(fatal.Detail())
		}
		if got := scripts[0].compiled.metrics[0].isCounter(); got != positive {
			t.Errorf("%s: a counter: %t", text, got)
		}
	}
}

// A unit that an operation drops is warned of, and one that it keeps is not.
func TestDroppedUnits(t *testing.T) {
	for script, warned := range map[string]bool{
		`@ = sum((time - time) * 2);`: true, `@ = sum((time - time) / 1000);`: true, `@ = sum(1ns * (s32)pid);`: false, `@ = sum(time - time);`: false,
	} {
		cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML("")))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		scripts, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": on(script)}})
		if len(fatal) > 0 {
			t.Fatal(fatal.Detail())
		}
		if got := strings.Contains(scripts[0].warnings.Error(), "drops the unit"); got != warned {
			t.Errorf("%s: warned %t", script, got)
		}
	}
}
