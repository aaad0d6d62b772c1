package kernel

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestOnlyOldCgroups(t *testing.T) {
	const (
		head = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
		v1   = head + "cpu\t0\t12\t1\nmemory\t4\t53\t1\n"
		v2   = head + "cpu\t0\t12\t1\nmemory\t0\t12\t1\n"
	)
	for _, tt := range []struct {
		name, controllers string
		unified           []string
		want              bool
	}{
		{"version 2", v2, nil, false},
		{"version 1", v1, nil, true},
		{"hybrid, version 2 unused", v1, []string{"cgroup.procs"}, true},
		{"hybrid, as systemd has it", v1, []string{"cgroup.procs", "system.slice/cgroup.procs"}, false},
		{"no control groups", head, nil, false},
	} {
		files := fstest.MapFS{"proc/cgroups": {Data: []byte(tt.controllers)}}
		for _, name := range tt.unified {
			files["sys/fs/cgroup/unified/"+name] = &fstest.MapFile{Mode: fs.ModePerm}
		}
		if got := (&Kernel{files: files}).OnlyOldCgroups(); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
	if (&Kernel{files: fstest.MapFS{}}).OnlyOldCgroups() {
		t.Error("a kernel without files")
	}
}
