package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

// tests are all test binaries, built once for each architecture, and what is
// known of the tests in them.
type tests struct {
	folder string // of the binaries
	marked marked

	building sync.Mutex
	built    map[string][]binary // by architecture
}

func newTests() (*tests, error) {
	folder, err := os.MkdirTemp("", "ply-tests")
	return &tests{folder: folder, marked: marked{}, built: map[string][]binary{}}, err
}

func (t *tests) remove() { _ = os.RemoveAll(t.folder) }

// binaries builds what an architecture needs when it is first asked for: all
// packages for this machine's, for others those with tests of its kernel.
func (t *tests) binaries(goarch string) ([]binary, error) {
	t.building.Lock()
	defer t.building.Unlock()
	if built := t.built[goarch]; built != nil {
		return built, nil
	}
	packages := []string{"./..."}
	if goarch != runtime.GOARCH {
		if packages = t.marked.packages(arches); len(packages) == 0 {
			return nil, nil
		}
	}
	built, err := build(goarch, t.folder, packages)
	t.built[goarch] = built
	return built, err
}

// programs are the tests of some scopes, by package.
func (t *tests) programs(goarch string, wanted ...scope) (all []program, err error) {
	binaries, err := t.binaries(goarch)
	for _, b := range binaries {
		if pattern := t.marked.pattern(b.pkg, wanted...); pattern != "" {
			all = append(all, program{b, pattern})
		}
	}
	return all, err
}

// firstPass runs all tests that need no kernel, and learns which do need one.
// Nothing they do disturbs another package's, so some run at once.
func (s *suite) firstPass(host facts, t *tests) {
	binaries, err := t.binaries(runtime.GOARCH)
	if err != nil {
		s.fault("build: %v", err)
		return
	}
	fmt.Fprintln(s.out, "==> tests that need no kernel")
	var learning sync.Mutex
	var jobs []job
	for _, b := range binaries {
		jobs = append(jobs, job{
			name:     noKernel,
			kernel:   host,
			programs: func() ([]program, error) { return []program{{binary: b}}, nil },
			runTests: func(s *suite, j job, programs []program) (all []*results) {
				for _, p := range programs {
					r := s.runUnprivileged(j, p)
					learning.Lock()
					t.marked.mark(p.pkg, r)
					learning.Unlock()
					all = append(all, r)
				}
				return all
			},
		})
	}
	s.runAll(jobs, atOnce+1) // some wait
}

// noKernel is where tests run that ask for no kernel.
const noKernel = "no kernel"

// hostJob runs the tests that need a kernel with this machine's, one package
// after the other, because tests that count events of the whole machine would
// count each other's.
func hostJob(host facts, t *tests) job {
	return job{
		name:   "this machine",
		kernel: host,
		programs: func() ([]program, error) {
			return t.programs(runtime.GOARCH, here, one, ends, kernels, arches, last)
		},
		runTests: func(s *suite, j job, programs []program) (all []*results) {
			for _, p := range programs {
				all = append(all, s.runHere(j, p))
			}
			return all
		},
	}
}

// ownModules are modules of this tree with tests that need no kernel.
var ownModules = []string{"internal/schema"}

// moduleJobs run the tests of other modules in this tree.
func moduleJobs(host facts) (jobs []job) {
	for _, dir := range ownModules {
		jobs = append(jobs, job{name: dir, kernel: host, run: func(s *suite, j job) { s.goTest(j, dir) }})
	}
	return jobs
}
