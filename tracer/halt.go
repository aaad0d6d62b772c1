package tracer

import (
	"sync/atomic"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// hold keeps the programs of a script that is Stoppable from doing anything, so
// that all begin at one instant when all are attached.
func (t *Tracer) hold() { t.swapStop(0, object.Stopped) }

// letGo undoes hold.
func (t *Tracer) letGo() {
	if t.obj.Stoppable {
		for _, p := range t.programs {
			p.letGo()
		}
	}
	t.swapStop(object.Stopped, 0)
}

// swapStop changes the word that stops the script, unless exit() has set it.
func (t *Tracer) swapStop(old, now uint64) bool {
	if !t.obj.Stoppable || len(t.state) == 0 {
		return false
	}
	atomic.CompareAndSwapUint64(&t.state[len(t.obj.Maps)+1], old, now)
	return true
}

// halt ends the counting of a script that is Stoppable: after it no program does
// anything, although all are attached. It returns false where detaching is the
// way to know that none runs any more.
func (t *Tracer) halt() bool {
	if !t.swapStop(0, object.Stopped) {
		return false
	}
	for _, p := range t.programs {
		p.halt()
	}
	return waitForPrograms() == nil
}

// halt notes what p has missed until now.
func (p *program) halt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed, p.halted = p.missedNow(false), true
}

// waitForPrograms returns when every program that runs now has ended: programs
// run under RCU, and the call waits for a grace period. Kernels that keep CPUs
// free of interrupts (nohz_full) refuse the cheap one.
func waitForPrograms() error {
	if membarrier() == nil {
		return nil
	}
	return waitByMap()
}

func membarrier() error {
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// waitByMap changes a map of maps, which returns when no program uses the old map
// any more.
func waitByMap() error {
	inner := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}
	outer, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ply_wait", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: inner})
	if err != nil {
		return err
	}
	defer outer.Close()
	m, err := ebpf.NewMap(inner)
	if err != nil {
		return err
	}
	defer m.Close()
	return outer.Put(uint32(0), m)
}
