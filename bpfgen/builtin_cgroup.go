package bpfgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Control groups
//
// The value of a control group is its ID with the number of its hierarchy; see
// object.CgroupKey. The hierarchy of version 2 has the number 0, so that the
// value of its groups is their ID, as the kernel's helper for the current task
// returns it.

var cgroupID = shown(plylang.U64, plylang.DisplayCgroup)

var cgroupFunction = &builtin{
	Func: plylang.Func{
		Name: "cgroup",
		Doc: "Shows a cgroup as its path: x is its ID, or a pointer to its struct cgroup, to a controller's part of it (css, mem_cgroup) " +
			"or to a task in it. hierarchy is the number that an event gives with an ID; without it x is of version 2.",
		Params: []plylang.Param{
			{Name: "x", Want: plylang.WantAddress},
			{Name: "hierarchy", Want: plylang.WantPlain, Optional: true},
		},
		Infer: cgroupType,
	},
	gen: showCgroup,
}

// A step leads from a struct of the kernel to another one.
type step struct {
	member, to string
	embedded   bool
}

// toCgroup leads from structs to the cgroup. Others have a part of the first that
// does.
var toCgroup = map[string]step{
	"cgroup_subsys_state": {member: "cgroup", to: "cgroup"},
	"task_struct":         {member: "cgroups", to: "css_set"},
	"css_set":             {member: "dfl_cgrp", to: "cgroup"},
}

const cssMember = "css"

// stepFrom returns the step from a struct with these members. Most controllers'
// structs begin with their cgroup_subsys_state.
func stepFrom(name string, members []string) (step, bool) {
	if s, ok := toCgroup[name]; ok {
		return s, true
	}
	if slices.Contains(members, cssMember) {
		return step{member: cssMember, to: "cgroup_subsys_state", embedded: true}, true
	}
	return step{}, false
}

// structBehind is the name of the struct that a pointer points to.
func structBehind(t *plylang.Type) (name string, members []string) {
	if t.Kind != plylang.Pointer || t.Elem == nil || t.Elem.Struct == nil {
		return "", nil
	}
	return strings.TrimPrefix(t.Elem.Struct.Name(), "struct "), t.Elem.Struct.Names()
}

func cgroupType(args []plylang.Expr) (*plylang.Type, error) {
	t := args[0].Type()
	if t.Integer() {
		return cgroupID, nil
	}
	if len(args) > 1 {
		return nil, &plylang.ArgError{Arg: 1, Msg: "a hierarchy goes with an ID, and this is a pointer, which tells its own: leave it out"}
	}
	name, members := structBehind(t)
	if _, ok := stepFrom(name, members); ok || name == "cgroup" {
		return cgroupID, nil
	}
	what := "this pointer is to something else"
	if name != "" {
		what = fmt.Sprintf("this is a pointer to struct %s", name)
	}
	return nil, &plylang.ArgError{Arg: 0, Msg: "cgroup() takes an ID, or a pointer to a struct cgroup, cgroup_subsys_state, mem_cgroup or task_struct, and " + what}
}

// showCgroup leaves the value of a cgroup.
func showCgroup(g *gen, args []plylang.Expr) {
	switch name, members := structBehind(args[0].Type()); {
	case name != "":
		g.expr(args[0])
		g.walkToCgroup(name, members)
		g.readCgroup()
	case len(args) > 1:
		g.operands(args[0], args[1])
		g.joinHierarchy()
	default:
		g.expr(args[0])
	}
}

// walkToCgroup turns the address of a struct in R0 into that of its cgroup.
func (g *gen) walkToCgroup(name string, members []string) {
	for name != "cgroup" {
		s, _ := stepFrom(name, members)
		off := g.offsetOf("cgroup()", name, s.member)
		if s.embedded {
			g.Emit(asm.Add.Imm(asm.R0, int32(off)))
		} else {
			g.loadFrom(asm.R0, off, plylang.U64)
		}
		name, members = s.to, nil
	}
}

// readCgroup turns the address of a struct cgroup in R0 into its value.
func (g *gen) readCgroup() {
	cgroup := g.Spill()
	g.loadFrom(asm.R0, g.offsetOf("cgroup()", "cgroup", "kn"), plylang.U64)
	g.loadFrom(asm.R0, g.offsetOf("cgroup()", "kernfs_node", "id"), plylang.U64)
	id := g.Spill()
	g.Load(asm.R0, cgroup)
	g.Free(cgroup)
	g.loadFrom(asm.R0, g.offsetOf("cgroup()", "cgroup", "root"), plylang.U64)
	g.loadFrom(asm.R0, g.offsetOf("cgroup()", "cgroup_root", "hierarchy_id"), plylang.S32)
	g.Emit(asm.Mov.Reg(asm.R1, asm.R0))
	g.Load(asm.R0, id)
	g.Free(id)
	g.joinHierarchy()
}

// loadFrom leaves the number at an offset from the address in a register in R0.
func (g *gen) loadFrom(reg asm.Register, off int, t *plylang.Type) {
	g.Emit(asm.Mov.Reg(asm.R3, reg))
	if off != 0 {
		g.Emit(asm.Add.Imm(asm.R3, int32(off)))
	}
	g.KeepToKernel()
	g.LoadNumber(t)
}

// joinHierarchy makes a value of the ID in R0 and the number of the hierarchy in
// R1, as object.CgroupKey does.
func (g *gen) joinHierarchy() {
	fits := g.Label()
	g.Jump(asm.JLT, asm.R1, object.MaxHierarchy, fits)
	g.Emit(asm.Mov.Imm(asm.R1, object.MaxHierarchy))
	g.Bind(fits)
	g.Emit(asm.LSh.Imm(asm.R1, object.HierarchyShift), asm.Or.Reg(asm.R0, asm.R1))
}
