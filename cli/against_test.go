package cli

import (
	"strings"
	"testing"
)

func TestCheckAgainst(t *testing.T) {
	old := writeFile(t, "old.yaml", "scripts: [{name: a, script: 'BEGIN { @ = 1; }'}]\n")
	now := writeFile(t, "now.yaml", "scripts: [{name: b, script: 'BEGIN { @ = 1; }'}]\n")
	kernel := []string{"check", "--kernel", "../internal/recorded/6.18-amd64.zip", "--config", now, "--against"}
	if r := ply(t, append(kernel, old)...); r.status != 0 || !strings.Contains(r.stdout, "script b starts\n    script a ends\n    0 scripts without a change\n") {
		t.Errorf("%+v", r)
	}
	wrong := writeFile(t, "wrong.yaml", "scripts: [{name: a, script: 'BEGIN { @ = x; }'}]\n")
	if r := ply(t, append(kernel, wrong)...); r.status != 1 || !strings.Contains(r.stderr, "wrong.yaml:1:42: ") {
		t.Errorf("%+v", r)
	}
	if r := ply(t, append(kernel, old+"x")...); r.status != 1 || !strings.Contains(r.stderr, "no such file") {
		t.Errorf("%+v", r)
	}
}
