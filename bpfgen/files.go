package bpfgen

import (
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// FileNames are the programs and libraries that a parsed script is about, as it names
// them.
func FileNames(script *plylang.Script) []string { return probe.FileNames(script) }

// Look returns the files of such names as they are now, and for each name that has none
// one without a path.
func Look(names []string) (files []object.File) {
	for _, name := range names {
		files = append(files, probe.Look(name)...)
	}
	return files
}
