package elf

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// On an overlay a file stays what it was when its mode changes, for it is attached to
// already, and becomes another one when it is copied to be changed.
func TestIdentityOnOverlay(t *testing.T) {
	need.BPF(t)
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends, and its mounts with it
		failed <- inOverlay(t, t.TempDir())
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

func inOverlay(t *testing.T, folder string) error {
	at := func(parts ...string) string { return filepath.Join(append([]string{folder}, parts...)...) }
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, ""); err != nil {
		return err
	}
	for _, name := range []string{"low", "up", "work", "all"} {
		if err := os.Mkdir(at(name), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(at("low", "image"), nil, 0o600); err != nil {
		return err
	}
	if err := unix.Mount("o", at("all"), "overlay", 0, "lowerdir="+at("low")+",upperdir="+at("up")+",workdir="+at("work")); err != nil {
		return err
	}
	if err := os.WriteFile(at("all", "own"), nil, 0o600); err != nil {
		return err
	}
	for name, stays := range map[string]bool{"own": true, "image": false} {
		device, inode, err := Identity(at("all", name))
		if err != nil {
			return err
		}
		if err := os.Chmod(at("all", name), 0o700); err != nil {
			return err
		}
		newDevice, newInode, err := Identity(at("all", name))
		if err != nil {
			return err
		}
		if (device == newDevice && inode == newInode) != stays {
			t.Errorf("%s was %x %d, and is %x %d", name, device, inode, newDevice, newInode)
		}
	}
	return nil
}
