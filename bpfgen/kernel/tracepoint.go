package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"ply-exporter/plylang"
)

// errNotFound is what an error about something that this kernel does not have
// wraps: a tracepoint, a function, a type.
var errNotFound notFound

type notFound struct{}

func (notFound) Error() string        { return "not found" }
func (notFound) Is(target error) bool { return target == plylang.ErrMissing }

// A noTracing tells how to get at tracefs. Scripts that need nothing of it run
// without.
type noTracing string

func (e noTracing) Error() string      { return string(e) }
func (noTracing) Is(target error) bool { return target == plylang.ErrMissing }

const (
	errNoTracing noTracing = "tracefs is not mounted: run " + mountTracing
	errNoSys     noTracing = noSys + ", then " + mountTracing

	noSys        = "/sys is not mounted: run \"mount -t sysfs sysfs /sys\""
	mountTracing = "\"mount -t tracefs tracefs /sys/kernel/tracing\""
)

// Tracing returns the tracefs folder among the kernel's files.
func (k *Kernel) Tracing() (string, error) { return k.tracing() }

func (k *Kernel) findTracing() (string, error) {
	for _, folder := range []string{"sys/kernel/tracing", "sys/kernel/debug/tracing"} {
		_, err := fs.Stat(k.files, folder+"/events")
		switch {
		case err == nil:
			return folder, nil
		case errors.Is(err, fs.ErrPermission):
			return "", noTracing("/" + folder + " may not be read: run as root or with CAP_DAC_READ_SEARCH")
		}
	}
	if k.lacksSys() {
		return "", errNoSys
	}
	return "", errNoTracing
}

// lacksSys says whether /sys is not mounted.
func (k *Kernel) lacksSys() bool {
	_, err := fs.Stat(k.files, "sys/devices")
	return errors.Is(err, fs.ErrNotExist)
}

// Tracepoints returns the tracepoints that match both globs as
// "category/event", sorted. None is no error.
func (k *Kernel) Tracepoints(categoryGlob, eventGlob string) ([]string, error) {
	folder, err := k.Tracing()
	if err != nil {
		return nil, err
	}
	events := path.Join(folder, "events")
	categories, err := k.matchFolders(events, categoryGlob)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, category := range categories {
		if category == "ftrace" { // records of the tracers; nothing can attach to them
			continue
		}
		names, err := k.matchFolders(path.Join(events, category), eventGlob)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			found = append(found, category+"/"+name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// matchFolders returns the folders under a folder whose name matches. A plain
// name is looked up instead of listed, which is faster by far.
func (k *Kernel) matchFolders(under, glob string) ([]string, error) {
	if !IsGlob(glob) {
		if !isFileName(glob) {
			return nil, nil
		}
		info, err := fs.Stat(k.files, path.Join(under, glob))
		if err != nil || !info.IsDir() {
			return nil, nil
		}
		return []string{glob}, nil
	}
	all := k.Memo(foldersKey(under), func() any { return k.listFolders(under) }).(folders)
	if all.err != nil {
		return nil, fmt.Errorf("list tracepoints: %w", all.err)
	}
	var names []string
	pattern := Compile(glob)
	for _, name := range all.names {
		if pattern.Match(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// A foldersKey is a folder whose folders are kept: those of system calls are hundreds,
// which many specifications ask for.
type foldersKey string

// folders are the names of those in a folder.
type folders struct {
	names []string
	err   error
}

func (k *Kernel) listFolders(under string) (all folders) {
	entries, err := fs.ReadDir(k.files, under)
	all.err = err
	for _, entry := range entries {
		if entry.IsDir() {
			all.names = append(all.names, entry.Name())
		}
	}
	return all
}

// isFileName keeps a name from leading out of its folder.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// A formatCache keeps the formats that were read.
type formatCache struct {
	sync.Mutex
	formats map[string]*Format
}

// Tracepoint returns the format of a tracepoint. The error is plylang.ErrMissing
// when the kernel does not have it.
func (k *Kernel) Tracepoint(category, event string) (*Format, error) {
	name := category + "/" + event
	cache := &k.kept.Load().tracepoint
	cache.Lock()
	defer cache.Unlock()
	if format := cache.formats[name]; format != nil {
		return format, nil
	}
	format, err := k.readFormat(category, event)
	if err != nil {
		return nil, fmt.Errorf("tracepoint %s: %w", name, err)
	}
	if cache.formats == nil {
		cache.formats = map[string]*Format{}
	}
	cache.formats[name] = format
	return format, nil
}

func (k *Kernel) readFormat(category, event string) (*Format, error) {
	folder, err := k.Tracing()
	if err != nil {
		return nil, err
	}
	if !isFileName(category) || !isFileName(event) || category == "ftrace" {
		return nil, errNotFound
	}
	file, err := k.files.Open(path.Join(folder, "events", category, event, "format"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseFormat(file)
}
