package kernel

import (
	"bufio"
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"

	"ply-exporter/plylang"
)

// An address is where a symbol is, or why that cannot be said.
type address struct {
	addr uint64
	err  error
}

// addressKey is the memo's key of a symbol's address.
type addressKey string

// Address returns the address of a function or variable of the kernel or of a
// module, named "init_task" or, where several modules have the name,
// "module:symbol". The error is plylang.ErrMissing when there is none. It may take
// 20 ms, once for each symbol.
func (k *Kernel) Address(symbol string) (uint64, error) {
	found := k.Memo(addressKey(symbol), func() any {
		addr, err := k.findAddress(symbol)
		return address{addr, err}
	}).(address)
	return found.addr, found.err
}

func (k *Kernel) findAddress(symbol string) (uint64, error) {
	if err := k.TellsAddresses(); err != nil {
		return 0, err
	}
	module, name, ok := strings.Cut(symbol, ":")
	if !ok {
		module, name = "", symbol
	}
	var addrs []uint64
	var modules []string
	var perCPU [2]uint64
	for s := range k.allSymbols() {
		switch {
		case string(s.name) == "__per_cpu_start":
			perCPU[0] = s.addr
		case string(s.name) == "__per_cpu_end":
			perCPU[1] = s.addr
		case string(s.name) == name && (module == "" || string(s.module) == module) && !slices.Contains(addrs, s.addr):
			addrs, modules = append(addrs, s.addr), append(modules, string(s.module))
		}
	}
	switch {
	case len(addrs) == 0:
		return 0, k.noAddress(symbol)
	case len(addrs) > 1:
		return 0, severalAddresses(name, modules)
	case modules[0] == "" && (addrs[0] < 1<<63 || perCPU[0] <= addrs[0] && addrs[0] < perCPU[1]):
		return 0, fmt.Errorf("%s is a variable of each CPU: it has no address of its own", symbol)
	}
	return addrs[0], nil
}

// aVariable is in each kernel that tells of variables. Where CONFIG_KALLSYMS_ALL is
// off, /proc/kallsyms still has some symbols of data: where sections begin and end.
const aVariable = "init_task"

func (k *Kernel) noAddress(symbol string) error {
	variables := false
	names := func(yield func(string) bool) {
		for s := range k.allSymbols() {
			variables = variables || string(s.name) == aVariable
			if !yield(string(s.name)) {
				return
			}
		}
	}
	hint := plylang.DidYouMeanLike(symbol, names)
	if !variables {
		hint = " among its functions, and of its variables it tells nothing" + hint
	}
	return noSymbol(fmt.Sprintf("this kernel has no symbol %q%s", symbol, hint))
}

// A noSymbol is an error about a symbol that this kernel does not have.
type noSymbol string

func (e noSymbol) Error() string      { return string(e) }
func (noSymbol) Is(target error) bool { return target == plylang.ErrMissing }

// severalAddresses says how to choose where that is possible.
func severalAddresses(name string, modules []string) error {
	slices.Sort(modules)
	if distinct := slices.Compact(slices.Clone(modules)); len(distinct) < len(modules) || distinct[0] == "" {
		return fmt.Errorf("there are %d symbols named %q, and nothing tells them apart", len(modules), name)
	}
	return fmt.Errorf("modules %s have a symbol named %q: write %q", strings.Join(modules, ", "), name, modules[0]+":"+name)
}

// A symbolLine is a line of /proc/kallsyms, valid until the next one.
type symbolLine struct {
	addr         uint64
	kind         byte // as nm has it: 't' and 'w' are text
	name, module []byte
}

// allSymbols are the kernel's symbols, variables included, of which Symbols keeps
// none. What cannot be read ends them.
func (k *Kernel) allSymbols() iter.Seq[symbolLine] {
	return func(yield func(symbolLine) bool) {
		file, err := k.files.Open("proc/kallsyms")
		if err != nil {
			return
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			addr, rest, ok := cutHex(lines.Bytes())
			if !ok || len(rest) < 4 {
				continue
			}
			name, module, _ := bytes.Cut(rest[3:], []byte{'\t'})
			if !yield(symbolLine{addr, rest[1], name, bytes.Trim(module, "[]")}) {
				return
			}
		}
	}
}
