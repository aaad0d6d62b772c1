package bpfgen

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"ply-exporter/bpfgen/kernel"
	files "ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// withoutTypes are the files of a kernel without type information.
type withoutTypes struct{ fs.FS }

func (w withoutTypes) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "sys/kernel/btf") {
		return nil, fs.ErrNotExist
	}
	return w.FS.Open(name)
}

// A script that needs types is missing where there are none: other scripts of the
// configuration run.
func TestTypesAreMissing(t *testing.T) {
	k, err := kernel.Open(withoutTypes{files.Files("6.18-amd64")})
	if err != nil {
		t.Fatal(err)
	}
	const none = "this kernel has no type information"
	for _, row := range []struct{ script, want string }{
		{"tracepoint:sched/sched_switch { @[curtask] = count(); }", none},
		{"tracepoint:sched/sched_switch { @[((struct task_struct *)data->prev_pid)->pid] = count(); }", none},
		{"tracepoint:sched/sched_switch { @[(enum pid_type)data->prev_pid] = count(); }", none},
		{"tracepoint:sched/sched_switch / !exists(struct task_struct) && !exists(struct task_struct.pid) / { @[(u32)data->prev_pid] = count(); }", ""},
	} {
		_, err := build(k, row.script, Options{})
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.script, err)
		case row.want != "" && (!errors.Is(err, plylang.ErrMissing) || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, not missing", row.script, err)
		}
	}
}
