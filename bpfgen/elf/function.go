package elf

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Function is one place where a function begins. All names of one address are
// one Function, since a probe there runs once whatever the function is called.
type Function struct {
	// Name is the one that was asked for, else the shortest of those that match
	// (one without a leading underscore comes first). It is as in the file; see
	// Demangle.
	Name string
	// Aliases are all other names of the address, sorted.
	Aliases []string
	// Address is the symbol's value, Offset its place in the file.
	Address, Offset uint64
	// Size in bytes, 0 where the file does not say.
	Size uint64
}

// ErrNoFunction says that a file has no function of a name.
var ErrNoFunction = errors.New("no function")

// maxNames bounds what the names of one answer may take.
const maxNames = 256 << 20

// Functions returns the functions with a name that matches, by address. A name
// is matched as it stands in the file, and as C++ or Rust have it (see
// Demangle). If an older version of a function differs from the current one, it
// is called name@VERSION.
func (f *File) Functions(match func(name string) bool) ([]Function, error) {
	var all []Function
	for fn, err := range f.Each(match) {
		if err != nil {
			return nil, err
		}
		all = append(all, fn)
	}
	return all, nil
}

// Each is Functions without keeping them all.
func (f *File) Each(match func(name string) bool) iter.Seq2[Function, error] {
	return func(yield func(Function, error) bool) {
		x, err := f.functions()
		if err != nil {
			yield(Function{}, err)
			return
		}
		size := 0
		match := f.called(match)
		for group := range x.groups() {
			fn, ok := f.match(x, group, match)
			if !ok {
				continue
			}
			size += len(fn.Name)
			for _, a := range fn.Aliases {
				size += len(a)
			}
			if size > maxNames {
				err = fmt.Errorf("%s: names of functions take more than %d MiB", f.name, maxNames>>20)
			}
			if !yield(fn, err) || err != nil {
				return
			}
		}
	}
}

// groups are the symbols of one address each.
func (x *index) groups() iter.Seq[[]symbol] {
	return func(yield func([]symbol) bool) {
		for rest := x.symbols; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].address == rest[0].address {
				n++
			}
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// names are the different names of one address.
func (x *index) names(group []symbol) iter.Seq[string] {
	return func(yield func(string) bool) {
		var seen map[string]bool
		if len(group) > 1 {
			seen = make(map[string]bool, len(group))
		}
		for _, y := range group {
			name, err := x.fullName(y)
			if err != nil || name == "" || seen[name] {
				continue // a name that cannot be read is none
			}
			if !yield(name) {
				return
			}
			if seen != nil {
				seen[name] = true
			}
		}
	}
}

// match makes a Function of the symbols of one address if one matches.
func (f *File) match(x *index, group []symbol, match func(string) bool) (Function, bool) {
	var matching, others []string
	for name := range x.names(group) {
		switch {
		case match(name) || isMangled(name) && match(Demangle(name)):
			matching = append(matching, name)
		default:
			others = append(others, name)
		}
	}
	if len(matching) == 0 {
		return Function{}, false
	}
	slices.SortFunc(matching, better)
	others = append(others, matching[1:]...)
	slices.Sort(others)
	return f.made(group, matching[0], others)
}

func (f *File) made(group []symbol, name string, aliases []string) (Function, bool) {
	fn := Function{Name: name, Aliases: aliases, Address: group[0].address}
	for _, y := range group {
		fn.Size = max(fn.Size, uint64(y.size))
	}
	var ok bool
	fn.Offset, ok = f.offset(fn.Address)
	return fn, ok
}

// better sorts names of one address: those that a person would ask for first.
func better(a, b string) int {
	internal := func(s string) int { return len(s) - len(strings.TrimLeft(s, "_")) }
	return cmp.Or(cmp.Compare(internal(a), internal(b)), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// Lookup returns the functions of exactly this name. There are several if it is
// one of static functions or of C++ (Demangle leaves out what tells them apart),
// or of an indirect function, which is implemented several times, or if the
// compiler has made copies of it. Of functions with versions it is the default
// one, unless name ends in @VERSION.
func (f *File) Lookup(name string) ([]Function, error) {
	x, err := f.functions()
	if err != nil {
		return nil, err
	}
	bare, version, _ := strings.Cut(strings.Replace(name, "@@", "@", 1), "@")
	exact, err := f.lookup(x, func(y symbol) string {
		n, v, err := x.name(y)
		switch {
		case err != nil:
			return ""
		case isCopy(n, name):
			return n
		case n != bare:
			return ""
		}
		if v, isDefault := strings.CutPrefix(v, "@"); v == version || version == "" && (isDefault || !x.isHidden(y, v) || !x.defaults[n]) {
			return name
		}
		return ""
	})
	if err != nil || len(exact) > 0 {
		return exact, err
	}
	demangled, err := f.Functions(func(n string) bool { return n == name })
	if err != nil || len(demangled) > 0 {
		return demangled, err
	}
	return nil, f.notFound(x, name)
}

// lookup returns the functions with a symbol that is looked for, by the name that
// look gives it.
func (f *File) lookup(x *index, look func(symbol) string) ([]Function, error) {
	var all []Function
	for group := range x.groups() {
		name := ""
		for _, y := range group {
			name = cmp.Or(name, look(y))
		}
		if name == "" {
			continue
		}
		var aliases []string
		for n := range x.names(group) {
			if n != name {
				aliases = append(aliases, n)
			}
		}
		slices.Sort(aliases)
		if fn, ok := f.made(group, name, aliases); ok {
			all = append(all, fn)
		}
	}
	return all, nil
}

// notFound says why there is no function of a name.
func (f *File) notFound(x *index, name string) error {
	for _, u := range x.unresolved {
		if n, _, err := x.name(u.symbol); err == nil && n == name {
			return fmt.Errorf("%s in %s %w", name, f.name, u.why)
		}
	}
	if bare := f.Bare(); bare != "" {
		return fmt.Errorf("%w %s in %s%s", ErrNoFunction, name, f.name, bare)
	}
	return fmt.Errorf("%w %s in %s%s", ErrNoFunction, name, f.name, f.stripped())
}

// Bare says of a file without any function that it is so, and what would have them.
func (f *File) Bare() string {
	if x, err := f.functions(); err != nil || len(x.symbols) > 0 {
		return ""
	}
	return ": it has no symbols at all" + f.stripped()
}

// stripped says what would have the functions that are missing.
func (f *File) stripped() string {
	if f.section(".symtab") != nil || f.section(".gopclntab") != nil || f.Debug() != nil {
		return ""
	}
	return "; only exported functions are known, since the file is stripped and " + f.noDebug
}

// At returns the function that an offset in the file is in, and how far.
func (f *File) At(offset uint64) (name string, in uint64, ok bool) {
	x, err := f.functions()
	if err != nil {
		return "", 0, false
	}
	address, ok := f.AddressOf(offset)
	if !ok {
		return "", 0, false
	}
	group, ok := x.around(address)
	if !ok {
		return "", 0, false
	}
	fn, ok := f.match(x, group, func(string) bool { return true })
	return fn.Name, address - fn.Address, ok
}

// around returns the symbols of the function that an address is in. One without
// a size ends where the next begins. Functions that lie within others are
// rare, and are left where they end.
func (x *index) around(address uint64) ([]symbol, bool) {
	i, _ := slices.BinarySearchFunc(x.symbols, address+1, func(y symbol, a uint64) int { return cmp.Compare(y.address, a) })
	if i == 0 {
		return nil, false
	}
	start := x.symbols[i-1].address
	first, size := i, uint64(0)
	for first > 0 && x.symbols[first-1].address == start {
		first--
		size = max(size, uint64(x.symbols[first].size))
	}
	return x.symbols[first:i], size == 0 || address-start < size
}
