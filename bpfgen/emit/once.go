package emit

import "github.com/cilium/ebpf/asm"

// Values that are fetched once
//
// Some values are the same as long as a program runs, and fetching one costs a
// call. It is fetched where the program first needs it, and kept. Another place may
// use it if every path there has fetched it. As all jumps go forward, what has been
// done at a label is what had been done at each jump to it, and where the code
// before it falls through.

// A done is the set of what every path to a place has done.
type done map[string]bool

// and is what both have done.
func (d done) and(other done) done {
	both := done{}
	for what := range d {
		if other[what] {
			both[what] = true
		}
	}
	return both
}

// once is what an Emitter knows of such values.
type once struct {
	here   done            // at the next instruction
	labels map[string]done // at labels that are jumped to
	slots  map[string]Mem
}

func newOnce() once {
	return once{here: done{}, labels: map[string]done{}, slots: map[string]Mem{}}
}

// jump notes a jump from here to a label.
func (o *once) jump(label string) {
	at, more := o.labels[label]
	if !more {
		at = o.here
	}
	o.labels[label] = at.and(o.here)
}

// bind comes to a label that is jumped to.
func (o *once) bind(label string, fallsThrough bool) {
	at := o.labels[label]
	if fallsThrough {
		at = at.and(o.here)
	}
	o.here = at
}

// Once calls do, unless every path to here has run its code.
func (e *Emitter) Once(what string, do func()) {
	if e.once.here[what] || e.dead {
		return
	}
	do()
	here := e.once.here.and(e.once.here) // labels may share the old one
	here[what] = true
	e.once.here = here
}

// Fetched says whether every path to here has run the code of Once.
func (e *Emitter) Fetched(what string) bool { return e.once.here[what] }

// Refetch says that from here on the value has to be fetched again.
func (e *Emitter) Refetch(what string) {
	here := e.once.here.and(e.once.here) // labels may share the old one
	delete(here, what)
	e.once.here = here
}

// Kept leaves in R0 what fetch leaves there, and calls fetch only where the value
// is not kept yet. It is kept on the stack, where the verifier knows pointers again.
func (e *Emitter) Kept(what string, fetch func()) {
	slot, ok := e.once.slots[what]
	if !ok {
		if slot, ok = e.lasting(); !ok {
			fetch()
			return
		}
		e.once.slots[what] = slot
	}
	if e.once.here[what] {
		e.Load(asm.R0, slot)
		return
	}
	e.Once(what, func() {
		fetch()
		e.Store(slot, asm.R0)
	})
}

// KeptOr is as Kept, but that what is kept is fetched again while it is 0.
func (e *Emitter) KeptOr(what string, fetch func()) {
	if !e.once.here[what] {
		e.Kept(what, fetch)
		return
	}
	slot, have := e.once.slots[what], e.Label()
	e.Load(asm.R0, slot)
	e.Jump(asm.JNE, asm.R0, 0, have)
	fetch()
	e.Store(slot, asm.R0)
	e.Bind(have)
}

// Prepare is for the beginning of a program: from there on Prepared knows at run
// time whether it has been fetched.
func (e *Emitter) Prepare(what string) {
	if slot, ok := e.lasting(); ok {
		e.once.slots[what] = slot
		e.StoreImm(slot, 0)
	}
}

// Prepared leaves in R0 what fetch leaves there, which is never 0. Where Prepare has
// been called for it, fetch is called once, whatever paths lead here. Otherwise it is
// called each time.
func (e *Emitter) Prepared(what string, fetch func()) {
	slot, ok := e.once.slots[what]
	if !ok {
		fetch()
		return
	}
	e.Load(asm.R0, slot)
	if e.once.here[what] {
		return
	}
	e.Once(what, func() {
		have := e.Label()
		e.Jump(asm.JNE, asm.R0, 0, have)
		fetch()
		e.Store(slot, asm.R0)
		e.Bind(have)
	})
}

// lasting returns a word of the stack that nothing else uses from here to the end
// of the program.
func (e *Emitter) lasting() (m Mem, ok bool) {
	first, ok := e.memory.stack.take(1, StackSize/8)
	if ok {
		e.memory.lasting = append(e.memory.lasting, first)
	}
	return Mem{asm.R10, -8*first - 8, 8}, ok
}
