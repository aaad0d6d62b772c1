package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSkipAllowed(t *testing.T) {
	host := facts{release: "6.18.1", root: true, bpf: true}
	user := facts{release: "6.18.1", bpf: true}
	stuck := facts{release: "6.18.1", root: true}
	old := facts{release: "5.10", root: true, bpf: true, kprobes: true, guest: true}
	tests := []struct {
		kernel  facts
		reason  string
		allowed bool
	}{
		{host, "needs root", false},
		{user, "needs root", true},
		{host, "needs kprobes", true},
		{old, "needs kprobes", false},
		{old, "needs kprobe_multi", true},
		{old, "needs kernel 5.15 for attach cookies", true},
		{host, "needs kernel 5.15 for attach cookies", false},
		{host, "needs a guest kernel", true},
		{old, "needs a guest kernel", false},
		{stuck, "needs a kernel that loads BPF programs", true},
		{host, "needs a kernel that loads BPF programs", false},
		{user, "needs the command prometheus", true},
		{old, "needs the command prometheus", true},
		{host, "needs the command prometheus", false},
		{host, "too slow today", false},
	}
	for _, tt := range tests {
		if got := skipAllowed(tt.kernel, tt.reason); got != tt.allowed {
			t.Errorf("%+v: %q: allowed %v", tt.kernel, tt.reason, got)
		}
	}
}

const sample = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:5: starting\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: needs kprobes\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestC/x","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestC/x","Elapsed":0.5}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
{"Action":"fail","Package":"crashed"}
{"Action":"skip","Package":"empty"}
{"ImportPath":"q [q.test]","Action":"build-output","Output":"q.go:1: bad\n"}
{"ImportPath":"q [q.test]","Action":"build-fail"}
{"Action":"fail","Package":"q","FailedBuild":"q [q.test]"}
`

func TestResults(t *testing.T) {
	var out strings.Builder
	r := &results{out: &out}
	if err := r.read(strings.NewReader(sample)); err != nil {
		t.Fatal(err)
	}
	if r.passed != 1 {
		t.Errorf("passed %d", r.passed)
	}
	if len(r.skips) != 1 || r.skips[0] != (skip{"p.TestB", "needs kprobes"}) {
		t.Errorf("skips %v", r.skips)
	}
	if got := strings.Join(r.failures, " "); got != "p.TestC/x p.TestC crashed q" {
		t.Errorf("failures %q", got)
	}
	for _, want := range []string{"c_test.go:9: wrong", "q.go:1: bad"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

// A skip that its kernel does not excuse, a guest without a test and a failure
// each make the run fail.
func TestSuiteFails(t *testing.T) {
	guest := facts{release: "7.3", root: true, bpf: true, kprobes: true, kprobeMulti: true, guest: true}
	tests := []struct {
		name    string
		results results
		failed  bool
	}{
		{"all pass", results{passed: 2}, false},
		{"good skip", results{skips: []skip{{"T", "needs the command prometheus"}}}, false},
		{"bad skip", results{passed: 1, skips: []skip{{"T", "needs kprobe_multi"}}}, true},
		{"no test", results{}, true},
		{"failure", results{passed: 1, failures: []string{"T"}}, true},
	}
	for _, tt := range tests {
		s := &suite{out: io.Discard}
		s.take(job{name: "guest", kernel: guest, packages: []string{"."}, args: []string{"-run", "X"}}, &tt.results)
		if s.failed() != tt.failed {
			t.Errorf("%s: failed %v, faults %v", tt.name, s.failed(), s.faults)
		}
	}
}

// Only a kernel that may be missing is left out, and the summary says so.
func TestUnfetched(t *testing.T) {
	for _, k := range guestKernels {
		var out strings.Builder
		s := &suite{out: &out}
		s.unfetched(k, errors.New("no kernel"))
		s.summary(0)
		if s.failed() == k.optional || k.optional != strings.Contains(out.String(), "left out:\n  ALL TESTS ON "+k.arch) {
			t.Errorf("%v: failed %v, summary:\n%s", k, s.failed(), &out)
		}
		if k.optional && k.arch == "amd64" {
			t.Errorf("%v must not be missing", k)
		}
	}
}

// Jobs that run at once are counted together, and their output stays apart.
func TestRunAll(t *testing.T) {
	var out strings.Builder
	s := &suite{out: &out}
	s.runAll([]job{
		{name: "one", packages: []string{"./no/such"}},
		{name: "two", packages: []string{"../imports"}, args: []string{"-run", "NoSuchTest"}},
		{name: "three", packages: []string{"./no/such"}},
	}, 2)
	if len(s.faults) != 2 {
		t.Errorf("faults %q, want one of each package that does not exist", s.faults)
	}
	for _, want := range []string{"==> one: ./no/such\n# ./no/such\n", "==> two: ../imports\nok ", "==> three: ./no/such\n# ./no/such\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
}
