package elf

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// DebugPackage says what would have the debug information of a file that was stripped
// and has no debug file here: Debian's package, by that of the file itself, or what
// servers of debug files (debuginfod) call it. It is "" where nobody can tell.
func (f *File) DebugPackage() string {
	id := hex.EncodeToString(f.BuildID())
	if f.hasTypes() || f.Debug() != nil && !f.inside || id == "" {
		return ""
	}
	if name := f.debianPackage(); name != "" {
		return fmt.Sprintf("; install %s, or what debuginfod servers have as /buildid/%s/debuginfo", name, id)
	}
	return fmt.Sprintf("; debuginfod servers may have it as /buildid/%s/debuginfo", id)
}

// debianPackage is the package with the debug symbols of the file: that of the C library
// has a name of its own.
func (f *File) debianPackage() string {
	root := f.roots()[0]
	lists, _ := filepath.Glob(root + "/var/lib/dpkg/info/*.list")
	paths := []string{strings.TrimPrefix(f.name, root)}
	if real, err := filepath.EvalSymlinks(f.name); err == nil {
		paths = append(paths, strings.TrimPrefix(real, root))
	}
	for _, p := range paths { // /bin may be a link to /usr/bin, which packages need not know
		if short, ok := strings.CutPrefix(p, "/usr"); ok {
			paths = append(paths, short)
		} else {
			paths = append(paths, "/usr"+p)
		}
	}
	for _, list := range lists {
		if !listsOne(list, paths) {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
		if name == "libc6" {
			return "libc6-dbg"
		}
		return name + "-dbgsym"
	}
	return ""
}

// listsOne says whether a list of a package's files has one of some paths.
func listsOne(list string, paths []string) bool {
	file, err := os.Open(list)
	if err != nil {
		return false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if slices.Contains(paths, lines.Text()) {
			return true
		}
	}
	return false
}
