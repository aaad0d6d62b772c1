package bpfgen

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// What a clause reads several times is looked up once, unless it may have changed.
func TestKept(t *testing.T) {
	for _, row := range []struct {
		name, body string
		lookups    int
	}{
		{"the predicate reads it, too", `/ x[tid] / { @ = quantize(time - x[tid]); @sum = sum(x[tid]); }`, 1},
		{"one reading", `{ @ = sum(x[tid]); }`, 1},
		{"another key", `{ @ = sum(x[tid] + x[pid]); }`, 2},
		{"another table is changed", `{ @ = sum(x[tid]); y[tid] = 1; @sum = sum(x[tid]); }`, 1},
		{"it is stored to", `{ @ = sum(x[tid]); x[tid] = 1; @sum = sum(x[tid]); }`, 2},
		{"another key is stored to, which may be the same", `{ @ = sum(x[tid]); x[pid] = 1; @sum = sum(x[tid]); }`, 2},
		{"it is deleted", `{ @ = sum(x[tid]); delete x[tid]; @sum = sum(x[tid]); }`, 2},
		{"it is added to, which looks it up itself, twice where it is new", `{ @ = sum(x[tid]); x[tid] += 2; @sum = sum(x[tid]); }`, 4},
		{"one branch changes it", `{ @ = sum(x[tid]); if (pid == 1) { x[tid] = 1; } @sum = sum(x[tid]); }`, 2},
		{"one branch reads it", `{ if (pid == 1) { @ = sum(x[tid]); } @sum = sum(x[tid]); }`, 2},
		{"the right side may not be read", `/ pid == 1 || x[tid] / { @ = sum(x[tid]); }`, 2},
		{"a key that changes", `{ @ = sum(x[rand]); @sum = sum(x[rand]); }`, 2},
		{"a key that is a variable", `{ n = tid; @ = sum(x[n]); n = pid; @sum = sum(x[n]); }`, 2},
		{"a key that a table has", `{ @ = sum(x[y[tid]]); y[tid] = 1; @sum = sum(x[y[tid]]); }`, 4},
		{"nothing but a store and a deletion", `{ x[tid] = 1; delete x[tid]; }`, 0},
	} {
		o := compile(t, recorded(t, "6.12-arm64"), "BEGIN { x[1] = 1; y[1] = 1; } kprobe:vfs_read "+row.body, Options{})
		lookups := 0
		for _, ins := range o.Spec.Programs["kprobe_1"].Instructions {
			if isCall(ins, asm.FnMapLookupElem) {
				lookups++
			}
		}
		if lookups != row.lookups {
			t.Errorf("%s: %d lookups, want %d", row.name, lookups, row.lookups)
		}
	}
}

// A pointer that several members begin with is loaded once.
func TestKeptPointer(t *testing.T) {
	k := recorded(t, "5.10-amd64")
	reads := func(body string) (n int) {
		for _, p := range compile(t, k, "kprobe:vfs_read "+body, Options{}).Spec.Programs {
			for _, ins := range p.Instructions {
				if isCall(ins, asm.FnProbeReadKernel) {
					n++
				}
			}
		}
		return n
	}
	one, two := reads(`{ @ = sum(curtask->files->fdt->max_fds); }`), reads(`/ curtask->files->fdt->max_fds / { @ = sum((u64)curtask->files->fdt->fd); }`)
	if one != 3 || two != 4 {
		t.Errorf("%d and %d readings of memory, want 3 and 4", one, two)
	}
}
