package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// builds are the paths of two programs, built in the same way.
type builds struct{ base, now string }

// build compiles the commit base and this tree into folder.
func build(base, folder string) (builds, error) {
	tree := filepath.Join(folder, "tree")
	b := builds{base: filepath.Join(folder, "base"), now: filepath.Join(folder, "now")}
	if err := checkOut(base, tree); err != nil {
		return b, err
	}
	if err := compile(tree, b.base); err != nil {
		return b, err
	}
	return b, compile(".", b.now)
}

// checkOut writes the files of a commit to folder.
func checkOut(commit, folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	archive := folder + ".tar"
	if err := command(".", "git", "archive", "-o", archive, commit); err != nil {
		return fmt.Errorf("%w\n(a shallow clone lacks it: git fetch --unshallow)", err)
	}
	return command(folder, "tar", "-xf", archive)
}

func compile(tree, path string) error {
	return command(tree, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
}

func command(folder, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
