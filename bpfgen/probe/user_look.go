package probe

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Programs and libraries that a script names, as they are now
//
// Packages are installed, upgraded and removed while scripts run. Who looks from time to
// time sees by a list of the files whether anything has become otherwise.

// FileNames are the programs and libraries that a script is about, as it names them,
// each once, sorted. They are there or not.
func FileNames(script *plylang.Script) (names []string) {
	for _, probe := range script.Probes {
		for _, spec := range probe.Specs() {
			file, _, _ := strings.Cut(spec.Target, ":")
			if p, err := findProvider(spec.Provider); err == nil && p.Slash == plylang.BelongsToPath && file != "" {
				names = append(names, file)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Look returns the files of a name as they are now, each by one of its paths, and one
// without a path if there is none.
func Look(name string) (files []object.File) {
	paths, err := elf.Find("", name)
	seen := map[object.FileID]bool{}
	for _, path := range paths {
		id, err := fileID(path)
		info, gone := os.Stat(path)
		if err != nil || gone != nil || seen[id] {
			continue // gone since, or found before
		}
		seen[id] = true
		files = append(files, object.File{Name: name, Path: path, ID: id, Size: info.Size(), Mode: info.Mode(), Changed: info.ModTime().UnixNano()})
	}
	sort.Slice(files, func(i, j int) bool {
		a, b := files[i].ID, files[j].ID
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Inode, b.Inode)) < 0
	})
	switch {
	case len(files) > 0:
	case err == nil, errors.Is(err, fs.ErrNotExist):
		files = append(files, object.File{Name: name})
	default:
		files = append(files, object.File{Name: name, Path: name}) // nobody may look
	}
	return files
}
