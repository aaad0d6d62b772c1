package bpfgen

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
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

// The warning names what this kernel has instead, where it is known.
func TestOldCgroupsHint(t *testing.T) {
	need.BPF(t)
	k, err := kernel.Open(moreFiles{os.DirFS("/"), fstest.MapFS{
		"proc/cgroups":                       {Data: []byte("memory\t4\t53\t1\n")},
		"sys/fs/cgroup/unified/cgroup.procs": {}, // whatever groups this machine has there
	}})
	if err != nil {
		t.Fatal(err)
	}
	o := compile(t, k, "BEGIN { @[cgroup] = count(); }", Options{})
	_, hint, _ := strings.Cut(o.Warnings[0].Msg, "; the memory controller's is ")
	if o = compile(t, k, "BEGIN { @["+hint+"] = count(); }", Options{}); len(o.Warnings) > 0 {
		t.Errorf("%q: %v", hint, o.Warnings)
	}
}

// An ID is taken for one of version 2, and a warning says where an event knows better.
func TestHierarchyOfAnID(t *testing.T) {
	format := func(fields ...string) *fstest.MapFile {
		text := "name: x\nID: 9999\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
		for i, f := range fields {
			text += fmt.Sprintf("\tfield:%s;\toffset:%d;\tsize:8;\tsigned:0;\n", f, 8+8*i)
		}
		return &fstest.MapFile{Data: []byte(text + "\nprint fmt: \"\"\n")}
	}
	const folder = "sys/kernel/tracing/events/cgroup/"
	k, err := kernel.OpenArch(moreFiles{archive.Files("6.18-amd64"), fstest.MapFS{
		folder + "cgroup_mkdir/format":       format("u64 id", "u64 root"),
		folder + "cgroup_attach_task/format": format("u64 dst_id", "u64 dst_root"),
		folder + "other/format":              format("u64 id"),
	}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]string{
		"t:cgroup/cgroup_mkdir { @[cgroup(data->id)] = count(); }":             "script:1:40: data->id is an ID of the hierarchy data->root, and another hierarchy may have the same: write cgroup(data->id, data->root)",
		"t:cgroup/cgroup_attach_task { @[cgroup(data->dst_id)] = count(); }":   "script:1:46: data->dst_id is an ID of the hierarchy data->dst_root, and another hierarchy may have the same: write cgroup(data->dst_id, data->dst_root)",
		"t:cgroup/cgroup_mkdir { @[cgroup(data->id, data->root)] = count(); }": "",
		"t:cgroup/cgroup_mkdir { @[cgroup(data->root)] = count(); }":           "",
		"t:cgroup/other { @[cgroup(data->id)] = count(); }":                    "",
	} {
		if o := compile(t, k, script, Options{}); fmt.Sprint(o.Warnings.Err()) != cmp.Or(want, "<nil>") {
			t.Errorf("%s: warnings are %v, want %s", script, o.Warnings, want)
		}
	}
}
