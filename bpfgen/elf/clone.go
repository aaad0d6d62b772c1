package elf

import (
	"regexp"
	"strings"
)

// Compilers make several functions of one, and name them after it. A copy is called
// in its place by some callers or by all: name.constprop.0 lacks a parameter that is
// always the same, name.isra.0 what is not used, name.lto_priv.0 and name.llvm.1 are
// as they were. A part is what the function jumps to, name.cold, or calls after a
// look at its arguments, name.part.0: who counts both counts a call twice.

var cloned = regexp.MustCompile(`^(.+?)((?:\.(?:constprop|isra|lto_priv|llvm|part|cold)(?:\.[0-9]+)?)+)$`)

// cutClone splits a name into that of the function and what the compiler has added.
func cutClone(name string) (function, suffix string) {
	if m := cloned.FindStringSubmatch(name); m != nil {
		return m[1], m[2]
	}
	return name, ""
}

func isPart(suffix string) bool { return strings.Contains(suffix, ".part") || isCold(suffix) }

func isCold(suffix string) bool { return strings.Contains(suffix, ".cold") }

// isCopy says whether a name is that of a copy of a function.
func isCopy(name, of string) bool {
	rest, ok := strings.CutPrefix(name, of)
	if !ok || !strings.HasPrefix(rest, ".") {
		return false
	}
	function, suffix := cutClone("f" + rest)
	return function == "f" && !isPart(suffix)
}

// IsChanged says by the name of a function whether it is a copy of one that may have
// other parameters, or no result.
func IsChanged(name string) bool {
	_, suffix := cutClone(name)
	return strings.Contains(suffix, ".constprop") || strings.Contains(suffix, ".isra")
}

// called leaves out of what matches the parts that nobody calls. Go has dots in the
// names of functions, and no such parts.
func (f *File) called(match func(name string) bool) func(name string) bool {
	if f.IsGo() {
		return match
	}
	return func(name string) bool {
		if strings.Contains(name, ".cold") {
			if _, suffix := cutClone(name); isCold(suffix) {
				return false
			}
		}
		return match(name)
	}
}
