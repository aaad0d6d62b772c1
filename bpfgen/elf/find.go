package elf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"syscall"
)

// Find returns the files that a script means by a name, sorted, each once: a
// path; a program that is looked up in PATH; or a library, which is looked up as
// the dynamic loader does. Each may be a glob (libssl.so.*). The names are those
// below a root folder: "" for this machine's, /proc/PID/root for those that a
// process in a container sees. Links are followed, within the root.
//
// A library that is installed several times, for processors that can do more
// (glibc-hwcaps), is found several times: which one runs is decided by each
// process.
//
// The error is fs.ErrNotExist if there is no such file, yet.
func Find(root, name string) ([]string, error) {
	s := search{root: strings.TrimSuffix(root, "/")}
	var all []string
	var err error
	switch {
	case name == "":
		return nil, errors.New("a program or library needs a name")
	case strings.Contains(name, "/"):
		if !strings.HasPrefix(name, "/") {
			return nil, fmt.Errorf("%s: a path begins with /; a name without / is looked up", name)
		}
		if all, err = s.expand(name); err == nil && len(all) == 0 {
			err = &fs.PathError{Op: "find", Path: s.root + name, Err: fs.ErrNotExist}
		}
	case strings.Contains(name, ".so"):
		all, err = s.library(name)
	default:
		all, err = s.program(name)
	}
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i] = s.root + all[i]
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// search looks for files below a root folder.
type search struct{ root string }

// maxFound bounds what a glob finds.
const maxFound = 10_000

// programFolders are where containers have their programs; their own PATH is
// that of each of their processes.
var programFolders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// libraryFolders are where the dynamic loader looks for what its cache does not
// have: Debian's, those of others, and musl's.
func libraryFolders() []string {
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "riscv64": "riscv64-linux-gnu"}[runtime.GOARCH]
	return []string{"/lib/" + triplet, "/usr/lib/" + triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"}
}

// program looks a program up in PATH: the first folder that has it counts. For a
// glob, all do. A folder that one may not look into is passed over, as a shell does. A
// library may be named without .so.
func (s search) program(name string) ([]string, error) {
	folders := programFolders
	if s.root == "" {
		folders = slices.DeleteFunc(strings.Split(os.Getenv("PATH"), ":"), func(f string) bool { return !strings.HasPrefix(f, "/") })
	}
	var all []string
	var refused error
	for _, folder := range folders {
		found, err := s.expand(path.Join(folder, name))
		if errors.Is(err, fs.ErrPermission) {
			refused = cmp.Or(refused, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(p string) bool { return !s.isProgram(p) })
		if all = append(all, found...); len(all) > 0 && !isGlob(name) {
			return all, nil
		}
	}
	if len(all) == 0 && strings.HasPrefix(name, "lib") {
		for _, library := range []string{name + ".so", name + ".so.*"} {
			if all, err := s.library(library); err == nil {
				return all, nil
			}
		}
	}
	switch {
	case len(all) == 0 && refused != nil:
		return nil, Unseen{refused}
	case len(all) == 0:
		return nil, notFound("program", name, folders)
	}
	return all, nil
}

func (s search) isProgram(inside string) bool {
	info, err := os.Stat(s.root + inside)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// library looks a library up in the dynamic loader's cache, else in its folders.
func (s search) library(name string) ([]string, error) {
	if _, err := path.Match(name, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []string
	for _, l := range s.cached() {
		if ok, err := path.Match(name, l.name); err == nil && ok {
			if inside, err := s.resolve(l.path); err == nil {
				all = append(all, inside)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	folders := libraryFolders()
	for _, folder := range folders {
		found, err := s.expand(path.Join(folder, name))
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(p string) bool { return !s.isLibrary(p) })
		if all = append(all, found...); len(all) > 0 && !isGlob(name) {
			break
		}
	}
	if len(all) == 0 {
		return nil, notFound("library", name, append([]string{ldCache}, folders...))
	}
	return all, nil
}

// isLibrary says whether a file is one for this machine: the loader passes over
// others, and over linker scripts.
func (s search) isLibrary(inside string) bool {
	f, err := Open(s.root + inside)
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Machine().String() == runtime.GOARCH
}

func notFound(what, name string, folders []string) error {
	return fmt.Errorf("no %s %s in %s: %w", what, name, strings.Join(folders, ", "), fs.ErrNotExist)
}

func isGlob(s string) bool { return strings.ContainsAny(s, `*?[\`) }

// expand returns the files that match a path, without links. It looks at each
// part of the path by itself, so that links to absolute paths stay in the root, and
// so that the folder above a link's target is that of the target.
func (s search) expand(pattern string) ([]string, error) {
	found := []string{"/"}
	several := false // folders, of which some may be none, or have ended
	var refused error
	for part := range strings.SplitSeq(pattern, "/") {
		if part == "" || part == "." {
			continue
		}
		if _, err := path.Match(part, ""); err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		var next []string
		for _, folder := range found {
			for _, name := range s.matching(folder, part) {
				if inside, err := s.resolve(folder + "/" + name); err == nil {
					next = append(next, inside)
				} else if !isGlob(part) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) && !(several && errors.Is(err, syscall.ENOTDIR)) {
					refused = cmp.Or(refused, err)
				}
			}
		}
		several = several || isGlob(part)
		switch {
		case len(next) > 0 || refused == nil:
		case several:
			return nil, Unseen{refused}
		default:
			return nil, refused
		}
		if len(next) > maxFound {
			return nil, &fs.PathError{Op: "find", Path: s.root + pattern, Err: fmt.Errorf("matches more than %d files", maxFound)}
		}
		found = next
	}
	return found, nil
}

// Unseen says that none of several files is there as far as one may look. It is
// fs.ErrNotExist.
type Unseen struct{ error }

// Is answers errors.Is(err, fs.ErrNotExist).
func (Unseen) Is(target error) bool { return target == fs.ErrNotExist }

// Unwrap returns why one may not look.
func (u Unseen) Unwrap() error { return u.error }

// matching returns the names in a folder that a part of a path matches.
func (s search) matching(folder, part string) []string {
	if !isGlob(part) {
		return []string{part}
	}
	entries, err := os.ReadDir(s.root + folder)
	if err != nil {
		return nil // no folder, or one that nobody may read
	}
	var names []string
	for _, e := range entries {
		if ok, err := path.Match(part, e.Name()); err == nil && ok && (e.Name()[0] != '.' || part[0] == '.') {
			names = append(names, e.Name())
		}
	}
	return names
}

// maxLinks is how many links the kernel follows in one path.
const maxLinks = 40

// magicLink are links of processes that the kernel follows by what they stand for, not by
// their text, which is a path in the process's own files.
var magicLink = regexp.MustCompile(`^/proc/[0-9]+/(task/[0-9]+/)?(root|cwd|exe)$`)

// resolve follows the links of a path within the root: the kernel would follow
// an absolute one, or one with .., to this machine's files. A root of a process that the
// path goes through is the root of what follows.
func (s search) resolve(inside string) (string, error) {
	base, done, rest := "", "/", strings.Split(inside, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." && path.Base(done) == "cwd" && magicLink.MatchString(done) {
			target, err := os.Readlink(s.root + base + done)
			if err != nil {
				return "", err
			}
			base, done = base+path.Join(path.Dir(done), "root"), target
		}
		if part == "" || part == "." || part == ".." {
			done = path.Join(done, part)
			continue
		}
		next := path.Join(done, part)
		info, err := os.Lstat(s.root + base + next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 && magicLink.MatchString(next) {
			if done = next; path.Base(next) == "root" {
				base, done = base+next, "/"
			}
			continue
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: s.root + inside, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(s.root + base + next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return path.Join("/", base, done), nil
}

// cachedLibrary is a library that the dynamic loader's cache has.
type cachedLibrary struct{ name, path string }

const (
	ldCache   = "/etc/ld.so.cache"
	ldMagic   = "glibc-ld.so.cache1.1"
	ldHeader  = 48
	ldEntry   = 24
	maxLdFile = 16 << 20 // a large machine has 300 KB
	maxPath   = 4096
)

// cached reads the cache; it has nothing if there is none (musl has none).
func (s search) cached() []cachedLibrary {
	inside, err := s.resolve(ldCache)
	if err != nil {
		return nil
	}
	f, err := os.Open(s.root + inside)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxLdFile {
		return nil
	}
	p := make([]byte, info.Size())
	if _, err := f.ReadAt(p, 0); err != nil {
		return nil
	}
	return parseCache(p, runtime.GOARCH)
}

// parseCache reads a cache: a header with the number of entries, entries with
// what they are for and the offsets of name and path, and these. An old format
// may come before. What is not for this machine is left out.
func parseCache(p []byte, machine string) []cachedLibrary {
	i := strings.Index(string(p), ldMagic)
	if i < 0 || len(p)-i < ldHeader {
		return nil
	}
	p = p[i:]
	text := func(at uint32) string {
		from := min(int64(at), int64(len(p)))
		return cut(p[from:min(from+maxPath, int64(len(p)))])
	}
	want := map[string]uint32{"amd64": 0x0303, "arm64": 0x0a03, "riscv64": 0x1003}[machine]
	n := min(int(little.Uint32(p[20:])), (len(p)-ldHeader)/ldEntry)
	var all []cachedLibrary
	for i := range n {
		e := p[ldHeader+i*ldEntry:]
		l := cachedLibrary{text(little.Uint32(e[4:])), text(little.Uint32(e[8:]))}
		if little.Uint32(e) == want && l.name != "" && path.IsAbs(l.path) {
			all = append(all, l)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return cmp.Or(strings.Compare(all[i].name, all[j].name), strings.Compare(all[i].path, all[j].path)) < 0
	})
	return all
}
