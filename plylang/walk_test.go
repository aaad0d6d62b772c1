package plylang

import (
	"reflect"
	"testing"
)

// TestClone compares copies with their originals in every field, and sees
// that they share nothing.
func TestClone(t *testing.T) {
	for _, text := range roundTrips {
		script, err := Parse(&Source{Text: text})
		if err != nil {
			t.Fatalf("%s", Detail(err))
		}
		for _, probe := range script.Probes {
			body, pred := cloneBlock(probe.Body), cloneExpr(probe.Pred)
			if !reflect.DeepEqual(body, probe.Body) || !reflect.DeepEqual(pred, probe.Pred) {
				t.Errorf("%s\nis copied as\n%v %v", probe, pred, body)
			}
			before := probe.String()
			Walk(body, func(n Node) bool {
				spoil(n)
				return true
			})
			if after := probe.String(); after != before {
				t.Errorf("%s\nshares nodes with its copy: %s", before, after)
			}
		}
	}
	if cloneBlock(nil) != nil || cloneExpr(nil) != nil {
		t.Error("the copy of nil is something")
	}
}

// spoil changes a node so that it prints otherwise.
func spoil(n Node) {
	switch n := n.(type) {
	case *Number:
		n.Text = "spoiled"
	case *StringLit:
		n.Value += "!"
	case *Name:
		n.Name += "!"
	case *Call:
		n.Name += "!"
	case *MapRef:
		n.Name += "!"
	case *In:
		n.Pattern = &StringLit{}
	case *Exists:
		n.Of += "!"
		if len(n.Path) > 0 {
			n.Path[0] = "!"
		}
	case *Spec:
		n.Target += "!"
	case *Cast:
		n.To += "!"
	case *Member:
		n.Name += "!"
	case *Assign:
		n.Op = SHR_ASSIGN
	}
}

// TestPositions shows where the nodes of a statement say they are.
func TestPositions(t *testing.T) {
	const text = "kprobe:a { @m[k] = f(x.y[1]) + (c ? -2 : *p) ; x = y in (1, 2); }"
	script, err := Parse(&Source{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"*plylang.Spec": "kprobe", "*plylang.Assign": "= f", "*plylang.MapRef": "@m", "*plylang.Call": "f(",
		"*plylang.Member": "y[", "*plylang.Index": "[1", "*plylang.Binary": "+", "*plylang.Cond": "?", "*plylang.In": "in",
		"*plylang.Unary": "*p", "*plylang.Block": "{",
	}
	Walk(script, func(n Node) bool {
		kind := reflect.TypeOf(n).String()
		at := text[n.Position():]
		if w, ok := want[kind]; ok && at[:len(w)] != w {
			t.Errorf("%s stands at %q, not %q", kind, at, w)
		}
		delete(want, kind)
		return true
	})
	if len(want) > 0 {
		t.Errorf("not walked over: %v", want)
	}
}
