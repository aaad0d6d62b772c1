package probe_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/probe"
)

// Functions of a program are listed by the names that a script can give.
func TestListPrograms(t *testing.T) {
	k := open(t, "6.18-amd64")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const here = "ply-exporter/bpfgen/probe_test.TestListPrograms"
	for pattern, want := range map[string]string{
		":" + here:                         here,
		":*probe_test.TestListProg*[!0-9]": here,
		":TestListPrograms":                here, // anywhere in the name
		"":                                 here,
	} {
		found, err := probe.List(k, "uprobe:"+self+pattern, true)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range found {
			names = append(names, l.Name)
		}
		if !slices.Contains(names, "uprobe:"+self+":"+want) || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s: %d names, among them %q", pattern, len(names), names[:min(3, len(names))])
		}
	}
	for pattern, want := range map[string]string{
		"uprobe:": "a program or library is missing", "uprobe::x": "a program or library is missing",
		"uprobe:/nonexistent/x:*":  "there is no /nonexistent/x",
		"uretprobe:" + self + ":*": "is a Go program",
	} {
		if found, err := probe.List(k, pattern, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d found, %v, want %q", pattern, len(found), err, want)
		}
	}
}
