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

	modules map[string]object.FileID // in which it is attached, see moduleFolders
	written string                   // a file to which somebody has written, so that its probes have ended
	user    userPlaces               // where in programs and libraries
	lost    map[place]bool           // where it was before it was taken over, and is not any more

	missed uint64 // events missed by links that are closed, or by all until it was halted
	halted bool   // what it misses from now on does not matter
	before uint64 // what it had missed when it was let go
}

// fail puts an error of p at the position in the script that asked for p.
func (t *Tracer) fail(p *program, err error) error {
	if len(p.Specs) == 0 || t.obj.Script == nil {
		return err
	}
	return &plylang.Error{Src: t.obj.Script.Src, Pos: p.Specs[0].Pos, Msg: err.Error(), Missing: lacking(err)}
}

// detachers is how many links are closed at a time. Each waits for the kernel
// most of the while, some 50 ms where it is to places in a program, and all that wait at a time
// wait for the same.
const detachers = 64

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
		links = append(links, p.takeLinks()...)
		p.mu.Unlock()
	}
	return links
}

// takeLinks leaves p without links, which it returns. Who calls it has locked p.
func (p *program) takeLinks() []io.Closer {
	if !p.halted {
		p.missed += p.missedByLinks()
	}
	links := p.links
	p.links = nil
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
