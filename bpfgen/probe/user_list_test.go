package probe_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
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
		"uprobe:/nonexistent/x:*":     "there is no /nonexistent/x",
		"uretprobe:" + self + ":*":    "is a Go program",
		"uprobe:" + self + ":nosuch*": "no function in " + self + " matches nosuch*",
		"uprobe:true:main":            "/true matches *main*: it has no symbols at all",
		"uprobe:true:":                "/true matches *: it has no symbols at all",
	} {
		if found, err := probe.List(k, pattern, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d found, %v, want %q", pattern, len(found), err, want)
		}
	}
}

// What is listed can be written into a script, also the names of generic functions in Go,
// and of conversions and nameless functions in C++.
func TestListedNamesCanBeWritten(t *testing.T) {
	k := open(t, "6.18-amd64")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for target, sign := range map[string]string{self + ":slices.*": "[", self + ":*go.shape.*": "?", "libstdc++.so.6:*operator *": "?"} {
		found, err := probe.List(k, "uprobe:"+target, false)
		if err != nil {
			t.Fatal(err)
		}
		found = slices.DeleteFunc(found, func(l probe.Listed) bool { return !strings.Contains(l.Name, sign) })
		if len(found) == 0 {
			t.Errorf("%s: nothing has %q", target, sign)
		}
		for _, l := range found[:min(20, len(found))] {
			if _, err := bpfgen.Build(&plylang.Source{Text: l.Name + " { @ = count(); }"}, k, bpfgen.Options{}, nil); err != nil {
				t.Error(plylang.Detail(err))
			}
		}
	}
}

// A glob passes over what is no program, and says of what it is if there is nothing else. A
// program that is damaged is an error.
func TestGlobsOfPrograms(t *testing.T) {
	k := open(t, "6.18-amd64")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a-script", "#!/bin/sh\n")
	write("empty", "")
	write("text", "GROUP ( /lib/libc.so.6 )")
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	build := func() error {
		_, err := bpfgen.Build(&plylang.Source{Text: "uprobe:" + folder + "/*:*.TestGlobsOfPrograms { @ = count(); }"}, k, bpfgen.Options{}, nil)
		return err
	}
	fails := func(want string) {
		t.Helper()
		if err := build(); !errors.Is(err, plylang.ErrMissing) || !strings.Contains(plylang.Detail(err), folder+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	fails("/a-script is a script: probe the program that runs it, /bin/sh")
	if err := os.Symlink(self, filepath.Join(folder, "program")); err != nil {
		t.Fatal(err)
	}
	if err := build(); err != nil {
		t.Error(plylang.Detail(err))
	}
	if found, err := probe.List(k, "uprobe:"+folder+"/*:TestGlobsOfPrograms", false); err != nil || len(found) == 0 {
		t.Errorf("listed %v: %v", found, err)
	}
	write("short", "\x7fELF")
	fails("/short is truncated")
}
