package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"ply-exporter/internal/need"
)

// Where a test runs, it says itself by the functions of package need. The first
// pass runs all tests without a kernel: those that ask for one skip themselves
// there with a reason that says in which kernels they are to run. What asks for
// none cannot load a program in the first pass, and fails if it tries.

// A scope is in which kernels a test runs.
type scope int

const (
	inNone  scope = iota
	here          // on this machine
	one           // also in one guest kernel of a PC
	ends          // also in the oldest and the newest guest kernel of a PC
	kernels       // also in each guest kernel of a PC
	arches        // also in those of other architectures; of a PC, in the oldest and the newest
	last          // at the end of the oldest and the newest guest kernel of a PC
)

var scopes = map[string]scope{
	need.RunsHere:   here,
	need.RunsInOne:  one,
	need.RunsInTwo:  ends,
	need.RunsInEach: kernels,
	need.RunsOnEach: arches,
	need.RunsLast:   last,
}

// marked are the tests that ask for a kernel, by package and name.
type marked map[string]map[string]scope

// mark takes the skips of the first pass that say where a test runs, and leaves
// the others. A test runs where any of its subtests does.
func (m marked) mark(pkg string, r *results) {
	r.skips = slices.DeleteFunc(r.skips, func(s skip) bool {
		where, ok := scopes[s.reason]
		if !ok {
			return false
		}
		test, _, _ := strings.Cut(strings.TrimPrefix(s.test, pkg+"."), "/")
		if m[pkg] == nil {
			m[pkg] = map[string]scope{}
		}
		m[pkg][test] = max(m[pkg][test], where)
		return true
	})
}

// packages are those with a test of one of the scopes.
func (m marked) packages(wanted ...scope) (found []string) {
	for _, pkg := range slices.Sorted(maps.Keys(m)) {
		if m.pattern(pkg, wanted...) != "" {
			found = append(found, pkg)
		}
	}
	return found
}

// pattern selects a package's tests of some scopes for -test.run; it is empty
// when there are none.
func (m marked) pattern(pkg string, wanted ...scope) string {
	var names []string
	for name, where := range m[pkg] {
		if slices.Contains(wanted, where) {
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	return patternOf(names)
}

// patternOf selects functions for -test.run; it is empty when there are none.
func patternOf(names []string) string {
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "^(" + strings.Join(slices.Compact(names), "|") + ")$"
}
