package cli

import (
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// What a uprobe lacks without privileges is named. A link without a perf event lacks
// nothing.
func TestUprobesWithoutPrivileges(t *testing.T) {
	need.BPF(t)
	need.Command(t, "bash")
	const script = "uprobe:bash:colon_builtin { @ = count(); }"
	program := programForAll(t)
	if r := limited(t, program, "-SYS_ADMIN", "run", "-t", "0.1", "--attach=plain", script); r.status != 1 || !strings.Contains(r.stderr, "needs CAP_SYS_ADMIN") {
		t.Errorf("through perf: %+v", r)
	}
	if need.Older(need.Release(), "6.6") {
		return
	}
	if r := limited(t, program, "-SYS_ADMIN", "run", "-t", "0.1", script); r.status != 0 {
		t.Errorf("with uprobe_multi: %+v", r)
	}
}

// The first things that somebody gets wrong.
func TestWrongUserTargets(t *testing.T) {
	for script, want := range map[string]string{
		"usdt:/usr/bin { @ = count(); }":                       "a probe is missing",
		"usdt::a:b { @ = count(); }":                           "a probe is missing",
		"usdt:/bin/sh:a:b { @ = count(); }":                    "declares no probes: uprobe:/bin/sh:function",
		"usdt:/etc/passwd:a:b { @ = count(); }":                "/etc/passwd",
		"usdt:/dev/null:a:b { @ = count(); }":                  "is not a regular file",
		"usdt:/nonexistent:a:b { @ = count(); }":               "there is no /nonexistent",
		"uprobe:/etc/passwd:f { @ = count(); }":                "/etc/passwd",
		"uprobe:/dev/null:f { @ = count(); }":                  "is not a regular file",
		"uprobe:/tmp:f { @ = count(); }":                       "is a directory",
		"uprobe:no-such-program-here:f { @ = count(); }":       "no program no-such-program-here",
		"uprobe:/bin/sh:no_such_function { @ = count(); }":     "no_such_function",
		"profile:99hz { @[ustak] = count(); }":                 `did you mean "ustack"?`,
		"profile:99hz / ustack == \"main\" / { @ = count(); }": "a stack and a string cannot be compared",
	} {
		r := ply(t, "run", "-e", script)
		if r.status != 1 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "\n    "+script[:5]) || !strings.Contains(r.stderr, "^\n") {
			t.Errorf("%s: %d\n%s", script, r.status, r.stderr)
		}
	}
}
