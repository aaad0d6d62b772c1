package elf

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Demangle returns a name as C++ or Rust have it in their sources, without
// parameters: std::vector::push_back. That of a copy of a function is the function's,
// and that of a part of one says so: std::vector::push_back.cold. Other names are
// returned as they are.
func Demangle(name string) string {
	if !isMangled(name) {
		return name
	}
	if function, suffix := cutClone(name); isPart(suffix) {
		return Demangle(function) + suffix
	}
	return demangle.Filter(name, demangle.NoParams, demangle.NoTemplateParams, demangle.MaxLength(12))
}

// maxMangled is the length of the longest name that is demangled.
const maxMangled = 4096

// isMangled says whether a name may be one of C++ or Rust.
func isMangled(name string) bool {
	return len(name) <= maxMangled && (strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "_R"))
}
