package probe

import (
	"fmt"
	"slices"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Returns of programs' functions
//
// The kernel notices a return by putting another return address on the stack. Go moves
// its stacks and looks at return addresses: a program in Go is killed by that, so it is
// refused. The kernel does so for 64 calls within each other in a thread and for no more;
// nobody counts the others. Nor does a function return that is left by longjmp or by the
// end of the thread; and after fork a child returns that has not called. An exception of
// C++ or a panic of Rust finds no caller behind the other address, as if nothing caught it:
// the program ends.

var uretprobeProvider = newProvider("uretprobe", retvalRow, elapsedRow, funcRow, regsRow, regRow)

func init() {
	uretprobeProvider.returns = true
	uretprobeProvider.scopes = uretprobeScopes
	uretprobeProvider.listIn = listProgram(uretprobeProvider)
}

func uretprobeScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	s := newScope(uretprobeProvider, spec, uses, object.AttachUretprobe)
	s.many = object.AttachUretprobeMulti
	return s.inProgram(r)
}

// returnsFrom finds fault with a target that does not return, or must not be watched.
func (f *userFile) returnsFrom(t userTarget) error {
	switch {
	case t.name != "" && t.offset != 0:
		return fmt.Errorf("uretprobe fires where a function returns: leave out the offset in %q", t.text(t.name))
	case f.elf.IsGo():
		return fmt.Errorf("%s is a Go program, which is killed by a uretprobe, because Go moves its stacks: write uprobe, which fires where functions begin", f.path)
	}
	return nil
}

// warnOfExceptions says of functions that may be left by an exception what becomes of it.
func (s *Scope) warnOfExceptions(found []userFunction) {
	throws := func(f userFunction) bool { return elf.Demangle(f.name) != f.name }
	if i := slices.IndexFunc(found, throws); s.provider.returns && i >= 0 {
		s.notes = append(s.notes, "a program in which an exception or a panic leaves "+elf.Demangle(found[i].name)+
			" is ended by a uretprobe there, even if a caller would catch it: write uprobe where that may happen")
	}
}

// warnOfCopies says of functions that the compiler has changed what the clause may get wrong.
// Their parameters by name are right: debug information is about what was made.
func (s *Scope) warnOfCopies(found []userFunction) {
	i := slices.IndexFunc(found, func(f userFunction) bool { return elf.IsChanged(f.name) })
	what := ""
	switch {
	case i < 0:
		return
	case s.provider.returns && s.wants(retvalRow.Name):
		what = "whose result the compiler may have left out"
	case !s.provider.returns && s.wantsPlainArgument():
		what = "whose arguments the compiler may have changed: args->name is right where there is debug information"
	default:
		return
	}
	s.notes = append(s.notes, fmt.Sprintf("%s is a copy of a function %s", found[i].name, what))
}
