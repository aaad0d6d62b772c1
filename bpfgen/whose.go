package bpfgen

import (
	"slices"
	"strings"

	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// taskVariables are what is asked of the task that runs, and which of them only a
// task itself has.
var taskVariables = map[string]struct{ id bool }{
	"pid": {true}, "tid": {true}, "ppid": {}, "uid": {}, "gid": {}, "comm": {}, "cgroup": {}, "curtask": {true},
}

// Bystanders warns of keys that are those of a task which an event is not about.
func Bystanders(script *plylang.Script) plylang.ErrorList {
	var list plylang.ErrorList
	for _, c := range script.Clauses {
		scope, ok := c.Scope.(*probe.Scope)
		if !ok {
			continue
		}
		if by, at := scope.Bystander(); by != nil {
			(&bystander{by, at, c, script.Src, &list}).warn()
		}
	}
	list.Sort()
	said, at := map[string]bool{}, map[plylang.Pos]bool{} // of several maps, and of several probes of one body
	return slices.DeleteFunc(list, func(e *plylang.Error) bool {
		again := said[e.Msg] || at[e.Pos]
		said[e.Msg], at[e.Pos] = true, true
		return again
	})
}

// A bystander is one at a clause.
type bystander struct {
	*probe.Bystander
	at     string // the probe
	clause *plylang.Clause
	src    *plylang.Source
	list   *plylang.ErrorList
}

func (b *bystander) warn() {
	if b.clause.Pred != nil && b.knows(b.clause.Pred) {
		return
	}
	b.patterns()
	plylang.Walk(b.clause.Body, func(n plylang.Node) bool {
		if a, ok := n.(*plylang.Assign); ok {
			if ref, ok := a.LHS.(*plylang.MapRef); ok && (b.Stores || ref.Map.Agg != nil) {
				b.key(ref)
			}
		}
		return true
	})
}

// patterns warns of a set of cgroups in which that of the bystander is looked up,
// unless the clause uses what it is about.
func (b *bystander) patterns() {
	if b.knows(b.clause.Body) {
		return
	}
	visit := func(x plylang.Expr) {
		if in, ok := x.(*plylang.In); ok && in.Pattern != nil {
			b.found(b.task(in.X))
		}
	}
	if b.clause.Pred != nil {
		plylang.Inspect(b.clause.Pred, visit)
	}
	plylang.Inspect(b.clause.Body, visit)
}

// knows says whether an expression tells the two tasks apart. What stands in the
// key of a map does not count.
func (b *bystander) knows(x plylang.Node) (knows bool) {
	plylang.Walk(x, func(n plylang.Node) bool {
		switch n := n.(type) {
		case *plylang.MapRef:
			return false
		case *plylang.In:
			return n.Pattern == nil
		case *plylang.Name:
			knows = knows || b.About != "" && isTask(n)
		case *plylang.Member:
			knows = knows || slices.ContainsFunc(b.Begins, func(s string) bool { return strings.HasPrefix(n.Name, s) })
		}
		return true
	})
	return knows
}

// key warns of the first component of a key that is the bystander's, unless others
// are of the task that it is about.
func (b *bystander) key(ref *plylang.MapRef) {
	var found *plylang.Name
	for _, k := range ref.Keys {
		name := b.task(k)
		if name == nil && b.knows(k) {
			return
		}
		if found == nil {
			found = name
		}
	}
	b.found(found)
}

// found warns of what is asked of the bystander, if anything is.
func (b *bystander) found(name *plylang.Name) {
	if name == nil {
		return
	}
	about := ""
	if b.About != "" {
		about = "; the one that it is about is in " + b.About
	}
	b.list.Add(b.src, name.Pos, "at %s, %s is that of %s%s", b.at, name.Name, b.Task, about)
}

// task returns what an expression asks of the task that runs, also by a local.
func (b *bystander) task(x plylang.Expr) (found *plylang.Name) {
	plylang.Walk(x, func(n plylang.Node) bool {
		name, ok := n.(*plylang.Name)
		if ok && found == nil && (b.asks(name) || name.Local != nil && b.assigned(name.Local)) {
			found = name
		}
		_, isMap := n.(*plylang.MapRef)
		return !isMap // its key is no key of this map
	})
	return found
}

func (b *bystander) asks(name *plylang.Name) bool {
	return isTask(name) && (!b.IDsOnly || taskVariables[name.Func.Name].id)
}

func isTask(name *plylang.Name) bool {
	if name.Func == nil {
		return false
	}
	_, ok := taskVariables[name.Func.Name]
	return ok
}

// assigned says whether a local has been given one of the task's variables.
func (b *bystander) assigned(l *plylang.Local) (yes bool) {
	plylang.Walk(b.clause.Body, func(n plylang.Node) bool {
		if a, ok := n.(*plylang.Assign); ok && a.X != nil {
			to, isName := a.LHS.(*plylang.Name)
			from, ok := a.X.(*plylang.Name)
			yes = yes || isName && ok && to.Local == l && b.asks(from)
		}
		return true
	})
	return yes
}
