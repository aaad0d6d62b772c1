package tracer

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A program is a loaded object.Program and what became of its attach points.
type program struct {
	*object.Program
	kernel *ebpf.Program
	ran    bool // BEGIN and END: it was run

	mu       sync.Mutex
	links    []io.Closer // what holds it attached
	attached []object.AttachPoint
	refused  []refused // sites of a glob that could not be attached
	missed   uint64    // events missed by links that are closed, or by all until it was halted
	halted   bool      // what it misses from now on does not matter
	before   uint64    // what it had missed when it was let go
}

// fail puts an error of p at the position in the script that asked for p.
func (t *Tracer) fail(p *program, err error) error {
	if len(p.Specs) == 0 || t.obj.Script == nil {
		return err
	}
	return &plylang.Error{Src: t.obj.Script.Src, Pos: p.Specs[0].Pos, Msg: err.Error(), Missing: lacking(err)}
}

// detachers is how many links are closed at a time. Each waits for the kernel
// most of the while.
const detachers = 16

// detach detaches all programs, and returns when none runs any more.
func (t *Tracer) detach() error {
	limit := make(chan struct{}, detachers)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	end := io.Closer.Close
	if t.leaving {
		end = leave
	}
	for _, l := range t.takeLinks() {
		wg.Add(1)
		limit <- struct{}{}
		go func() {
			defer func() { <-limit; wg.Done() }()
			if err := end(l); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("detach: %w", err))
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (t *Tracer) takeLinks() []io.Closer {
	var links []io.Closer
	for _, p := range t.programs {
		p.mu.Lock()
		if !p.halted {
			p.missed += p.missedByLinks()
		}
		links = append(links, p.links...)
		p.links = nil
		p.mu.Unlock()
	}
	return links
}

// freed paces the freeing of programs in this process. The kernel frees a
// program in deferred work that takes a lock which loading takes too; a crowd
// of them has been seen to stop a machine for good.
var freed struct {
	mu sync.Mutex
	n  int
}

const (
	freeBatch = 32
	freePause = 20 * time.Millisecond
)

// freeProgram closes a program, with a pause after each batch.
func freeProgram(p *ebpf.Program) {
	p.Close()
	paceFreeing()
}

// paceFreeing is called for each program that may be freed.
func paceFreeing() {
	freed.mu.Lock()
	defer freed.mu.Unlock()
	if freed.n++; freed.n%freeBatch == 0 {
		time.Sleep(freePause)
	}
}
