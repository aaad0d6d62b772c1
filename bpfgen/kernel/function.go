package kernel

import (
	"bufio"
	"bytes"
	"cmp"
	"hash/maphash"
	"iter"
	"path"
	"slices"
	"strings"
)

// A Function is a function of the kernel that can be probed.
type Function struct {
	Name   string // its symbol, with a compiler's suffix such as .constprop.0
	Module string // "" is the kernel itself
	Addr   uint64 // 0 when the kernel hides addresses
	Shared bool   // other symbols have the name too, so that only the address is exact
}

// Functions returns the functions that match, by address. The pattern may name
// a module before a colon ("xfs:xfs_file_*"). A name without a function of its
// own also finds the copies that the compiler made of it, name.constprop.0 or
// name.isra.0. Several functions may have one name. None is no error.
//
// A name finds any function in which the kernel allows a probe (notrace.go has
// which). A glob finds those the kernel declares traceable, where that list can be
// read (available_filter_functions), because others cannot be attached to in one go.
func (k *Kernel) Functions(pattern string) ([]Function, error) {
	symbols, err := k.kept.Load().kallsyms()
	if err != nil {
		return nil, err
	}
	module, name, ok := strings.Cut(pattern, ":")
	if !ok {
		module, name = "*", pattern
	}
	modules := Compile(module)
	var found []Function
	for symbol := range k.candidates(symbols, name) {
		f := symbols.function(symbol)
		if modules.Match(f.Module) || f.Module == "" && module == "vmlinux" {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Function) int { return cmp.Compare(a.Addr, b.Addr) })
	found = slices.Compact(found)
	symbols.markShared(found)
	return found, nil
}

// markShared marks the functions whose names other symbols have too, also ones
// that were not asked for or cannot be probed.
func (s *Symbols) markShared(found []Function) {
	count := make(map[string]int, len(found))
	lengths := map[int]bool{} // spares hashing most names
	for _, f := range found {
		count[f.Name] = 0
		lengths[len(f.Name)] = true
	}
	for symbol := range s.addrs {
		if !lengths[s.nameLen(symbol)] {
			continue
		}
		name := s.nameBytes(symbol)
		if n, ok := count[string(name)]; ok {
			count[string(name)] = n + 1
		}
	}
	for i, f := range found {
		found[i].Shared = count[f.Name] > 1
	}
}

// candidates returns the symbols a name or a glob stands for.
func (k *Kernel) candidates(symbols *Symbols, name string) iter.Seq[int] {
	if IsGlob(name) {
		return k.matching(symbols, name)
	}
	if symbols.Has(name) {
		return k.probeable(symbols, symbols.named(name))
	}
	return k.probeable(symbols, symbols.copies(name))
}

// probeable drops the functions in which the kernel allows no probe.
func (k *Kernel) probeable(symbols *Symbols, all iter.Seq[int]) iter.Seq[int] {
	return func(yield func(int) bool) {
		closed := symbols.closed()
		for symbol := range all {
			name := symbols.name(symbol)
			if notFunction(name) || k.kept.Load().blacklist()[name] || closed.has(symbols.addrs[symbol]) || k.notrace(symbols, symbol) {
				continue
			}
			if !yield(symbol) {
				return
			}
		}
	}
}

// Probeable returns the names of functions that can be probed, in the file's order.
// A compiler's copy goes by the name of what it was made of, as Functions finds it.
func (k *Kernel) Probeable(symbols *Symbols) iter.Seq[string] {
	return func(yield func(string) bool) {
		for symbol := range k.probeable(symbols, symbols.all()) {
			if !yield(plainName(symbols.name(symbol))) {
				return
			}
		}
	}
}

// closedSections are parts of the text in which no probe is allowed: what runs
// only at boot and is gone, what must not be instrumented, what probes use
// themselves, and the entry from user space. Their ends are symbols.
var closedSections = [][2]string{
	{"_sinittext", "_einittext"},
	{"__inittext_begin", "__inittext_end"},
	{"__noinstr_text_start", "__noinstr_text_end"},
	{"__kprobes_text_start", "__kprobes_text_end"},
	{"__entry_text_start", "__entry_text_end"},
}

// sections are address ranges, each without its end.
type sections [][2]uint64

func (s sections) has(addr uint64) bool {
	for _, section := range s {
		if addr >= section[0] && addr < section[1] {
			return true
		}
	}
	return false
}

func (s *Symbols) findClosed() sections {
	var closed sections
	for _, names := range closedSections {
		start, ok1 := s.Addr(names[0])
		end, ok2 := s.Addr(names[1])
		if ok1 && ok2 {
			closed = append(closed, [2]uint64{start, end})
		}
	}
	return closed
}

// matching returns what a glob may attach to.
func (k *Kernel) matching(symbols *Symbols, glob string) iter.Seq[int] {
	pattern := Compile(glob)
	return k.probeable(symbols, func(yield func(int) bool) {
		traceable := k.kept.Load().traceable()
		for symbol := range symbols.matching(pattern) {
			if traceable.has(symbols.nameBytes(symbol)) && !yield(symbol) {
				return
			}
		}
	})
}

func (s *Symbols) function(symbol int) Function {
	return Function{Name: s.name(symbol), Module: s.modules[s.owner[symbol]], Addr: s.addrs[symbol]}
}

// matching returns the symbols whose name matches.
func (s *Symbols) matching(pattern *Glob) iter.Seq[int] {
	return func(yield func(int) bool) {
		for symbol := range s.addrs {
			if pattern.matchBytes(s.nameBytes(symbol)) && !yield(symbol) {
				return
			}
		}
	}
}

// copies returns the symbols of a function that the compiler cloned: with
// constant arguments, with changed arguments, or renamed by link-time
// optimization. The pieces it cuts off (.cold, .part) are no whole functions.
func (s *Symbols) copies(name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for symbol := range s.offsets {
			suffix, ok := bytes.CutPrefix(s.nameBytes(symbol), []byte(name))
			if ok && name != "" && wholeCopy(string(suffix)) && !yield(symbol) {
				return
			}
		}
	}
}

// CopiesBeside returns the names of the copies that the compiler made of a function that is
// there itself, too, and that can be probed: name.constprop.0. Some callers call these.
func (k *Kernel) CopiesBeside(name string) []string {
	symbols, err := k.kept.Load().kallsyms()
	if err != nil || !symbols.Has(name) {
		return nil
	}
	var copies []string
	for symbol := range k.probeable(symbols, symbols.copies(name)) {
		copies = append(copies, symbols.name(symbol))
	}
	slices.Sort(copies)
	return slices.Compact(copies)
}

// Parts returns the pieces that the compiler has cut off a function, the rest of
// which it may have inlined: name.part.0.
func (s *Symbols) Parts(name string) (parts []string) {
	for symbol := range s.offsets {
		if rest, ok := bytes.CutPrefix(s.nameBytes(symbol), []byte(name+".part.")); ok && !bytes.Contains(rest, []byte(".cold")) {
			parts = append(parts, s.name(symbol))
		}
	}
	return parts
}

func wholeCopy(suffix string) bool {
	for _, piece := range []string{".cold", ".part."} {
		if strings.Contains(suffix, piece) {
			return false
		}
	}
	for _, whole := range []string{".constprop.", ".isra.", ".llvm."} {
		if strings.HasPrefix(suffix, whole) {
			return true
		}
	}
	return false
}

// notFunctions are symbols in the text that are no function, or none that is
// ever called by its name: the padding before functions, checksums of control
// flow, cut off cold paths, and marks of the linker.
var notFunctions = struct{ prefixes, suffixes, infixes []string }{
	prefixes: []string{"__pfx_", "__cfi_", "__kcfi_typeid_", "__ftrace_invalid_address___", "__SCT__", "__SCK__",
		"__x86_indirect_", "__x86_return_", "srso_", "retbleed_", "$", ".L"},
	suffixes: []string{".cold", "_text_start", "_text_end", "_inittext", "_sinittext", "_einittext", "_stext", "_etext"},
	infixes:  []string{".cold."},
}

// notFunction says whether a text symbol is one of those.
func notFunction(name string) bool {
	for _, p := range notFunctions.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	for _, s := range notFunctions.suffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	for _, i := range notFunctions.infixes {
		if strings.Contains(name, i) {
			return true
		}
	}
	return false
}

// readBlacklist reads the functions the kernel refuses to probe:
//
//	0xffffffff81001000-0xffffffff81001010	asm_exc_int3
//
// The file is in debugfs and often not readable: attaching then tells.
func (k *Kernel) readBlacklist() map[string]bool {
	names := map[string]bool{}
	file, err := k.files.Open("sys/kernel/debug/kprobes/blacklist")
	if err != nil {
		return names
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if _, name, ok := strings.Cut(lines.Text(), "\t"); ok {
			names[name] = true
		}
	}
	return names
}

// A nameSet is a set of names that keeps only 8 bytes of each. A nil set has
// all names.
type nameSet struct {
	seed   maphash.Seed
	hashes []uint64 // ascending
}

func (n *nameSet) has(name []byte) bool {
	if n == nil {
		return true
	}
	_, ok := slices.BinarySearch(n.hashes, maphash.Bytes(n.seed, name))
	return ok
}

// Traceable says whether the kernel declares a function traceable, so that a link
// for many functions can attach to it. Where the list cannot be read none is.
func (k *Kernel) Traceable(name string) bool {
	names := k.kept.Load().traceable()
	return names != nil && names.has([]byte(name))
}

// readTraceable reads the functions that ftrace can attach to, nil when the
// list cannot be read: kernels in lockdown refuse it even to root. Lines are
//
//	vfs_read
//	xfs_file_read_iter [xfs]
func (k *Kernel) readTraceable() *nameSet {
	names := &nameSet{seed: maphash.MakeSeed(), hashes: make([]uint64, 0, 1<<16)}
	err := k.eachTraceable(func(name []byte) {
		names.hashes = append(names.hashes, maphash.Bytes(names.seed, name))
	})
	if err != nil || len(names.hashes) == 0 {
		return nil
	}
	slices.Sort(names.hashes)
	return names
}

func (k *Kernel) eachTraceable(each func(name []byte)) error {
	folder, err := k.Tracing()
	if err != nil {
		return err
	}
	file, err := k.files.Open(path.Join(folder, "available_filter_functions"))
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Bytes()
		for i, c := range line {
			if c == ' ' || c == '\t' {
				line = line[:i]
				break
			}
		}
		each(line)
	}
	return lines.Err()
}
