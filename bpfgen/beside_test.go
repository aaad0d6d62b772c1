package bpfgen_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// A function that is there beside a copy which the compiler made for some of its callers is
// probed alone, and a warning says what has both.
func TestCopiesBesideFunctions(t *testing.T) {
	files := recorded.Files("6.12-arm64")
	text, err := fs.ReadFile(files, "proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	more := "ffffffff90000000 t vfs_read.constprop.0\nffffffff90000100 t vfs_read.isra.0\nffffffff90000200 t vfs_write.part.0\n"
	k, err := kernel.Open(recorded.With(files, "proc/kallsyms", append(text, more...)))
	if err != nil {
		t.Fatal(err)
	}
	const has = "calls of vfs_read.constprop.0 and vfs_read.isra.0, which the compiler has made of vfs_read for some of its callers, are not seen: %s:@(vfs_read|vfs_read.constprop.0|vfs_read.isra.0) has all"
	for script, want := range map[string]string{
		"kprobe:vfs_read { @ = count(); }":               fmt.Sprintf(has, "kprobe"),
		"kretprobe:vfs_read { @ = count(); }":            fmt.Sprintf(has, "kretprobe"),
		"kprobe:vfs_write { @ = count(); }":              "",
		"kprobe:vfs_rea* { @ = count(); }":               "",
		"kprobe:vfs_read.constprop.0 { @ = count(); }":   "",
		"kprobe:@(vfs_read|vfs_read.*) { @ = count(); }": "",
	} {
		obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true}, nil)
		if err != nil {
			t.Errorf("%s: %s", script, plylang.Detail(err))
			continue
		}
		got := ""
		for _, w := range obj.Warnings {
			if strings.Contains(w.Msg, "compiler") {
				got = w.Msg
			}
		}
		if got != want {
			t.Errorf("%s warns of %q, want %q", script, got, want)
		}
	}
}
