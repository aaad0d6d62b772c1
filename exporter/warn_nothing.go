package exporter

import (
	"fmt"

	"ply-exporter/plylang"
)

// nothing warns of a script that keeps something, prints nothing, and has no metric:
// it was meant to count.
func (list metrics) nothing(checked *plylang.Script) (out plylang.ErrorList) {
	if len(list.exported()) > 0 || prints(checked) {
		return nil
	}
	var to *plylang.MapRef
	var instead string
	for _, c := range checked.Clauses {
		plylang.Walk(c.Body, func(n plylang.Node) bool {
			if a, ok := n.(*plylang.Assign); ok {
				if ref, ok := a.LHS.(*plylang.MapRef); ok && (to == nil || instead == "" && counted(ref, a) != "") {
					to, instead = ref, counted(ref, a)
				}
			}
			return true
		})
	}
	if to != nil {
		out.Add(checked.Src, to.Position(), "nothing of this script is exported: %s is a table; write %sexport: true in metrics: for a gauge", to.Name, instead)
	}
	return out
}

// counted is the aggregation that an assignment to a table was meant to be; "" where
// it stores a value.
func counted(ref *plylang.MapRef, a *plylang.Assign) string {
	switch {
	case a.Op == plylang.INC:
		return fmt.Sprintf("%s = count(), or ", ref)
	case a.Op == plylang.ADD_ASSIGN:
		return fmt.Sprintf("%s = sum(%s), or ", ref, a.X)
	}
	return ""
}

// prints says whether a script prints anything, which is in the log.
func prints(checked *plylang.Script) (yes bool) {
	for _, c := range checked.Clauses {
		plylang.Inspect(c.Body, func(x plylang.Expr) {
			call, ok := x.(*plylang.Call)
			yes = yes || ok && (call.Name == "print" || call.Name == "printf")
		})
	}
	return yes
}
