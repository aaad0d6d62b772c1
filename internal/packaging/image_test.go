package packaging

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// images are buildah with a store of its own.
type images struct {
	*testing.T
	flags []string
}

func newImages(t *testing.T) images {
	t.Helper()
	need.Command(t, "buildah")
	store := t.TempDir()
	return images{t, []string{"--root", filepath.Join(store, "images"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs"}}
}

// do runs a command of buildah and returns what it prints.
func (in images) do(args ...string) string {
	in.Helper()
	cmd := exec.Command("buildah", append(slices.Clone(in.flags), args...)...)
	cmd.Stderr = &strings.Builder{}
	out, err := cmd.Output()
	if err != nil {
		in.Fatalf("buildah %s: %v\n%s%s", strings.Join(args, " "), err, out, cmd.Stderr)
	}
	return strings.TrimSpace(string(out))
}

// toolchain makes an image to build in, of a shell and this machine's Go toolchain,
// which is mounted. The one of the Dockerfile has to be fetched from a registry.
func (in images) toolchain() (name string, mounts []string) {
	in.Helper()
	name = "localhost/toolchain"
	c := in.do("from", "scratch")
	in.do("copy", c, need.Command(in.T, "busybox"), "/bin/sh")
	in.do("copy", c, in.TempDir(), "/tmp")
	config := []string{"config", "--env", "GOPROXY=off"}
	for _, variable := range []string{"GOROOT", "GOMODCACHE", "GOCACHE"} {
		out, err := exec.Command("go", "env", variable).Output()
		if err != nil {
			in.Fatal(err)
		}
		dir := strings.TrimSpace(string(out)) // at the same place, so that what was compiled there fits
		mounts = append(mounts, "--volume", dir+":"+dir)
		config = append(config, "--env", variable+"="+dir)
		if variable == "GOROOT" {
			config = append(config, "--env", "PATH="+dir+"/bin")
		}
	}
	in.do(append(config, c)...)
	in.do("commit", "-q", c, name)
	return name, mounts
}

// The Dockerfile makes an image with the program in it and nothing else.
func TestImage(t *testing.T) {
	need.Root(t)
	in := newImages(t)
	toolchain, mounts := in.toolchain()
	in.do(append(append([]string{"build", "-q", "--isolation", "chroot", "--pull=never", "--build-arg", "GOIMAGE=" + toolchain, "--build-arg", "VERSION=1.2.3",
		"--tag", "localhost/ply-exporter"}, mounts...), root)...)
	c := in.do("from", "--pull=never", "localhost/ply-exporter")
	dir := in.do("mount", c)
	defer in.do("umount", c)
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil || !slices.Equal(files, []string{"/ply-exporter"}) {
		t.Errorf("files %q, %v", files, err)
	}
	if got := output(t, "chroot", dir, "/ply-exporter", "--version"); !strings.Contains(got, "version 1.2.3 ") {
		t.Error(got)
	}
	var image struct {
		OCIv1 struct {
			Config struct {
				Entrypoint   []string
				ExposedPorts map[string]any
				Labels       map[string]string
			} `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(in.do("inspect", c)), &image); err != nil {
		t.Fatal(err)
	}
	config := image.OCIv1.Config
	if _, exposed := config.ExposedPorts["10759/tcp"]; !exposed || !slices.Equal(config.Entrypoint, []string{"/ply-exporter"}) || config.Labels["org.opencontainers.image.version"] != "1.2.3" {
		t.Errorf("%+v", config)
	}
	if _, err := os.Stat(filepath.Join(dir, "src")); err == nil {
		t.Error("the sources are in the image")
	}
}
