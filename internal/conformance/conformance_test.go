package conformance

import (
	"flag"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// spread is how many of the records that load programs run outside of guests.
const spread = 50

// TestRecords runs the records of testdata: in a guest kernel those that differ
// between kernels, in the oldest also those that do not, and elsewhere those that only compile, and a spread of the
// others, the same each time. A record that -run names runs everywhere.
func TestRecords(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	for _, r := range chosen(t, records(t), named()) {
		t.Run(strings.TrimSuffix(filepath.Base(r.File), ".txt")+"/"+r.Name, func(t *testing.T) {
			needs(t, r)
			got, err := Run(r.Script)
			if err != nil {
				t.Fatalf("%s:%d: %v\n%s", r.File, r.Line, err, r.Prog)
			}
			if fault := r.Check(got); fault != "" {
				t.Errorf("%s:%d: %s\n%s", r.File, r.Line, fault, r.Prog)
			}
		})
	}
}

func records(t *testing.T) []*Record {
	t.Helper()
	all, err := Files("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// named says whether -run picks single records.
func named() bool { return strings.Contains(flag.Lookup("test.run").Value.String(), "/") }

func chosen(t *testing.T, all []*Record, everything bool) []*Record {
	if everything {
		return all
	}
	if need.InGuest() {
		return slices.DeleteFunc(all, func(r *Record) bool { return !differs(r) })
	}
	var compile, load []*Record
	for _, r := range all {
		if r.CompileOnly() || r.needsCommand() {
			compile = append(compile, r)
		} else {
			load = append(load, r)
		}
	}
	step := len(load)/spread + 1
	some := compile
	for i := 0; i < len(load); i += step {
		some = append(some, load[i])
	}
	t.Logf("%d of %d records: the others load programs, which they do in guest kernels", len(some), len(all))
	return some
}

// aboutKernels are the files whose records differ between architectures, and
// between kernels also where they only compile.
var aboutKernels = regexp.MustCompile(`^(providers|kprobes|fentry|real|\w+_\w+)\.txt$`)

// aboutLanguage are the files whose records come out the same on each kernel that
// takes their programs. The oldest takes least.
var aboutLanguage = regexp.MustCompile(`^(aggregations|arithmetic|dialects|flow|go|in|logic|maps|names|numbers|order|precedence|printing|run|strings)\.txt$`)

// differs says whether a record is one for this guest kernel: what only compiles
// depends on no kernel otherwise, and what runs on no architecture.
func differs(r *Record) bool {
	file := filepath.Base(r.File)
	switch {
	case r.Needs == here:
		return false
	case aboutKernels.MatchString(file):
		return true
	case r.CompileOnly() || runtime.GOARCH != "amd64":
		return false
	}
	return !aboutLanguage.MatchString(file) || strings.HasPrefix(need.Release(), need.Oldest+".")
}

// needs skips a record that this kernel cannot run, or this machine.
func needs(t *testing.T, r *Record) {
	t.Helper()
	switch {
	case r.Needs == here:
	case r.Needs == "kprobes":
		need.Kprobes(t)
	case r.Needs == "kprobe_multi":
		need.KprobeMulti(t)
	case r.needsCommand():
		for command := range strings.FieldsSeq(r.Needs) {
			need.Command(t, command)
		}
	case r.Needs != "":
		need.Kernel(t, r.Needs, "this record")
	}
}
