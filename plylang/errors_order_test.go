package plylang

import "testing"

// Errors of a script inside a file stand among those of the file by their lines.
func TestErrorsInLineOrder(t *testing.T) {
	whole := &Source{File: "c.yaml", Text: "a\nb\nc\nd\n"}
	part := &Source{File: "c.yaml", Text: "c\n", Line: 3}
	var list ErrorList
	list.Add(part, 0, "third")
	list.Add(whole, 6, "fourth")
	list.Add(whole, 2, "second")
	list.Add(part, 0, "third")
	list.Sort()
	if got := list.Error(); got != "c.yaml:2:1: second\nc.yaml:3:1: third\nc.yaml:4:1: fourth" {
		t.Errorf("got\n%s", got)
	}
}
