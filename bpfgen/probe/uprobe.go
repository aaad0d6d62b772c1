package probe

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Functions of programs
//
// A target is a file, a colon, and a function of it, which may be a glob or have an
// offset, or the offset of an instruction in the file. The file is a path, or the
// name of a library or a program, which is looked for where the machine would.
//
// The kernel runs a program for all names of an instruction as often as it is asked
// to. So a script has one name for each instruction, the first that it gives, and a
// body runs there once.

var uprobeProvider = newProvider("uprobe", append(slices.Clone(argRows), argsRow, funcRow, regsRow, regRow)...)

func init() {
	uprobeProvider.scopes = uprobeScopes
	uprobeProvider.listIn = listProgram(uprobeProvider)
}

func uprobeScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	s := newScope(uprobeProvider, spec, uses, object.AttachUprobe)
	s.many = object.AttachUprobeMulti
	return s.inProgram(r)
}

// linksToMany says whether one link attaches to all functions of a file. Before Linux 6.10 such a
// link for one process leaves out all its threads but the first.
func (r *Resolver) linksToMany() bool {
	return !r.plain && r.kernel.Has(kernel.UprobeMulti) && (r.pid == 0 || r.kernel.AtLeast(6, 10))
}

// inProgram resolves the target of s, which has no sites yet.
func (s *Scope) inProgram(r *Resolver) ([]*Scope, error) {
	t, err := parseUserTarget(s.provider, s.spec.Target)
	if err != nil {
		return nil, err
	}
	if !r.linksToMany() {
		s.many = ""
	}
	if s.wants("func") {
		s.tells = []kernel.Feature{kernel.Cookie}
	}
	files, err := r.userFiles(t.file)
	if err != nil {
		return nil, err
	}
	defer closeAll(files)
	var found []userFunction
	var missing error
	for _, file := range files {
		more, err := s.functionsOf(file, t)
		switch {
		case errors.Is(err, plylang.ErrMissing) && len(files) > 1:
			missing = err
		case err != nil:
			return nil, err
		}
		found = append(found, more...)
	}
	if len(found) == 0 {
		return nil, missing
	}
	return s.byConvention(r, found, len(files) > 1 || kernel.IsGlob(t.name)), nil
}

// functionsOf finds the instructions of a file that s is about.
func (s *Scope) functionsOf(file *userFile, t userTarget) ([]userFunction, error) {
	if s.provider.returns {
		if err := file.returnsFrom(t); err != nil {
			return nil, err
		}
	}
	found, err := file.functions(t)
	if err != nil {
		return nil, missingError(err.Error()) // whatever it is, it is in the file
	}
	for i := range found {
		found[i].declare(s, found[i].address)
	}
	return found, nil
}

// A userTarget is what stands behind "uprobe:".
type userTarget struct {
	file   string // path, or a name to look for
	name   string // of the function; may be a glob
	offset uint64 // bytes into the function, or into the file where there is no name
}

func parseUserTarget(p *Provider, target string) (t userTarget, err error) {
	file, name, ok := strings.Cut(target, ":")
	switch {
	case !ok || name == "":
		return t, fmt.Errorf("a function is missing in %q: write %s:%s:function", target, p.Name, file)
	case file == "":
		return t, fmt.Errorf("a program or library is missing in %q: write %s", target, p.Example)
	}
	t = userTarget{file: file, name: name}
	if strings.HasPrefix(name, "0x") {
		if t.offset, err = strconv.ParseUint(name, 0, 63); err != nil {
			return t, fmt.Errorf("%q is no offset in a file: write hexadecimal digits after 0x", name)
		}
		t.name = ""
		return t, nil
	}
	i := strings.LastIndexByte(name, '+')
	if i < 1 || !startsNumber(name[i+1:]) {
		return t, nil
	}
	if t.offset, err = strconv.ParseUint(name[i+1:], 0, 63); err != nil {
		return t, fmt.Errorf("the offset in %q is no number: write function+4 or function+0x1f", name)
	}
	if t.name = name[:i]; t.offset != 0 && kernel.IsGlob(t.name) {
		return t, fmt.Errorf("an offset goes with a single function, not with the glob %q", t.name)
	}
	return t, nil
}

// startsNumber says whether an offset begins here; C++ has functions named operator+.
func startsNumber(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// text is how the instruction is named in its file.
func (t userTarget) text(name string) string {
	switch {
	case name == "":
		return fmt.Sprintf("%#x", t.offset)
	case t.offset != 0:
		return fmt.Sprintf("%s+%d", name, t.offset)
	}
	return name
}

// A userFunction is an instruction that a target names.
type userFunction struct {
	file   *userFile
	name   string // as scripts write it behind the colon
	offset uint64 // in the file
	calls  convention

	// address is where the function begins, 0 for an instruction inside one.
	address uint64

	// What its debug information declares, as far as the clause asks.
	params *userParams
	result userResult
}

// key spells out what the clause sees of f.
func (f userFunction) key(s *Scope) string {
	return f.calls.key(s) + f.params.key(s) + f.result.key(s)
}

// declare reads what the debug information declares of a function that begins at an
// address, if the clause asks for it.
func (f *userFunction) declare(s *Scope, at uint64) {
	switch {
	case s.provider.returns && s.wants(retvalRow.Name):
		f.result = f.file.resultOf(at, f.name)
	case !s.provider.returns && s.wantsArgs():
		if f.params = f.file.paramsOf(*f, at); f.params.err != nil {
			f.params.err = f.file.withPackage(f.params.err)
		}
	}
}

// byConvention makes scopes of functions whose arguments are in the same places, as
// far as the clause sees. glob says that they are several that one name stands for.
func (s *Scope) byConvention(r *Resolver, found []userFunction, glob bool) []*Scope {
	var scopes []*Scope
	for _, group := range alike(found, func(f userFunction) string { return f.key(s) }) {
		one := *s
		one.sites = nil
		one.warnOfExceptions(group)
		one.warnOfCopies(group)
		for _, f := range group {
			name := f.file.nameOf(f)
			one.add(object.UserFunction{Path: f.file.path, File: f.file.id, PID: r.pid, Offset: f.offset, Symbol: name}, f.file.path+":"+name, glob)
		}
		one.vars = one.userVars(r.kernel, group)
		scopes = append(scopes, &one)
	}
	return scopes
}

// userVars are the variables of functions that are alike.
func (s *Scope) userVars(k *kernel.Kernel, group []userFunction) []*Var {
	vars := append(regVars(k, true), newVar(funcRow, addressType(plylang.DisplayUserFunc), (*Context).siteID))
	first := group[0]
	if s.provider.returns {
		return append(vars, elapsedVar(), first.result.variable())
	}
	if first.params != nil {
		for _, f := range group[1:] {
			first.params.others = append(first.params.others, f.name)
		}
	}
	return append(append(vars, first.params.variable()), first.calls.vars(k)...)
}
