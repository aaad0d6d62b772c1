package recorded

import (
	"io/fs"
	"slices"
	"testing"
)

func TestFiles(t *testing.T) {
	if len(Names()) == 0 || !slices.IsSorted(Names()) {
		t.Errorf("kernels %v", Names())
	}
	for _, name := range Names() {
		for _, file := range []string{"features", "proc/sys/kernel/osrelease", "sys/kernel/btf/vmlinux"} {
			if text, err := fs.ReadFile(Files(name), file); err != nil || len(text) == 0 {
				t.Errorf("%s: %s: %v", name, file, err)
			}
		}
	}
}
