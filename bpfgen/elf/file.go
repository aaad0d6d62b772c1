// Package elf reads programs and libraries: which functions they have, where
// these begin in the file, and the probes that programs declare themselves
// (USDT). It makes no system call but to read files, and knows nothing of
// scripts and of eBPF.
//
// Files are read where they are asked about, in blocks of which some are kept,
// so that a program of gigabytes needs no more memory than its symbols. Nothing
// in a file is trusted: sizes, offsets and counts are checked before use, and
// what cannot be right is an error that says so.
//
// Three kinds of numbers must not be mixed up. An address is where the file
// says that something lies; the kernel moves position-independent programs, so
// no process need have it there. An offset counts bytes from the beginning of
// the file; uprobes are attached by it. A symbol's value is an address.
package elf

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Machine is what a program runs on.
type Machine uint16

// The machines whose programs are read.
const (
	AMD64   = Machine(elf.EM_X86_64)
	ARM64   = Machine(elf.EM_AARCH64)
	RISCV64 = Machine(elf.EM_RISCV)
)

// String is the name that Go gives to the machine (GOARCH).
func (m Machine) String() string {
	switch m {
	case AMD64:
		return "amd64"
	case ARM64:
		return "arm64"
	case RISCV64:
		return "riscv64"
	}
	if s := elf.Machine(m).String(); !strings.Contains(s, "+") {
		return s
	}
	return strconv.Itoa(int(m)) // one that nobody has named
}

// File is a program or library. It is not safe for concurrent use.
type File struct {
	name     string
	closer   io.Closer
	view     *view
	machine  Machine
	kind     elf.Type
	entry    uint64
	segments []segment // PT_LOAD, by address
	notes    []extent  // PT_NOTE
	interp   extent    // PT_INTERP
	sections []section

	debug   *File  // the file with its symbols, if it is another
	inside  bool   // the program itself has it, with no more than symbols
	noDebug string // why there is none
	opened  bool   // debug was looked for
	index   *index // made when first asked for

	dwarf    *types
	dwarfErr error
}

// Open opens a program or a library. The error says what is wrong with it.
func Open(name string) (*File, error) {
	// A pipe would otherwise wait for somebody who writes.
	r, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f, err := open(name, r)
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	f.closer = r
	return f, nil
}

func open(name string, r *os.File) (*File, error) {
	info, err := r.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, noProgram("%s is a directory, not a program or library", name)
	case !info.Mode().IsRegular():
		return nil, noProgram("%s is not a regular file (%s)", name, info.Mode().Type())
	}
	return read(name, r, uint64(info.Size()))
}

// read reads the headers of a file of this size.
func read(name string, r io.ReaderAt, size uint64) (*File, error) {
	f := &File{name: name, view: &view{r: r, size: size}}
	if err := f.readHeaders(); err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return f, nil
}

// Close closes the file and the file with its debug symbols.
func (f *File) Close() error {
	if f.debug != nil {
		_ = f.debug.Close()
	}
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Name is the path by which the file was opened.
func (f *File) Name() string { return f.name }

// Machine is the machine that the program is for.
func (f *File) Machine() Machine { return f.machine }

// Interpreter is the path of the dynamic loader that a program asks for; none
// for libraries and static programs.
func (f *File) Interpreter() string {
	s, err := f.view.cstring(f.interp.offset, f.interp.offset+f.interp.size)
	if err != nil {
		return ""
	}
	return s
}

var little = binary.LittleEndian
