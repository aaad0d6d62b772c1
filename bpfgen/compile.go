package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// maxInstructions is how far the jumps of BPF reach.
const maxInstructions = 1<<15 - 1

// maxMaps is how many maps the kernel lets a program use.
const maxMaps = 64

// license is what programs must declare that use the helpers for tracing.
const license = "GPL"

// Build parses, checks and compiles the text of a script for one kernel, Linux
// 5.10 or later:
//
//	k, err := kernel.Running()
//	…
//	src := &plylang.Source{Text: "kprobe:sys_read { @[comm] = count(); }"}
//	obj, err := bpfgen.Build(src, k, bpfgen.Options{}, nil)
//
// Errors in the script are a plylang.ErrorList; those of what this kernel lacks
// are plylang.ErrMissing. params gives the text of $1, $NAME and their kin; nil:
// there are none.
func Build(src *plylang.Source, k *kernel.Kernel, opt Options, params func(string) (string, bool)) (*object.Object, error) {
	script, err := plylang.Parse(src)
	if script == nil {
		return nil, err
	}
	if opt.PID != 0 {
		if err := probe.Only(script, opt.PID); err != nil {
			return nil, err
		}
	}
	if err := plylang.Check(script, newEnv(k, opt, params)); err != nil {
		return nil, err
	}
	return Compile(script, k, opt)
}

// A compiler holds what the programs of one script share.
type compiler struct {
	kernel *kernel.Kernel
	script *plylang.Script
	opt    Options
	obj    *object.Object
	plan   *probe.Plan
	maps   map[*plylang.Map]*object.Map
	ranges map[*plylang.Map][]keyRange // of the numbers of keys, by component

	// cleared numbers the maps that are cleared, from 1 on.
	cleared map[*plylang.Map]int

	// expiring is how many maps expire.
	expiring int

	// writers are the programs that store to a map of copies.
	writers map[*plylang.Map][]*probe.Program

	// sets are the sets of control groups by their patterns.
	sets map[string]*object.CgroupSet

	cpus    int                   // possible ones
	timings map[probe.Timing]bool // of programs that note when calls begin

	overflow int // bytes of object.OverflowMap

	taskWords int  // of the record that is kept with each task
	nothing   bool // threads that have nothing are noted, see gen_nothing.go

	constants emit.Constants // of all programs

	zeros int  // how many bytes of zeros programs refer to
	clock bool // programs ask for the time of day
	errs  plylang.ErrorList
}

// Compile generates the programs and maps of a checked script. Its errors are
// plylang.ErrorList.
func Compile(script *plylang.Script, k *kernel.Kernel, opt Options) (*object.Object, error) {
	c := &compiler{kernel: k, script: script, opt: opt, maps: map[*plylang.Map]*object.Map{}, writers: map[*plylang.Map][]*probe.Program{}}
	c.obj = &object.Object{Script: script, Stoppable: opt.Run, Sampled: opt.Sample, Spec: &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{}, Programs: map[string]*ebpf.ProgramSpec{},
	}}
	var err error
	if c.cpus, err = k.PossibleCPUs(); err != nil {
		return nil, err
	}
	c.obj.CPUs = c.cpus
	if opt.Sample {
		c.refuseSample()
	}
	c.plan = probe.NewPlan(k, script.Clauses)
	c.compileMaps()
	c.compileCgroups()
	if c.errs == nil {
		c.compilePrograms()
	}
	if c.errs != nil {
		c.errs.Sort()
		return nil, c.errs
	}
	c.warnOfFunctions()
	c.warnOfCgroups()
	c.warnOfHierarchies()
	c.warnOfPatterns()
	c.ownMaps()
	c.obj.Hash, c.obj.PinHash = c.hash(false), c.hash(true)
	return c.obj, nil
}

func (c *compiler) compileMaps() {
	c.findRanges()
	c.cleared = Cleared(c.script)
	for i, pm := range c.script.Maps {
		m := c.layoutMap(i, pm)
		c.maps[pm] = m
		c.warnOf(m)
		c.obj.Maps = append(c.obj.Maps, m)
		if c.errs == nil {
			c.addMap(m)
		}
	}
}

func (c *compiler) compilePrograms() {
	p := c.plan
	c.obj.Probes = p.Names
	if c.refuseSplits(p.Splits); c.errs != nil {
		return
	}
	c.layoutCopies(p.Programs)
	c.addMisses(p.Programs)
	c.noteTimings(p.Programs)
	c.nothing = c.knowsNothing()
	for i, program := range p.Programs {
		c.compileProgram(i, program)
	}
}

// maxPrograms is how many programs a specification may need because its sites
// cannot share one. Each takes memory, and freeing very many of them at once
// can stop a machine.
const maxPrograms = 128

// refuseSplits finds the specifications that would need very many programs.
func (c *compiler) refuseSplits(all []*probe.Split) {
	for _, a := range all {
		if a.Sites <= maxPrograms {
			continue
		}
		if a.Shared != "" {
			c.errs.Add(c.script.Src, a.Spec.Pos, "%s matches %d functions, and each takes a program, of which %d are allowed: name fewer, or write %s:%s, where one program serves all",
				a.Spec, a.Sites, maxPrograms, a.Shared, a.Spec.Target)
			continue
		}
		hint := ""
		if row, ok := kernel.FeatureInfo(a.Tells); ok {
			hint = fmt.Sprintf(", or run Linux %d.%d or later, where one program serves all", row.Since[0], row.Since[1])
		}
		c.errs.Add(c.script.Src, a.Spec.Pos, "%s matches %d attach points, and on this kernel only a program for each can tell which fired; %d are allowed: "+
			"leave out probe and func, or name fewer%s", a.Spec, a.Sites, maxPrograms, hint)
	}
}

// compileProgram generates a program with its values on the stack, and if
// there is not enough of that, again with scratch memory. That memory also bounds how
// often a program can be inside itself, where only that does.
func (c *compiler) compileProgram(i int, p *probe.Program) {
	g := newGen(c, p, emit.Scratch{})
	g.programCode()
	if g.Overflowed() || p.Unbounded(c.kernel) {
		scratch := c.scratchOf(i, p)
		g = newGen(c, p, scratch)
		g.programCode()
		c.scratchMaps(scratch, g.ScratchBytes())
	}
	c.obj.Events = append(c.obj.Events, g.events...)
	c.checkLimits(g)
	spec := p.Spec
	spec.Name, spec.License, spec.Instructions = p.Name, license, g.Instructions()
	c.obj.Spec.Programs[spec.Name] = &spec
	c.obj.Programs = append(c.obj.Programs, &p.Program)
}

func (c *compiler) checkLimits(g *gen) {
	pos := g.program.First().Probe.Pos
	switch n := g.Instructions().Size() / asm.InstructionSize; {
	case g.rounds > maxInstructions:
		c.errs.Add(c.script.Src, pos, "probe repeats too much: its loops have more than %d rounds in all, use a smaller unroll()", maxInstructions)
	case g.Overflowed():
		c.errs.Add(c.script.Src, pos, "probe needs more than %d bytes of memory for its values: use shorter strings", emit.StackSize+emit.ScratchSize)
	case n > maxInstructions:
		c.errs.Add(c.script.Src, pos, "probe is too long: it has more than %d instructions, use a smaller unroll() or several probes", maxInstructions)
	case mapsOf(g.Instructions()) > maxMaps:
		c.errs.Add(c.script.Src, pos, "what is done at one place, or for all system calls, takes %d maps of the kernel, and %d are allowed: make it several scripts",
			mapsOf(g.Instructions()), maxMaps)
	}
}

// mapsOf is how many maps a program uses.
func mapsOf(program asm.Instructions) int {
	maps := map[string]bool{}
	for i := range program {
		if program[i].IsLoadFromMap() {
			maps[program[i].Reference()] = true
		}
	}
	return len(maps)
}

// programCode generates the whole program.
func (g *gen) programCode() {
	g.finish = g.Label()
	g.at(g.program.First().Spec)
	g.Emit(asm.Mov.Reg(asm.R6, asm.R1))
	if g.program.Job != probe.RunClauses {
		g.companionCode()
		return
	}
	end := g.finish
	if g.program.Timing == probe.BySession {
		g.beginSession(end)
	}
	if g.scratch.InUse != "" || g.scratch.Taken {
		end = g.Label()
	}
	g.program.Filter(&g.Context, end, func() { g.leaveWithNothing(end) })
	if g.obj.Stoppable && g.program.Attach != object.AttachEnd {
		g.leaveIfStopped(end)
	}
	g.FindScratch(end, g.finish, func() { g.losesEvent(end) })
	g.draw()
	g.prepareClock()
	g.prepareElapsed()
	for _, clause := range g.program.Clauses {
		if g.tooLong() {
			break
		}
		g.clauseCode(clause)
	}
	if end != g.finish {
		g.Bind(g.finish)
		g.LeaveScratch()
	}
	g.Exit(end, g.program.Attach.Result())
}
