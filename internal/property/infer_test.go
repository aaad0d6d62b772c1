package property

import "testing"

// The reference finds the same types as the checker.
func TestTypes(t *testing.T) {
	const n = 2000
	k, unclear := recorded(t), 0
	for s := range int64(n) {
		obj, err := compile(k, Script(s))
		if err != nil {
			continue
		}
		_, ambiguous, fault := typesOf(obj.Script)
		if fault != "" {
			t.Errorf("seed %d: %s", s, fault)
		}
		if ambiguous {
			unclear++
		}
	}
	if unclear > n/25 {
		t.Errorf("%d of %d scripts could have other types", unclear, n)
	}
}
