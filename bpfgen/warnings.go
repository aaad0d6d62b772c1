package bpfgen

import (
	"fmt"
	"slices"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// warnOf says what this kernel cannot do as well as others.
func (c *compiler) warnOf(m *object.Map) {
	if !perCPUOnly(m) {
		return
	}
	if copies := m.MaxEntries * m.ValueMemory(c.cpus); m.Storage == object.PerCPUHash && copies > perCPULimit && !c.opt.Run {
		c.obj.Warnings.Add(c.script.Src, m.Pos, "%s() keeps a value for each of %d CPUs, %d MiB in all: lower max_entries of %s", m.Agg.Name, c.cpus, (m.Memory(c.cpus)+1<<19)>>20, m.Name)
	}
	if !c.kernel.Has(kernel.FetchingAtomics) {
		c.obj.Warnings.Add(c.script.Src, m.Pos, "%s may miss a value on this kernel when one probe interrupts another: %s() is exact from Linux 5.12 on", m.Name, m.Agg.Name)
	}
}

// warnOfFunctions says what this kernel keeps from scripts that probe its
// functions.
func (c *compiler) warnOfFunctions() {
	c.warnHidden()
	if !c.kernel.Has(kernel.MissedCounts) {
		c.warnUncounted()
	}
	c.warnMoved()
}

// warnMoved passes on what the probes have to say of their functions, once for
// each specification.
func (c *compiler) warnMoved() {
	seen := map[string]bool{}
	for _, clause := range c.script.Clauses {
		for _, note := range clause.Scope.(*probe.Scope).Notes() {
			key := fmt.Sprint(clause.Spec.Pos, note)
			if !seen[key] {
				seen[key] = true
				c.obj.Warnings.Add(c.script.Src, clause.Spec.Pos, "%s", note)
			}
		}
	}
}

// warnUncounted is about returns. The kernel keeps track of as many callers of
// a function at a time as it has CPUs, or of ten, unless room for more is asked for.
func (c *compiler) warnUncounted() {
	seen := map[*plylang.Spec]bool{}
	for _, p := range c.obj.Programs {
		if p.Attach != object.AttachKretprobe && p.Attach != object.AttachKretprobeMulti {
			continue
		}
		for _, spec := range p.Specs {
			if !seen[spec] {
				seen[spec] = true
				c.obj.Warnings.Add(c.script.Src, spec.Pos,
					"returns are missed when more callers are inside the function at a time than %s; Linux counts them from 6.7 on", roomOf(p))
			}
		}
	}
}

// roomOf is for how many callers of a function a program has room.
func roomOf(p *object.Program) string {
	if f, ok := p.Points[0].Site.(object.Function); ok && f.Callers > 0 {
		return fmt.Sprintf("the %d that there is room for", f.Callers)
	}
	return "the kernel has room for, as when it sleeps"
}

// warnHidden says that functions will be shown as addresses where the kernel
// hides the addresses of its symbols. From Linux 5.14 on it tells programs their names
// all the same: see tracer.Symbols.
func (c *compiler) warnHidden() {
	if c.kernel.AtLeast(5, 14) {
		return
	}
	for _, m := range c.obj.Maps {
		inKey := slices.ContainsFunc(m.Key, func(k object.KeyPart) bool { return c.showsFunction(k.Type) })
		if !inKey && !c.showsFunction(m.Value) {
			continue
		}
		if err := c.kernel.TellsAddresses(); err != nil {
			c.obj.Warnings.Add(c.script.Src, m.Pos, "%s shows addresses instead of functions: %v", m.Name, err)
		}
	}
}

// kprobePrograms are the attach kinds whose sites come from the kernel's symbols.
var kprobePrograms = map[object.AttachKind]bool{
	object.AttachKprobe: true, object.AttachKretprobe: true, object.AttachKprobeMulti: true, object.AttachKretprobeMulti: true,
	object.AttachKprobeSession: true, object.AttachFentry: true, object.AttachFexit: true,
}

// showsFunction says whether a value is shown as a kernel function's name by its
// address. func is the name of a system call where no function is probed.
func (c *compiler) showsFunction(t *plylang.Type) bool {
	if t == nil {
		return false
	}
	return t.Display == plylang.DisplayFunc && c.probesFunctions() || t.Display == plylang.DisplaySymbol || t.Display == plylang.DisplayStack
}

func (c *compiler) probesFunctions() bool {
	return slices.ContainsFunc(c.obj.Programs, func(p *object.Program) bool { return kprobePrograms[p.Attach] })
}
