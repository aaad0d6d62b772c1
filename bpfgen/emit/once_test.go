package emit

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// A value is fetched again only where a path leads that has not fetched it.
func TestOnce(t *testing.T) {
	for _, row := range []struct {
		name  string
		write func(e *Emitter, fetch func(), a, b string)
		want  int
	}{
		{"twice in a row", func(e *Emitter, fetch func(), a, b string) { fetch(); fetch() }, 1},
		{"before and in a branch", func(e *Emitter, fetch func(), a, b string) {
			fetch()
			e.Jump(asm.JEq, asm.R1, 0, a)
			fetch()
			e.Bind(a)
			fetch()
		}, 1},
		{"in a branch and behind it", func(e *Emitter, fetch func(), a, b string) {
			e.Jump(asm.JEq, asm.R1, 0, a)
			fetch()
			e.Bind(a)
			fetch()
		}, 2},
		{"in both branches and behind them", func(e *Emitter, fetch func(), a, b string) {
			e.Jump(asm.JEq, asm.R1, 0, a)
			fetch()
			e.Goto(b)
			e.Bind(a)
			fetch()
			e.Bind(b)
			fetch()
		}, 2},
		{"behind a jump that leaves", func(e *Emitter, fetch func(), a, b string) {
			e.Jump(asm.JEq, asm.R1, 0, a)
			fetch()
			e.Jump(asm.JEq, asm.R1, 1, b)
			fetch()
			e.Bind(b)
			fetch()
			e.Bind(a)
			fetch()
		}, 2},
		{"where nothing comes", func(e *Emitter, fetch func(), a, b string) {
			e.Jump(asm.JEq, asm.R1, 0, b)
			e.Goto(a)
			fetch()
			e.Bind(b)
			fetch()
			e.Bind(a)
			fetch()
		}, 2},
		{"behind a jump to the next instruction", func(e *Emitter, fetch func(), a, b string) {
			fetch()
			e.Goto(a)
			e.Bind(a)
			fetch()
		}, 1},
	} {
		e := New(Scratch{}, &Constants{})
		fetch := func() { e.Kept("x", func() { e.Call(asm.FnKtimeGetNs) }) }
		row.write(e, fetch, e.Label(), e.Label())
		calls := 0
		for _, ins := range e.Instructions() {
			if ins.IsBuiltinCall() {
				calls++
			}
		}
		if calls != row.want {
			t.Errorf("%s: fetched %d times, want %d\n%s", row.name, calls, row.want, text(e))
		}
	}
}

// What is kept survives the end of the block that fetched it, and a full stack
// keeps nothing.
func TestKept(t *testing.T) {
	e := New(Scratch{}, &Constants{})
	e.Scoped(func() { e.Kept("x", func() { e.Call(asm.FnKtimeGetNs) }) })
	slot := e.Slot(8)
	if kept := e.once.slots["x"]; kept == slot {
		t.Errorf("the slot %v of what is kept was given away", slot)
	}
	full := New(Scratch{}, &Constants{})
	full.Slot(StackSize)
	for range 2 {
		full.Kept("x", func() { full.Call(asm.FnKtimeGetNs) })
	}
	if n := len(full.Instructions()); n != 2 {
		t.Errorf("%d instructions with a full stack, want two calls\n%s", n, text(full))
	}
}

// What is prepared is fetched behind a test, and without one where every path has
// come by.
func TestPrepared(t *testing.T) {
	for _, row := range []struct {
		prepare      bool
		calls, tests int
	}{{false, 3, 0}, {true, 2, 2}} {
		e := New(Scratch{}, &Constants{})
		if row.prepare {
			e.Prepare("x")
		}
		fetch := func() { e.Prepared("x", func() { e.Call(asm.FnKtimeGetNs) }) }
		no := e.Label()
		e.Jump(asm.JEq, asm.R1, 0, no)
		fetch()
		e.Bind(no)
		fetch()
		fetch()
		calls, tests := 0, 0
		for _, ins := range e.Instructions() {
			if ins.IsBuiltinCall() {
				calls++
			} else if ins.OpCode.JumpOp() == asm.JNE {
				tests++
			}
		}
		if calls != row.calls || tests != row.tests {
			t.Errorf("prepared %v: %d calls, %d tests, want %d and %d\n%s", row.prepare, calls, tests, row.calls, row.tests, text(e))
		}
	}
}
