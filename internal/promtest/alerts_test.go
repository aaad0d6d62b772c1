package promtest

import (
	"strings"
	"testing"
)

// An alert that should fire and does not, and the reverse, is an error that names it,
// also where several are tested in one storage.
func TestTestAlerts(t *testing.T) {
	const rules = `
groups:
  - name: g
    rules:
      - {alert: Low, expr: a < 1}
      - {alert: High, expr: b > 1}
`
	fires := AlertTest{"Low", map[string]string{`a{x="1"}`: "0x60"}, true}
	silent := AlertTest{"Low", map[string]string{`a{x="1"}`: "1x60"}, false}
	other := AlertTest{"High", map[string]string{"b": "2x60"}, true}
	if groups := separate([]AlertTest{fires, silent, other}); len(groups) != 2 || len(groups[0]) != 2 {
		t.Errorf("%v", groups)
	}
	if err := TestAlerts(t, rules, fires, silent, other); err != nil {
		t.Error(err)
	}
	for _, wrong := range []AlertTest{
		{"Low", silent.Series, true}, {"Low", fires.Series, false}, {"Nobody", fires.Series, true}, {"High", map[string]string{"b": "1x60"}, true},
	} {
		if err := TestAlerts(t, rules, fires, wrong); err == nil || !strings.Contains(err.Error(), wrong.Alert) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
