package plylang

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// equal says whether two trees mean the same: positions, types, and the
// spelling of numbers do not count, nor whether a default clause was written
// out.
func equal(a, b Node) bool {
	if content(a) != content(b) {
		return false
	}
	below, other := children(a), children(b)
	if len(below) != len(other) {
		return false
	}
	for i := range below {
		if !equal(below[i], other[i]) {
			return false
		}
	}
	return true
}

// A nodeContent is what a node says by itself, without what is below it.
type nodeContent struct {
	kind  reflect.Type
	text  string
	op    Token
	value uint64
	unit  Unit
	mark  bool
}

func content(n Node) nodeContent {
	o := nodeContent{kind: reflect.TypeOf(n)}
	switch n := n.(type) {
	case *Spec:
		o.text = n.Provider + ":" + n.Target
	case *Probe:
		o.text, o.mark = shape(n), n.Pred != nil
	case *Assign:
		o.op = n.Op
	case *Number:
		o.value, o.unit, o.mark = n.Value, n.Unit, n.Negative()
	case *StringLit:
		o.text = n.Value
	case *Name:
		o.text = n.Name
	case *Call:
		o.text = n.Name
	case *MapRef:
		o.text = n.Name
	case *Unary:
		o.op = n.Op
	case *Binary:
		o.op = n.Op
	case *Exists:
		o.text = n.Of + strings.Join(n.Path, ".")
	case *Cast:
		o.text = n.To
	case *Member:
		o.text, o.mark = n.Name, n.Arrow
	}
	return o
}

// shape says which of the specifications of a probe are alternatives.
func shape(p *Probe) string {
	var s string
	for _, c := range p.Choices {
		s += fmt.Sprint(len(c.Specs), c.Optional, " ")
	}
	return s
}

// TestEqual compares scripts that differ in one thing.
func TestEqual(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"x = 1", " x=1 ; /* other */", true},
		{"x = 10ms", "x = 10000us", true},
		{"x = 10ms", "x = 10000000", false},
		{"x = 9223372036854775808", "x = -9223372036854775808", false},
		{"x = 1", "x = 2", false},
		{"x = 1", "x += 1", false},
		{"x = 1", "y = 1", false},
		{"x = 1", "@x = 1", false},
		{"@x = 1", "$x = 1", false},
		{"@x = 1", "@x[1] = 1", false},
		{"x = a + b", "x = a - b", false},
		{"x = a.b", "x = a->b", false},
		{"x = a.b", "x = a.c", false},
		{"x = -a", "x = ~a", false},
		{"x = (u32)a", "x = (s32)a", false},
		{"x = \"a\"", "x = \"b\"", false},
		{"if (x) y++", "if (x) { y++; }", true},
		{"if (x) y++", "if (x) y++; else { }", false},
		{"f(1)", "f(1, 2)", false},
		{"f(1)", "g(1)", false},
		{"return", "break", false},
	} {
		a, b := parseBody(t, row.a), parseBody(t, row.b)
		if equal(a, b) != row.want || equal(b, a) != row.want {
			t.Errorf("%s and %s: equal is not %v", a, b, row.want)
		}
	}
}

func parseBody(t *testing.T, stmts string) *Script {
	t.Helper()
	script, err := Parse(&Source{Text: body(stmts)})
	if err != nil {
		t.Fatalf("%s", Detail(err))
	}
	return script
}
