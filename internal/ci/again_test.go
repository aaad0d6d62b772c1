package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// What fails in a kernel runs once more by itself, and counts as passed only if it passes
// then.
func TestAgain(t *testing.T) {
	p := program{binary{pkg: "p"}, "^(TestA|TestB|TestC)$"}
	q := program{binary{pkg: "q"}, "^(TestQ)$"}
	for _, tt := range []struct {
		name          string
		first, second []failure
		skipped       bool // in the second run
		fault         bool // beside them
		ran           string
		failed        bool
		passed        int
	}{
		{name: "nothing fails"},
		{name: "one passes then, with its subtest", first: ended("TestA/x y", "TestA"), ran: "p ^(TestA)$", passed: 2},
		{name: "one fails again", first: ended("TestA"), second: ended("TestA"), ran: "p ^(TestA)$", failed: true},
		{name: "another subtest fails then", first: ended("TestA/x", "TestA"), second: ended("TestA"), ran: "p ^(TestA)$", failed: true, passed: 1},
		{name: "two pass then", first: ended("TestA", "TestC"), ran: "p ^(TestA|TestC)$", passed: 2},
		{name: "too many", first: ended("TestA", "TestB", "TestC"), failed: true},
		{name: "a package that crashes", first: []failure{{pkg: "p"}}, failed: true},
		{name: "a test that is cut short", first: []failure{{pkg: "p", test: "TestA"}}, failed: true},
		{name: "something else is wrong", first: ended("TestA"), fault: true, failed: true},
		{name: "it is skipped then", first: ended("TestA"), skipped: true, ran: "p ^(TestA)$", failed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			s := &suite{out: &out}
			ran := ""
			guest := job{
				name:     "guest",
				kernel:   facts{guest: true},
				programs: func() ([]program, error) { return []program{p, q}, nil },
				runTests: func(_ *suite, _ job, programs []program) []*results {
					ran = fmt.Sprint(programs[0].pkg, " ", programs[0].pattern)
					if len(programs) != 1 {
						t.Errorf("%d programs", len(programs))
					}
					r := &results{failures: tt.second}
					for _, f := range tt.first {
						if !tt.skipped && !slices.Contains(tt.second, f) {
							r.passed = append(r.passed, f.String())
						}
					}
					return []*results{r}
				},
			}
			s.take(guest, &results{passed: []string{"p.TestD"}, failures: tt.first})
			if tt.fault {
				s.fault("a disk is full")
			}
			s.again()
			s.summary(0)
			if ran != tt.ran || s.fails() != tt.failed || s.passed["guest"] != 1+tt.passed {
				t.Errorf("ran %q, faults %q, passed %v", ran, s.faults, s.passed)
			}
			if said := strings.Contains(out.String(), "failed once, and passed when they ran again:\n  guest: p.TestA"); said != (tt.passed > 0) {
				t.Errorf("the summary:\n%s", &out)
			}
		})
	}
}

func ended(tests ...string) (all []failure) {
	for _, test := range tests {
		all = append(all, failure{"p", test, true})
	}
	return all
}

// Those that need no kernel run again, too, each package by itself.
func TestAgainWithoutKernel(t *testing.T) {
	s := &suite{out: io.Discard}
	var ran []string
	for _, pkg := range []string{"p", "q"} {
		j := job{
			name:     noKernel,
			programs: func() ([]program, error) { return []program{{binary: binary{pkg: pkg}}}, nil },
			runTests: func(_ *suite, _ job, programs []program) []*results {
				ran = append(ran, programs[0].pkg+" "+programs[0].pattern)
				return []*results{{passed: []string{pkg + ".TestA"}}}
			},
		}
		s.take(j, &results{failures: []failure{{pkg, "TestA", true}}})
	}
	if s.again(); s.fails() || !slices.Equal(ran, []string{"p ^(TestA)$", "q ^(TestA)$"}) {
		t.Errorf("faults %q, ran %q", s.faults, ran)
	}
}

// Without a way to run it alone a failure is one.
func TestNotAgain(t *testing.T) {
	s := &suite{out: io.Discard}
	s.take(job{name: "internal/schema"}, &results{passed: []string{"p.TestD"}, failures: ended("TestA")})
	if s.again(); len(s.faults) != 1 {
		t.Errorf("faults %q", s.faults)
	}
}
