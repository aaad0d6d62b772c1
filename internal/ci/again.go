package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// failed is a test that failed.
type failed struct {
	failure
	job job
}

func (f failed) String() string { return fmt.Sprintf("%s: %v", f.job.name, f.failure) }

// function is the function in which it failed.
func (f failed) function() string {
	name, _, _ := strings.Cut(f.test, "/")
	return name
}

// mayRunAgain is how many functions may fail in the whole run, and run once more.
const mayRunAgain = 2

// again runs the tests that failed once more, with nothing beside them: many compare
// with clocks and counters of a machine on which others work, or wait for another program.
// What fails then fails the run, and all of it does where more has failed than
// mayRunAgain. The summary names those that passed.
func (s *suite) again() {
	all := s.failed
	s.failed = nil
	functions := map[string]bool{}
	for _, f := range all {
		functions[f.job.name+": "+f.pkg+"."+f.function()] = true
	}
	if len(s.faults) > 0 || len(functions) > mayRunAgain {
		for _, f := range all {
			s.faults = append(s.faults, f.String())
		}
		return
	}
	together := map[string][]failed{}
	for _, f := range all {
		key := f.job.name + ": " + f.pkg
		together[key] = append(together[key], f)
	}
	for _, key := range slices.Sorted(maps.Keys(together)) {
		s.againAt(together[key])
	}
}

// againAt runs tests of one job and package once more.
func (s *suite) againAt(tests []failed) {
	j := tests[0].job
	programs, err := j.programs()
	if err != nil {
		s.fault("%s: %v", j.name, err)
		return
	}
	fmt.Fprintf(s.out, "==> %s, once more what has failed\n", j.name)
	passed := map[string]bool{}
	for _, r := range j.runTests(s, j, only(programs, tests)) {
		for _, name := range r.passed {
			passed[name] = true
		}
	}
	for _, f := range tests {
		if !passed[f.failure.String()] {
			s.faults = append(s.faults, f.String())
			continue
		}
		s.second = append(s.second, f.String())
		s.pass(j.name, 1)
		if j.kernel.guest {
			s.inGuest(f.failure.String())
		}
	}
}

// only are the programs that run some tests, and nothing else.
func only(programs []program, tests []failed) (some []program) {
	for _, p := range programs {
		var names []string
		for _, f := range tests {
			if name := f.function(); f.pkg == p.pkg && regexp.MustCompile(p.pattern).MatchString(name) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			some = append(some, program{p.binary, patternOf(names)})
		}
	}
	return some
}
