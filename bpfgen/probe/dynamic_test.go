package probe_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/internal/recorded"
)

// withFiles is a recorded kernel that has more files, named as under /.
func withFiles(t *testing.T, name string, more map[string]string) *kernel.Kernel {
	t.Helper()
	files := fstest.MapFS{}
	for path, text := range more {
		files[path] = &fstest.MapFile{Data: []byte(text)}
	}
	have := recorded.Files(name)
	err := fs.WalkDir(have, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || files[path] != nil {
			return err
		}
		text, err := fs.ReadFile(have, path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Open(files)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const dynamicFormat = `name: mine
ID: 998
format:
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:unsigned long __probe_ip;	offset:8;	size:8;	signed:0;

print fmt: "(%lx)", REC->__probe_ip
`

// Events that somebody has defined are not the kernel's tracepoints: a glob passes
// them over, and their names say what they are.
func TestDynamicEvents(t *testing.T) {
	const tracing = "sys/kernel/tracing/"
	k := withFiles(t, "6.18-amd64", map[string]string{
		tracing + "dynamic_events": "p:probe/mine vfs_read count=%dx\nr16:probe/mine__return vfs_read\n" +
			"p:sched/mine /bin/true:0x0\ns:synthetic/lat\tu64 lat; pid_t pid\n",
		tracing + "events/probe/mine/format":         dynamicFormat,
		tracing + "events/probe/mine__return/format": dynamicFormat,
		tracing + "events/sched/mine/format":         dynamicFormat,
	})
	without, err := build(open(t, "6.18-amd64"), `tracepoint:sched/* { @ = count(); }`, bpfgen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	with, err := build(k, `tracepoint:sched/* { @ = count(); }`, bpfgen.Options{})
	if err != nil || planText(with) != planText(without) {
		t.Errorf("a glob: %v", err)
	}
	for target, want := range map[string]string{
		"probe/mine": "script:1:1: probe/mine is no tracepoint of the kernel's but an event that somebody has defined " +
			"(p:probe/mine vfs_read count=%dx): no program can run there; its function is kprobe:vfs_read",
		"probe/*__return": "script:1:1: probe/mine__return is no tracepoint of the kernel's but an event that somebody has defined " +
			"(r16:probe/mine__return vfs_read): no program can run there; its function is kretprobe:vfs_read",
		"sched/mine": "script:1:1: sched/mine is no tracepoint of the kernel's but an event that somebody has defined " +
			"(p:sched/mine /bin/true:0x0): no program can run there",
	} {
		_, err := build(k, "tracepoint:"+target+" { @ = count(); }", bpfgen.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("%s: got:\n%v\nwant:\n%s", target, err, want)
		}
	}
	if listed, err := probe.List(k, "tracepoint:*mine*", false); err != nil || len(listed) > 0 {
		t.Errorf("list has %v, %v", listed, err)
	}
}
