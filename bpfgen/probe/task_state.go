package probe

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// The state of the task that is switched away from, as sched_switch records it:
// the highest of the bits that the kernel shows, 0 for one that yielded. The raw
// tracepoint gets the bits as the scheduler has them. The kernel's function that
// makes the one of the other has been as it is here since Linux 6.12, but for tasks
// that are frozen, which 6.12 has as running until 6.12.10.
const (
	stateShown    = 0x7f  // TASK_REPORT
	stateIdle     = 0x402 // TASK_IDLE, an uninterruptible one that is no load
	showIdle      = 0x80
	stateHidden   = 0x9000 // TASK_RTLOCK_WAIT and TASK_FROZEN, which are shown as
	showWaiting   = 2      // uninterruptible
	showPreempted = 0x100
)

// The arguments of sched_switch.
const argPreempted, argPrev, argState = 0, 1, 3

// knowsTaskState says whether the function of this kernel is the one that is known.
func knowsTaskState(k *kernel.Kernel) bool { return k.AtLeast(6, 12) }

// loadTaskState leaves the state in R0, as the record has it. exitState is where
// the task's other state is, of one that has ended.
func loadTaskState(c *Context, exitState int) {
	end, highest := c.Label(), c.Label()
	c.Emit(asm.LoadMem(asm.R3, asm.R6, 8*argPrev, asm.DWord), asm.Add.Imm(asm.R3, int32(exitState)))
	c.LoadNumber(plylang.U32)
	c.Emit(asm.LoadMem(asm.R1, asm.R6, 8*argState, asm.DWord), asm.LoadMem(asm.R2, asm.R6, 8*argPreempted, asm.DWord))
	c.Emit(asm.Or.Reg(asm.R0, asm.R1), asm.And.Imm(asm.R0, stateShown))
	c.Emit(asm.Mov.Reg(asm.R3, asm.R1), asm.And.Imm(asm.R3, stateIdle))
	hidden := c.Label()
	c.Jump(asm.JNE, asm.R3, stateIdle, hidden)
	c.Emit(asm.Mov.Imm(asm.R0, showIdle))
	c.Bind(hidden)
	c.Emit(asm.And.Imm(asm.R1, stateHidden))
	c.Jump(asm.JEq, asm.R1, 0, highest)
	c.Emit(asm.Mov.Imm(asm.R0, showWaiting))
	c.Bind(highest)
	for _, n := range []int32{1, 2, 4} { // sets all bits below the highest one
		c.Emit(asm.Mov.Reg(asm.R1, asm.R0), asm.RSh.Imm(asm.R1, n), asm.Or.Reg(asm.R0, asm.R1))
	}
	c.Emit(asm.Mov.Reg(asm.R1, asm.R0), asm.RSh.Imm(asm.R1, 1), asm.Sub.Reg(asm.R0, asm.R1))
	c.Emit(asm.And.Imm(asm.R2, 0xff))
	c.Jump(asm.JEq, asm.R2, 0, end)
	c.Emit(asm.Mov.Imm(asm.R0, showPreempted))
	c.Bind(end)
}
