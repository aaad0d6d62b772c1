package plylang

import (
	"slices"
	"testing"
)

// FuzzCheck: Check never panics, and what it accepts has types everywhere.
func FuzzCheck(f *testing.F) {
	for _, file := range []string{"testdata/check-errors.txt", "testdata/check-types.txt"} {
		for _, text := range records(f, file) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		script, err := Parse(&Source{Text: text})
		if script == nil {
			return
		}
		if found := Check(script, newFakeEnv()); found != nil || err != nil {
			checkFound(t, err, found)
			return
		}
		for _, c := range script.Clauses {
			if c.Pred != nil {
				wellTyped(t, c.Pred)
			}
			wellTyped(t, c.Body)
			for _, l := range c.Locals {
				if l.Type == nil {
					t.Errorf("local %s has no type", l.Name)
				}
			}
		}
		for _, m := range script.Maps {
			mapWellTyped(t, m)
		}
	})
}

// checkFound tells whether all that Parse found is among what Check did.
func checkFound(t *testing.T, parsed, checked error) {
	t.Helper()
	list, _ := checked.(ErrorList)
	wrong, _ := parsed.(ErrorList)
	for _, e := range wrong {
		if !slices.Contains(list, e) && len(list) < maxErrors {
			t.Errorf("%s was found before", e)
		}
	}
}

func wellTyped(t *testing.T, n Node) {
	Inspect(n, func(x Expr) {
		if call, ok := x.(*Call); ok && call.Func == nil {
			t.Errorf("%s is not resolved", call)
		}
		if n, ok := x.(*Name); ok && (n.Local == nil) == (n.Func == nil) {
			t.Errorf("%s is not resolved", n)
		}
		if x.Type() == nil {
			t.Errorf("%s has no type", x)
		}
	})
}

func mapWellTyped(t *testing.T, m *Map) {
	for i, k := range m.Keys {
		if k == nil {
			t.Errorf("key %d of %s has no type", i, m.Name)
		}
	}
	fed := m.Agg == nil || len(m.Args) > 0
	if !m.Stored || len(m.Uses) == 0 || fed && m.Value == nil {
		t.Errorf("%s has no type", m.Name)
	}
}
