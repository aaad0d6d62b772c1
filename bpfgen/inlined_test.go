package bpfgen

import (
	"strings"
	"testing"

	"ply-exporter/plylang"
)

// A function that compilers put into its callers is warned of where it is named.
func TestInlinedIsWarnedOf(t *testing.T) {
	const fsync = "compilers put vfs_fsync into fsync(2) and fdatasync(2), whose calls are not seen here: use kprobe:sys_fsync or kprobe:sys_fdatasync"
	for _, row := range []struct{ script, want string }{
		{"kprobe:vfs_fsync { @ = count(); }", "script:1:1: " + fsync},
		{"kretprobe:vfs_fsync / retval < 0 / { @ = quantize(elapsed); }", strings.ReplaceAll(fsync, "kprobe:", "kretprobe:")},
		{"kprobe:sys_nope ? kprobe:vfs_fsync { @ = count(); }", fsync},
		{"kprobe:vfs_@(fsync|read) { @ = count(); }", ""},
		{"kprobe:sys_fsync { @ = count(); }", ""},
	} {
		for _, name := range []string{"5.10-amd64", "6.12-arm64", "7.3-amd64"} {
			obj, err := build(recorded(t, name), row.script, Options{})
			if err != nil {
				t.Fatalf("%s: %s\n%s", name, row.script, plylang.Detail(err))
			}
			warnings := obj.Warnings.Error()
			if row.want == "" && strings.Contains(warnings, "compilers") || !strings.Contains(warnings, row.want) {
				t.Errorf("%s: %s: %s", name, row.script, warnings)
			}
		}
	}
}
