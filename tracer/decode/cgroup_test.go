package decode

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestCgroupsIn(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	got := cgroupsIn(root)
	for _, path := range []string{"/", "/a", "/a/b"} {
		var st syscall.Stat_t
		if err := syscall.Stat(root+path, &st); err != nil || got[st.Ino] != path {
			t.Errorf("%s: %q, %v", path, got[st.Ino], err)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d paths", len(got))
	}
	if other := readCgroups([]string{root}); other != nil {
		t.Errorf("a folder that is no hierarchy of version 2 has %v", other)
	}
}
