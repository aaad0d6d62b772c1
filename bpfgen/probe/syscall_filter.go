package probe

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A callRange is the numbers from lo to hi.
type callRange struct{ lo, hi int32 }

// rangesOf merges numbers that follow each other.
func rangesOf(numbers []int) []callRange {
	sorted := append([]int(nil), numbers...)
	sort.Ints(sorted)
	var out []callRange
	for _, n := range sorted {
		if last := len(out) - 1; last >= 0 && int32(n) <= out[last].hi+1 {
			out[last].hi = int32(n)
			continue
		}
		out = append(out, callRange{int32(n), int32(n)})
	}
	return out
}

// emitRanges goes to skip unless R0 is in one of the ranges. What is negative is
// large here. Of several ranges there is a table with a bit for each number: a
// processor guesses comparisons with this and that wrong, because any call may follow
// any other, and each wrong guess takes longer than all of this.
func emitRanges(c *Context, ranges []callRange, skip string) {
	if len(ranges) == 1 {
		inRange(c, ranges[0], skip)
		return
	}
	table := bitsOf(ranges)
	c.Jump(asm.JGE, asm.R0, int32(8*len(table)), skip)
	c.Constant(asm.R1, table)
	c.Emit(asm.Mov.Reg(asm.R2, asm.R0), asm.RSh.Imm(asm.R2, 3), asm.Add.Reg(asm.R1, asm.R2))
	c.Emit(asm.LoadMem(asm.R1, asm.R1, 0, asm.Byte))
	c.Emit(asm.Mov.Reg(asm.R2, asm.R0), asm.And.Imm(asm.R2, 7), asm.RSh.Reg(asm.R1, asm.R2), asm.And.Imm(asm.R1, 1))
	c.Jump(asm.JEq, asm.R1, 0, skip)
}

// bitsOf is a table with a bit for each number, the lowest of the first byte being
// that of 0.
func bitsOf(ranges []callRange) []byte {
	table := make([]byte, ranges[len(ranges)-1].hi/8+1)
	for _, r := range ranges {
		for n := r.lo; n <= r.hi; n++ {
			table[n/8] |= 1 << (n % 8)
		}
	}
	return table
}

// inRange falls through when R0 is in r.
func inRange(c *Context, r callRange, skip string) {
	if r.lo == r.hi {
		c.Jump(asm.JNE, asm.R0, r.lo, skip)
		return
	}
	if r.lo > 0 {
		c.Jump(asm.JLT, asm.R0, r.lo, skip)
	}
	c.Jump(asm.JGT, asm.R0, r.hi, skip)
}

// rawCalls is the bundle of a clause at the tracepoint of all system calls.
type rawCalls struct {
	kind  syscallKind
	table []string         // names of all calls, by number; nil: not asked for
	calls []kernel.Syscall // those that the clause wants

	// returns leaves out the children that come out of their parents' calls, and
	// what rt_sigreturn makes look like the return of a call.
	returns bool
}

// at puts s to the tracepoint.
func (r *rawCalls) at(res *Resolver, s *Scope) *Scope {
	s.attach, s.many = object.AttachTracepoint, ""
	s.raw = rawIsBetter(res, r.kind.tracepoint) && !wholeRecord(s.uses)
	s.sites = []site{{object.AttachPoint{Site: tracepointNamed(r.kind.tracepoint)}, tracepointProvider.Name + ":" + r.kind.tracepoint}}
	return r.of(s)
}

// of makes r the bundle of s.
func (r *rawCalls) of(s *Scope) *Scope {
	s.bundle, s.covers = r, countCalls(r.calls)
	return s
}

func (r *rawCalls) why(all []bundle) string {
	calls := map[kernel.Syscall]bool{}
	for _, b := range all {
		for _, c := range b.(*rawCalls).calls {
			calls[c] = true
		}
	}
	n := countCalls(slices.Collect(maps.Keys(calls)))
	return fmt.Sprintf("one attachment to %s for %s", r.kind.tracepoint, plural(n, "system call"))
}

// countCalls counts calls as the user does: numbers that may be calls of a newer
// kernel count where there is nothing else.
func countCalls(calls []kernel.Syscall) int {
	named := 0
	for _, c := range calls {
		if !c.Unnamed {
			named++
		}
	}
	return emit.Pick(named > 0, named, len(calls))
}

// numbersOf are the numbers of calls for which keep holds.
func numbersOf(calls []kernel.Syscall, keep func(kernel.Syscall) bool) []int {
	var numbers []int
	for _, c := range calls {
		if keep(c) {
			numbers = append(numbers, c.Number)
		}
	}
	return numbers
}

func (r *rawCalls) names() []string { return r.table }

func (r *rawCalls) fired(c *Context) {
	r.kind.number(c)
	c.Emit(asm.Add.Imm(asm.R0, int32(c.Base)))
}

func (r *rawCalls) without(s, other *Scope) *Scope {
	left := *r
	left.calls = nil
	for _, c := range r.calls {
		if !slices.Contains(other.bundle.(*rawCalls).calls, c) {
			left.calls = append(left.calls, c)
		}
	}
	if len(left.calls) == 0 {
		return nil
	}
	rest := *s
	return left.of(&rest)
}

// Filter goes to skip when what fired is none that any clause of the program wants, so
// that the others, which are nearly all, cost the same however many clauses there are.
// early is emitted when the number is known to be wanted, and all else is not.
func (p *Program) Filter(c *Context, skip string, early func()) {
	var numbers []int
	var kind syscallKind
	for i, clause := range p.Clauses {
		b, ok := clause.Scope.bundle.(*rawCalls)
		if !ok || i > 0 && b.kind != kind {
			return
		}
		kind = b.kind
		numbers = append(numbers, b.numbers()...)
		if i == 0 || clause.Scope.asksTask() {
			c.Scope = clause.Scope
		}
	}
	c.calls = rangesOf(numbers)
	kind.number(c)
	emitRanges(c, c.calls, skip)
	early()
	nativeOnly(c, skip)
}

// AtCalls says whether the program runs at the raw tracepoints where all system calls
// begin or return, and nowhere else. Its first argument are the caller's registers.
func (p *Program) AtCalls() bool {
	event := p.rawEvent()
	return !p.Typed() && (event == "sys_enter" || event == "sys_exit")
}

func (r *rawCalls) numbers() []int {
	return numbersOf(r.calls, func(kernel.Syscall) bool { return true })
}

func (r *rawCalls) filter(c *Context, skip string) {
	ranges := rangesOf(r.numbers())
	forks := numbersOf(r.calls, func(c kernel.Syscall) bool { return c.Forks })
	children := r.returns && len(forks) > 0
	fewer := !slices.Equal(ranges, c.calls)
	if fewer {
		r.kind.number(c)
		emitRanges(c, ranges, skip)
	}
	if children {
		r.skipChildren(c, forks, skip)
	}
	if c.calls == nil {
		nativeOnly(c, skip)
	}
	if r.returns {
		skipSigreturn(c, skip)
	}
}

// skipChildren goes to skip when a new child comes out of a call that its parent
// made: with 0, where the parent gets the child's id.
func (r *rawCalls) skipChildren(c *Context, cloning []int, skip string) {
	keep := c.Label()
	loadResult(c, asm.R1)
	c.Jump(asm.JNE, asm.R1, 0, keep)
	r.kind.number(c)
	for _, nr := range cloning {
		c.Jump(asm.JEq, asm.R0, int32(nr), skip)
	}
	c.Bind(keep)
}

// skipSigreturn goes to skip when what returns is rt_sigreturn with the number
// of the call before the signal.
func skipSigreturn(c *Context, skip string) {
	if register := c.Kernel.Arch().Sigreturn; register != "" {
		loadCallersRegister(c, register, plylang.U64)
		c.Jump(asm.JEq, asm.R0, -1, skip)
	}
}
