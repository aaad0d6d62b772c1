package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// The test binary is also the command that drops capabilities.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == unprivileged {
		fmt.Fprintln(os.Stderr, becomeUnprivileged(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Whoever runs the tests, those of the first pass have no capability, so that
// one which loads a BPF program without asking for a kernel fails.
func TestUnprivileged(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(self, unprivileged, "/bin/grep", "CapEff", "/proc/self/status").CombinedOutput()
	if err != nil || strings.TrimSpace(string(text)) != "CapEff:\t0000000000000000" {
		t.Errorf("%v: %s", err, text)
	}
}

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
	if got := strings.Join(r.passed, " "); got != "p.TestA" {
		t.Errorf("passed %s", got)
	}
	if len(r.skips) != 1 || r.skips[0] != (skip{"p.TestB", "needs kprobes"}) {
		t.Errorf("skips %v", r.skips)
	}
	if got := fmt.Sprint(r.failures); got != "[p.TestC/x p.TestC crashed q]" {
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
		{"all pass", results{passed: []string{"p.T", "p.U"}}, false},
		{"good skip", results{skips: []skip{{"T", "needs the command prometheus"}}}, false},
		{"bad skip", results{passed: []string{"p.U"}, skips: []skip{{"T", "needs kprobe_multi"}}}, true},
		{"no test", results{}, true},
		{"failure", results{passed: []string{"p.U"}, failures: []failure{{pkg: "p", test: "T"}}}, true},
	}
	for _, tt := range tests {
		s := &suite{out: io.Discard}
		s.take(job{name: "guest", kernel: guest}, &tt.results)
		if s.fails() != tt.failed {
			t.Errorf("%s: failed %v, faults %v", tt.name, s.fails(), s.faults)
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
		if s.fails() == k.optional || k.optional != strings.Contains(out.String(), "left out:\n  ALL TESTS ON "+k.arch) {
			t.Errorf("%v: failed %v, summary:\n%s", k, s.fails(), &out)
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
	var jobs []job
	for _, name := range []string{"one", "two", "three"} {
		jobs = append(jobs, job{name: name, run: func(s *suite, j job) {
			fmt.Fprintf(s.out, "%s begins\n", name)
			s.pass("here", 2)
			s.fault("%s fails", name)
			fmt.Fprintf(s.out, "%s ends\n", name)
		}})
	}
	s.runAll(jobs, 2)
	if len(s.faults) != 3 || s.passed["here"] != 6 {
		t.Errorf("faults %q, passed %v", s.faults, s.passed)
	}
	for _, name := range []string{"one", "two", "three"} {
		if want := fmt.Sprintf("%[1]s begins\nFAIL %[1]s fails\n%[1]s ends\n", name); !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
}

// What is done aside is counted when it is waited for, and its output is in one piece.
func TestAside(t *testing.T) {
	var out strings.Builder
	s := &suite{out: &out}
	wait := s.aside(func(s *suite) {
		fmt.Fprintln(s.out, "aside begins")
		s.fault("aside fails")
	})
	fmt.Fprintln(s.out, "first pass")
	wait()
	if want := "first pass\naside begins\nFAIL aside fails\n"; out.String() != want || len(s.faults) != 1 {
		t.Errorf("output %q, want %q; faults %q", out.String(), want, s.faults)
	}
}

// The first pass tells where tests run: a test where any of its subtests does.
func TestMark(t *testing.T) {
	m := marked{}
	r := &results{skips: []skip{
		{"p.TestA", need.RunsHere},
		{"p.TestB/x/y", need.RunsHere},
		{"p.TestB/z", need.RunsOnEach},
		{"p.TestC", need.RunsInEach},
		{"p.TestF", need.RunsInTwo},
		{"p.TestD", need.RunsLast},
		{"p.TestE", "needs the command x"},
	}}
	m.mark("p", r)
	m.mark("q", &results{skips: []skip{{"q.TestA", need.RunsHere}}})
	if len(r.skips) != 1 || r.skips[0].test != "p.TestE" {
		t.Errorf("other skips are %v", r.skips)
	}
	for _, tt := range []struct {
		wanted []scope
		want   string
	}{
		{[]scope{here, kernels, arches, last}, "^(TestA|TestB|TestC|TestD)$"},
		{pcScopes, "^(TestB|TestC)$"},
		{[]scope{ends}, "^(TestF)$"},
		{[]scope{arches}, "^(TestB)$"},
		{[]scope{last}, "^(TestD)$"},
		{nil, ""},
	} {
		if got := m.pattern("p", tt.wanted...); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.wanted, got, tt.want)
		}
	}
	if got := strings.Join(m.packages(arches), " "); got != "p" {
		t.Errorf("packages %s", got)
	}
}

// A guest's output is divided among its programs; one that is missing shows.
func TestReadGuest(t *testing.T) {
	const mark = "\x16" // with which a test binary begins its own lines
	const printed = "firmware\n@@ready kernel=7.3\n" +
		"@@start p.test\n" + mark + "=== RUN   TestA\n" + mark + "--- PASS: TestA (0.10s)\n" + mark + "PASS\n@@end p.test status=0 wall=0.1\n" +
		"@@start q.test\n" + mark + "=== RUN   TestB\n    b_test.go:1: wrong\n" + mark + "--- FAIL: TestB (0.10s)\n" + mark + "FAIL\n@@end q.test status=1 wall=0.1\n" +
		"@@start r.test\n" + mark + "=== RUN   TestC\n"
	s := &suite{out: io.Discard}
	all := s.readGuest(job{name: "guest"}, strings.NewReader(printed), []program{{binary: binary{pkg: "p"}}, {binary: binary{pkg: "q"}}, {binary: binary{pkg: "r"}}})
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprint(r.passed, r.failures))
	}
	if want := "[p.TestA] []; [] [q.TestB]; [] [r.TestC]"; strings.Join(got, "; ") != want {
		t.Errorf("%s, want %s; faults %q", strings.Join(got, "; "), want, s.faults)
	}
}

// A test that only guests can run must have run in one.
func TestNoneLost(t *testing.T) {
	for _, tt := range []struct {
		name   string
		passed []string
		reason string
		failed bool
	}{
		{"runs in a guest", []string{"p.TestA"}, "needs kprobes", false},
		{"runs nowhere", []string{"p.TestB"}, "needs kprobes", true},
		{"needs no guest", []string{"p.TestB"}, "needs root", false},
	} {
		s := &suite{out: io.Discard}
		s.take(job{name: "this machine", kernel: facts{bpf: true, release: "6.1"}}, &results{skips: []skip{{"p.TestA", tt.reason}}})
		s.take(job{name: "guest", kernel: facts{guest: true}}, &results{passed: tt.passed})
		s.checkNoneLost()
		if s.fails() != tt.failed {
			t.Errorf("%s: faults %q", tt.name, s.faults)
		}
	}
}

// All tests are built once, and found by their package.
func TestBuild(t *testing.T) {
	built, err := build(runtime.GOARCH, t.TempDir(), []string{"../need", "../live"})
	if err != nil {
		t.Fatal(err)
	}
	if len(built) != 1 || built[0].pkg != "ply-exporter/internal/need" || filepath.Base(built[0].dir) != "need" {
		t.Fatalf("built %+v", built)
	}
	s := &suite{out: io.Discard}
	r := s.runHere(job{name: "here", kernel: facts{bpf: true}}, program{built[0], "^TestOlder$"})
	if got := strings.Join(r.passed, " "); got != "ply-exporter/internal/need.TestOlder" || s.fails() {
		t.Errorf("passed %s, faults %q", got, s.faults)
	}
	if _, err := build(runtime.GOARCH, t.TempDir(), []string{"./no/such"}); err == nil {
		t.Error("a package that does not exist is built")
	}
}

// The summary names the slowest tests of each place, and only as many as asked for.
func TestSlowest(t *testing.T) {
	var out strings.Builder
	s := &suite{out: io.Discard}
	all := suite{out: &out, slowest: 2}
	for where, seconds := range map[string][]float64{"guest": {1, 3, 2}, "here": {0.5}} {
		r := &results{out: io.Discard}
		for i, took := range seconds {
			r.event(event{Action: "pass", Package: "p", Test: fmt.Sprintf("Test%d", i), Elapsed: took})
		}
		r.event(event{Action: "pass", Package: "p", Elapsed: 6})
		s.take(job{name: where}, r)
	}
	all.add(s)
	all.summary(0)
	want := "\nslowest on guest:\n     3.0 s p.Test1\n     2.0 s p.Test2\n\nslowest on here:\n     0.5 s p.Test0\n"
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
}
