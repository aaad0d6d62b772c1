package tracer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Symbols are the names of the kernel's addresses. A program asks the kernel for one
// after the other, as it prints them itself, also those of modules that were loaded
// meanwhile. To read them all takes a tenth of a second and some megabytes.
type Symbols struct {
	mu      sync.Mutex
	program *ebpf.Program
	box     words // the address, then the text
}

// symbolText is room for the longest name that a kernel has, with its module.
const symbolText = 1024

// OpenSymbols loads the program, which Linux 5.14 and later take. It stays loaded.
func OpenSymbols() (*Symbols, error) {
	format, err := symbolFormat()
	if err != nil {
		return nil, fmt.Errorf("format of symbols: %w", err)
	}
	defer format.Close()
	box, err := newPinMap("ply_symbol", 8+symbolText)
	if err != nil {
		return nil, fmt.Errorf("memory for a symbol: %w", err)
	}
	defer box.Close()
	s := &Symbols{}
	if s.box, err = mapWords(box); err != nil {
		return nil, fmt.Errorf("memory for a symbol: %w", err)
	}
	s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:  "ply_symbol",
		Type:  ebpf.Syscall,
		Flags: unix.BPF_F_SLEEPABLE,
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R1, box.FD(), 8),
			asm.Mov.Imm(asm.R2, symbolText),
			asm.LoadMapValue(asm.R3, format.FD(), 0),
			asm.LoadMapValue(asm.R4, box.FD(), 0),
			asm.Mov.Imm(asm.R5, 8),
			asm.FnSnprintf.Call(),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
		License: "GPL",
	})
	if err != nil {
		s.box.close()
		return nil, fmt.Errorf("program that names symbols: %w", err)
	}
	return s, nil
}

// symbolFormat makes the map that has what is to be printed, which must not change.
func symbolFormat() (*ebpf.Map, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "ply_format", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1, Flags: unix.BPF_F_RDONLY_PROG,
	})
	if err != nil {
		return nil, err
	}
	if err = m.Put(uint32(0), []byte("%pS\x00\x00\x00\x00\x00")); err == nil {
		err = m.Freeze()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Lookup finds the symbol an address is in, its module ("" is the kernel itself) and
// the address's distance from where it begins.
func (s *Symbols) Lookup(addr uint64) (name, module string, offset uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.box[0] = addr
	if _, err := s.program.Run(&ebpf.RunOptions{}); err != nil {
		return "", "", 0, false
	}
	text, _, _ := bytes.Cut(s.box[1:].bytes(), []byte{0})
	return parseSymbol(string(text))
}

// parseSymbol takes apart what the kernel prints for an address:
//
//	vfs_read+0x0/0x5a0
//	xfs_file_read_iter+0x12/0x110 [xfs]
//	0xffffffff12345678
func parseSymbol(text string) (name, module string, offset uint64, ok bool) {
	text, module, _ = strings.Cut(text, " [")
	plus := strings.LastIndexByte(text, '+')
	if plus <= 0 {
		return "", "", 0, false
	}
	distance, _, _ := strings.Cut(text[plus+1:], "/")
	offset, err := strconv.ParseUint(distance, 0, 64)
	return text[:plus], strings.TrimSuffix(module, "]"), offset, err == nil
}
