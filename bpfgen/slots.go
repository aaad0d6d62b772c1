package bpfgen

import (
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// slotsOf returns the slots of a map if all its keys are known, and an array of them
// is little memory, or no more than the hash that m is otherwise. A map that forgets keys stays a
// hash: a slot cannot be emptied beside updates. So does one that is allowed fewer
// keys than there can be. All CPUs share the values of a table.
func (c *compiler) slotsOf(m *object.Map) *object.Slots {
	if len(m.Keys) == 0 || m.Agg != nil && m.Storage == object.LRUHash || m.Agg == nil && !m.Value.Scalar() {
		return nil
	}
	s := c.bounds(m.Map)
	if s == nil || s.Keys() > m.MaxEntries {
		return nil
	}
	array := *m
	array.Storage, array.Slots = object.Array, s
	if s.Regions = c.cpus; s.CPUPart < 0 && (m.Agg == nil || !perCPUOnly(m) && array.SlotsSize() > perCPULimit) {
		s.Regions = 1
	}
	if array.SlotsSize() > perCPULimit && array.Memory(c.cpus) > m.Memory(c.cpus) {
		return nil
	}
	return s
}

// bounds are the bounds of all parts of a map's key; nil if one has none. A part
// that is a constant has none: it may be any number, and there are few of them.
func (c *compiler) bounds(pm *plylang.Map) *object.Slots {
	s := &object.Slots{Bounds: make([]int, len(pm.Keys)), CPUPart: -1, Regions: 1}
	isCPU := make([]bool, len(pm.Keys))
	for i := range isCPU {
		isCPU[i] = true
	}
	known := true
	for _, clause := range c.script.Clauses {
		plylang.Walk(clause.Body, func(n plylang.Node) bool {
			known = known && !forgets(n, pm)
			ref, ok := n.(*plylang.MapRef)
			if !ok || ref.Map != pm || len(ref.Keys) == 0 {
				return true
			}
			for i, x := range ref.Keys {
				n := c.bound(x)
				_, constant := plylang.ConstInt(x)
				known = known && !constant && n > 0 && n <= capacity(pm.Keys[i])
				s.Bounds[i] = max(s.Bounds[i], n)
				isCPU[i] = isCPU[i] && isName(x, "cpu")
			}
			return true
		})
	}
	if !known || tooMany(s.Bounds) {
		return nil
	}
	for i, is := range isCPU {
		if is {
			s.CPUPart = i
			break
		}
	}
	return s
}

// tooMany says whether there are more keys than any map has, or their number does
// not even fit.
func tooMany(bounds []int) bool {
	n := 1
	for _, b := range bounds {
		if n *= b; b == 0 || n > maxBound {
			return true
		}
	}
	return false
}

// forgets says whether a statement deletes keys of a map, or clears it.
func forgets(n plylang.Node, pm *plylang.Map) bool {
	switch n := n.(type) {
	case *plylang.Delete:
		return n.Map.Map == pm
	case *plylang.Call:
		if n.Func != nil && n.Func.Name == "clear" {
			ref, ok := n.Args[0].(*plylang.MapRef)
			return ok && ref.Map == pm
		}
	}
	return false
}

// maxBound is beyond the bound of anything that is worth a slot for each value.
const maxBound = 1 << 16

// capacity is how many values from 0 on a type holds, or more than any bound.
func capacity(t *plylang.Type) int {
	switch {
	case !t.Integer() || t.Size > 2:
		return maxBound
	case t.Signed:
		return 1 << (8*t.Size - 1)
	}
	return 1 << (8 * t.Size)
}

// bound is how many values an expression can have, from 0 on; 0: that is not known.
func (c *compiler) bound(x plylang.Expr) int {
	if v, ok := plylang.ConstInt(x); ok {
		return boundOf(v)
	}
	switch x := x.(type) {
	case *plylang.Name:
		if isName(x, "cpu") {
			return c.cpus
		}
		if v, ok := implOf(x).(*probe.Var); ok && v.Bound > 0 {
			return v.Bound
		}
	case *plylang.Unary:
		if x.Op == plylang.NOT {
			return 2
		}
	case *plylang.In:
		return 2
	case *plylang.Binary:
		if n := binaryBound(x); n > 0 {
			return n
		}
	case *plylang.Cast:
		if n := c.bound(x.X); n > 0 && n <= capacity(x.Type()) {
			return n
		}
	case *plylang.Cond:
		if a, b := c.bound(x.Then), c.bound(x.Else); a > 0 && b > 0 {
			return max(a, b)
		}
	}
	return typeBound(x.Type())
}

// boundOf is the bound of a constant.
func boundOf(v int64) int {
	if v < 0 || v >= maxBound {
		return 0
	}
	return int(v) + 1
}

func binaryBound(x *plylang.Binary) int {
	switch x.Op {
	case plylang.LOR, plylang.LAND, plylang.LXOR, plylang.EQ, plylang.NE, plylang.LT, plylang.GT, plylang.LE, plylang.GE:
		return 2
	case plylang.AND:
		for _, side := range []plylang.Expr{x.X, x.Y} {
			if v, ok := plylang.ConstInt(side); ok {
				return boundOf(v)
			}
		}
	case plylang.MOD:
		if v, ok := plylang.ConstInt(x.Y); ok && v > 0 && x.X.Type().Integer() && !x.X.Type().Signed {
			return boundOf(v - 1)
		}
	}
	return 0
}

// typeBound is how many values a type has that is small.
func typeBound(t *plylang.Type) int {
	if t.Integer() && t.Size == 1 && !t.Signed {
		return capacity(t)
	}
	return 0
}

// isName says whether an expression is a built-in variable of every probe.
func isName(x plylang.Expr, name string) bool {
	n, ok := x.(*plylang.Name)
	if !ok {
		return false
	}
	row, ok := implOf(n).(*builtin)
	return ok && row.Name == name
}

// implOf is the row behind the name of a built-in variable.
func implOf(x *plylang.Name) any {
	if x.Func == nil || x.Local != nil {
		return nil
	}
	return x.Func.Impl
}
