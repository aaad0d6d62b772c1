package kernel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"

	"ply-exporter/plylang"
)

// Symbols are the kernel's text symbols, of about 45 bytes each, most of them
// the name's.
type Symbols struct {
	names   []byte   // one behind the other
	offsets []uint32 // in names, ascending; by symbol in the file's order
	order   []uint32 // symbols by address; those of one address in the file's order
	addrs   []uint64 // in the file's order
	owner   []uint16 // in the file's order: index into modules
	modules []string // "" is the kernel itself
	weak    []uint32 // symbols that another definition would have replaced, ascending

	closed func() sections // where no probe is allowed
}

// Symbols returns the kernel's text symbols. The error names what is missing
// when the kernel hides their addresses.
func (k *Kernel) Symbols() (*Symbols, error) {
	symbols, err := k.kept.Load().kallsyms()
	if err != nil {
		return nil, err
	}
	if symbols.hidden() {
		return nil, noSymbols{fmt.Errorf("the kernel hides the addresses of its symbols (kernel.kptr_restrict is %d): "+
			"run with CAP_SYSLOG, or as root with \"sysctl kernel.kptr_restrict=1\"", k.kptrRestrict())}
	}
	return symbols, nil
}

// A noSymbols is why the kernel's symbols cannot be had. Scripts that need none of them run
// without.
type noSymbols struct{ error }

func (e noSymbols) Unwrap() error      { return e.error }
func (noSymbols) Is(target error) bool { return target == plylang.ErrMissing }

// TellsAddresses returns nil if Symbols has an answer, and else its error. It reads
// no more than the first addresses where the kernel tells them.
func (k *Kernel) TellsAddresses() error { return k.kept.Load().tells() }

func (k *Kernel) readTells() error {
	for s := range k.allSymbols() {
		if s.addr != 0 {
			return nil
		}
	}
	_, err := k.Symbols()
	return err
}

func (k *Kernel) readKallsyms() (*Symbols, error) {
	file, err := k.files.Open("proc/kallsyms")
	if err != nil {
		return nil, noSymbols{fmt.Errorf("kernel symbols: %w", err)}
	}
	defer file.Close()
	symbols, err := parseSymbols(file)
	if err != nil {
		return nil, fmt.Errorf("/proc/kallsyms: %w", err)
	}
	return symbols, nil
}

// parseSymbols reads lines such as
//
//	ffffffff81000000 T _stext
//	ffffffffc0201000 t ftrace_trampoline	[__builtin__ftrace]
//
// The capacities are what common kernels need: memory that is never touched
// costs nothing, memory that is outgrown does.
func parseSymbols(r io.Reader) (*Symbols, error) {
	s := &Symbols{
		names:   make([]byte, 0, 4<<20),
		offsets: make([]uint32, 0, 1<<17),
		addrs:   make([]uint64, 0, 1<<17),
		owner:   make([]uint16, 0, 1<<17),
		modules: []string{""},
	}
	s.closed = sync.OnceValue(s.findClosed)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if err := s.add(lines.Bytes()); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(s.addrs) == 0 {
		return nil, errors.New("has no symbols: it may be hidden from this process, as ProtectKernelTunables= of a systemd unit does")
	}
	s.sort()
	return s, nil
}

// ofText says whether a symbol of a type that nm has is text.
func ofText(kind byte) bool { return strings.IndexByte("tTwW", kind) >= 0 }

// add keeps a line's symbol when it is text.
func (s *Symbols) add(line []byte) error {
	addr, rest, ok := cutHex(line)
	if !ok || len(rest) < 4 || rest[0] != ' ' || rest[2] != ' ' {
		return fmt.Errorf("%q is not a symbol", line)
	}
	if !ofText(rest[1]) {
		return nil
	}
	weak := rest[1] == 'w' || rest[1] == 'W'
	name, module, _ := bytes.Cut(rest[3:], []byte{'\t'})
	if len(name) == 0 {
		return nil
	}
	if weak {
		s.weak = append(s.weak, uint32(len(s.addrs)))
	}
	s.offsets = append(s.offsets, uint32(len(s.names)))
	s.names = append(s.names, name...)
	s.addrs = append(s.addrs, addr)
	s.owner = append(s.owner, s.module(bytes.Trim(module, "[]")))
	return nil
}

// module returns a module's index. A module's symbols follow each other, so
// the last one is mostly the one.
func (s *Symbols) module(name []byte) uint16 {
	last := len(s.modules) - 1
	if s.modules[last] == string(name) {
		return uint16(last)
	}
	if i := slices.Index(s.modules, string(name)); i >= 0 {
		return uint16(i)
	}
	s.modules = append(s.modules, string(name))
	return uint16(last + 1)
}

func cutHex(line []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(line) && i < 16; i++ {
		digit := line[i] - '0'
		if line[i] >= 'a' && line[i] <= 'f' {
			digit = line[i] - 'a' + 10
		} else if digit > 9 {
			break
		}
		n = n<<4 | uint64(digit)
	}
	return n, line[i:], i > 0
}

// sort puts the symbols in the order of addresses. Of several at one address
// the first stays the first: that is the one which the kernel itself prints.
func (s *Symbols) sort() {
	s.order = make([]uint32, len(s.addrs))
	for i := range s.order {
		s.order[i] = uint32(i)
	}
	byAddress := func(a, b uint32) int {
		switch x, y := s.addrs[a], s.addrs[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return int(a) - int(b)
	}
	slices.SortFunc(s.order, byAddress)
}

// hidden says whether all addresses are zero: the kernel tells names only.
func (s *Symbols) hidden() bool { return s.addrs[s.order[len(s.order)-1]] == 0 }

// HasModule says whether a module has symbols, and so is loaded.
func (s *Symbols) HasModule(name string) bool {
	return name == "" || slices.Contains(s.modules, name)
}

// Len returns the number of symbols.
func (s *Symbols) Len() int { return len(s.addrs) }

// maxFunction bounds the distance of an address from the symbol it is in, so
// that an address in data is not taken for one in the last function before it.
const maxFunction = 1 << 20

// Lookup finds the function an address is in, its module ("" is the kernel
// itself) and the address's distance from the function's start.
func (s *Symbols) Lookup(addr uint64) (name, module string, offset uint64, ok bool) {
	after := sort.Search(len(s.order), func(i int) bool { return s.addrs[s.order[i]] > addr })
	if after == 0 {
		return "", "", 0, false
	}
	start := s.addrs[s.order[after-1]]
	if addr-start >= maxFunction {
		return "", "", 0, false
	}
	first := sort.Search(after, func(i int) bool { return s.addrs[s.order[i]] >= start })
	symbol := int(s.order[first])
	return s.name(symbol), s.modules[s.owner[symbol]], addr - start, true
}

// Addr returns the address of the first function of a name.
func (s *Symbols) Addr(name string) (addr uint64, ok bool) {
	for symbol := range s.named(name) {
		return s.addrs[symbol], true
	}
	return 0, false
}

// Has says whether there is a function of a name.
func (s *Symbols) Has(name string) bool {
	_, ok := s.Addr(name)
	return ok
}

// at returns the symbols of an address; none where the kernel hides addresses.
func (s *Symbols) at(addr uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		if addr == 0 {
			return
		}
		first := sort.Search(len(s.order), func(i int) bool { return s.addrs[s.order[i]] >= addr })
		for _, symbol := range s.order[first:] {
			if s.addrs[symbol] != addr || !yield(int(symbol)) {
				return
			}
		}
	}
}

// all returns all symbols, in the file's order.
func (s *Symbols) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for symbol := range s.addrs {
			if !yield(symbol) {
				return
			}
		}
	}
}

// plainName is a function's name without what the compiler adds to a copy of it.
func plainName(name string) string {
	if base, suffix, ok := strings.Cut(name, "."); ok && wholeCopy("."+suffix) {
		return base
	}
	return name
}

func (s *Symbols) isWeak(symbol int) bool {
	_, weak := slices.BinarySearch(s.weak, uint32(symbol))
	return weak
}

func (s *Symbols) name(symbol int) string { return string(s.nameBytes(symbol)) }

func (s *Symbols) nameBytes(symbol int) []byte {
	start := int(s.offsets[symbol])
	return s.names[start : start+s.nameLen(symbol)]
}

// named returns the symbols of a name. Comparing lengths first makes a pass over
// all of them take a fraction of a millisecond.
func (s *Symbols) named(name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for symbol := range s.offsets {
			if s.nameLen(symbol) == len(name) && string(s.nameBytes(symbol)) == name && !yield(symbol) {
				return
			}
		}
	}
}

func (s *Symbols) nameLen(symbol int) int {
	end := len(s.names)
	if symbol+1 < len(s.offsets) {
		end = int(s.offsets[symbol+1])
	}
	return end - int(s.offsets[symbol])
}
