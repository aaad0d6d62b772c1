package docs

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var exampleLink = regexp.MustCompile(`\(\.\./configs/examples/(bpftrace_\w+\.yaml)\)`)

// The table of bpftrace's tools has a link to each file that stands for one, and to
// no other.
func TestToolsOfBpftrace(t *testing.T) {
	files, err := filepath.Glob("../configs/examples/bpftrace_*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	var there, linked []string
	for _, f := range files {
		there = append(there, filepath.Base(f))
	}
	for _, m := range exampleLink.FindAllStringSubmatch(fromBpftrace, -1) {
		linked = append(linked, m[1])
	}
	slices.Sort(linked)
	if !slices.Equal(there, linked) {
		t.Errorf("the files are\n%v\nand the page links\n%v", there, linked)
	}
}
