package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Sets of control groups
//
// x in "pattern" is one lookup in a hash, whatever the pattern: who runs the script
// puts the groups that match into it. Equal patterns of a script share one.

// compileCgroups makes the sets that the script asks for.
func (c *compiler) compileCgroups() {
	c.sets = map[string]*object.CgroupSet{}
	visit := func(x plylang.Expr) {
		if in, ok := x.(*plylang.In); ok && in.Pattern != nil {
			c.addSet(in)
		}
	}
	c.eachExpr(visit)
}

func (c *compiler) addSet(x *plylang.In) {
	text := x.Pattern.Value
	if set, known := c.sets[text]; known {
		if set != nil {
			set.AllHierarchies = set.AllHierarchies || namesHierarchy(x.X)
		}
		return
	}
	p, err := object.CompilePattern(text)
	if err != nil {
		c.sets[text] = nil
		c.errs.Add(c.script.Src, x.Pattern.Pos, "%v", err)
		return
	}
	set := &object.CgroupSet{Pattern: p, Map: fmt.Sprintf("ply_cgroups%d", len(c.sets)), Pos: x.Pattern.Pos, AllHierarchies: namesHierarchy(x.X)}
	c.sets[text] = set
	c.obj.Cgroups = append(c.obj.Cgroups, set)
	c.obj.Spec.Maps[set.Map] = &ebpf.MapSpec{Name: set.Map, Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: object.CgroupRoom}
}

// namesHierarchy says whether the group that x stands for may be one of version 1.
func namesHierarchy(x plylang.Expr) bool {
	name, ok := x.(*plylang.Name)
	return !ok || name.Func == nil
}

// inCgroups goes to label if the truth of x in "pattern" is when.
func (g *gen) inCgroups(x *plylang.In, label string, when bool) {
	g.expr(x.X)
	key := g.Spill()
	g.MapPtr(asm.R1, g.sets[x.Pattern.Value].Map)
	g.Address(asm.R2, key)
	g.Call(asm.FnMapLookupElem)
	g.Free(key)
	g.Jump(emit.Pick(when, asm.JNE, asm.JEq), asm.R0, 0, label)
}

// warnOfPatterns says of which patterns no group is there yet, where the groups can
// be seen.
func (c *compiler) warnOfPatterns() {
	for _, set := range c.obj.Cgroups {
		if seen, found := c.anyGroup(set); seen && !found {
			c.obj.Warnings.Add(c.script.Src, set.Pos, "no cgroup matches %s now: those that are made later are counted from their beginning", &plylang.StringLit{Value: set.Text})
		}
	}
}

// anyGroup says whether there is a group in a set, as far as groups are seen.
func (c *compiler) anyGroup(set *object.CgroupSet) (seen, found bool) {
	for _, h := range c.kernel.Hierarchies() {
		if !h.Whole || h.Number != 0 && !set.AllHierarchies {
			continue
		}
		c.kernel.Cgroups(h, func(group kernel.Cgroup) bool {
			seen, found = true, found || set.Match(group.Path)
			return !found
		})
	}
	return seen, found
}
