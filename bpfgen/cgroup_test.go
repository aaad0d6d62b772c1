package bpfgen

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
	archive "ply-exporter/internal/recorded"
)

// moreFiles are those of a recorded kernel with some more.
type moreFiles struct {
	fs.FS
	more fstest.MapFS
}

func (f moreFiles) Open(name string) (fs.File, error) {
	if file, err := f.more.Open(name); err == nil {
		return file, nil
	}
	return f.FS.Open(name)
}

// On a machine that uses control groups of version 1, cgroup warns once.
func TestOldCgroups(t *testing.T) {
	k, err := kernel.OpenArch(moreFiles{archive.Files("6.18-amd64"), fstest.MapFS{"proc/cgroups": {Data: []byte("memory\t4\t53\t1\n")}}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	o := compile(t, k, "BEGIN / cgroup > 0 / { @[cgroup] = count(); }", Options{})
	const want = "script:1:9: cgroup is / for every task: it is a control group of version 2, and this machine uses version 1"
	if len(o.Warnings) != 1 || o.Warnings[0].Error() != want {
		t.Errorf("warnings are %v, want %s", o.Warnings, want)
	}
	if o = compile(t, k, "BEGIN { @[pid] = count(); }", Options{}); len(o.Warnings) != 0 {
		t.Errorf("without cgroup: %v", o.Warnings)
	}
}
