package bpfgen

import (
	"strings"

	"ply-exporter/plylang"
)

// renamed warns of tasks that are counted down by their name where they end, in a table
// that something else counts up: a new task has its parent's name until it runs a
// program.
func renamed(script *plylang.Script, list *plylang.ErrorList) {
	up := map[*plylang.Map]*plylang.MapRef{}
	down := map[*plylang.MapRef]bool{}
	for _, c := range script.Clauses {
		ends := strings.HasSuffix(c.Spec.Target, "sched_process_exit")
		plylang.Walk(c.Body, func(n plylang.Node) bool {
			a, ok := n.(*plylang.Assign)
			if !ok {
				return true
			}
			ref, ok := a.LHS.(*plylang.MapRef)
			switch {
			case !ok || ref.Map == nil:
			case a.Op == plylang.INC && !ends:
				up[ref.Map] = ref
			case a.Op == plylang.DEC && ends:
				down[ref] = true
			}
			return true
		})
	}
	for ref := range down {
		for _, key := range ref.Keys {
			if name, ok := key.(*plylang.Name); ok && name.Func != nil && name.Func.Name == "comm" && up[ref.Map] != nil {
				list.Add(script.Src, key.Position(), "a task may have another name here than where %s++ counted it, its parent's: keep the name it had, as in name[tid] = comm", up[ref.Map])
			}
		}
	}
}
