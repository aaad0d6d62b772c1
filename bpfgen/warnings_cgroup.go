package bpfgen

import (
	"fmt"
	"strings"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/plylang"
)

// eachExpr calls visit for all expressions of the script.
func (c *compiler) eachExpr(visit func(plylang.Expr)) {
	for _, clause := range c.script.Clauses {
		if clause.Pred != nil {
			plylang.Inspect(clause.Pred, visit)
		}
		plylang.Inspect(clause.Body, visit)
	}
}

// warnOfCgroups says that the control groups of version 2, of which the current
// task's is known, are not those that this machine uses: once in a script.
func (c *compiler) warnOfCgroups() {
	var first *plylang.Name
	c.eachExpr(func(x plylang.Expr) {
		name, ok := x.(*plylang.Name)
		if ok && first == nil && name.Func != nil && name.Func.Result != nil && name.Func.Result.Display == plylang.DisplayCgroup {
			first = name
		}
	})
	if first == nil || !c.kernel.OnlyOldCgroups() {
		return
	}
	hint := ""
	if n, ok := ctype.Enumerator(c.kernel, "memory_cgrp_id"); ok {
		hint = fmt.Sprintf("; the memory controller's is cgroup(curtask->cgroups->subsys[%d])", n)
	}
	c.obj.Warnings.Add(c.script.Src, first.Pos, "%s is / for every task: it is a control group of version 2, and this machine uses version 1%s", first.Name, hint)
}

// warnOfHierarchies says where an event has the hierarchy of an ID that is taken for
// one of version 2.
func (c *compiler) warnOfHierarchies() {
	said := map[plylang.Pos]bool{} // of several clauses of one body
	c.eachExpr(func(x plylang.Expr) {
		call, ok := x.(*plylang.Call)
		if !ok || call.Func != &cgroupFunction.Func || len(call.Args) != 1 || said[call.Pos] {
			return
		}
		if root := besideID(call.Args[0]); root != "" {
			said[call.Pos] = true
			c.obj.Warnings.Add(c.script.Src, call.Args[0].Position(), "%[1]s is an ID of the hierarchy %[2]s, and another hierarchy may have the same: write cgroup(%[1]s, %[2]s)", call.Args[0], root)
		}
	})
}

// besideID is the field of an event with the hierarchy of the ID in another: root
// beside id, dst_root beside dst_id; "" where there is none.
func besideID(x plylang.Expr) string {
	m, ok := x.(*plylang.Member)
	if !ok || !strings.HasSuffix(m.Name, "id") {
		return ""
	}
	root := *m
	root.Name = strings.TrimSuffix(m.Name, "id") + "root"
	t := m.X.Type()
	if t == nil || t.Elem == nil || t.Elem.Struct == nil {
		return ""
	}
	if _, ok := t.Elem.Struct.Member(root.Name); !ok {
		return ""
	}
	return root.String()
}
