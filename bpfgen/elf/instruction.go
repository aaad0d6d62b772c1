package elf

import (
	"fmt"
	"sort"
)

// maxFunction bounds what is read of one function.
const maxFunction = 16 << 20

// InstructionAt says whether an instruction begins at an offset in the file.
// The kernel takes any offset; a breakpoint inside an instruction changes it
// instead of stopping there. The error names the nearest beginnings.
//
// On arm64 instructions have four bytes. On the others they are read one after
// the other from the beginning of the function.
func (f *File) InstructionAt(offset uint64) error {
	address, ok := f.AddressOf(offset)
	if !ok || !f.executable(address) {
		return fmt.Errorf("%s has no instructions at offset %#x", f.name, offset)
	}
	if f.machine == ARM64 {
		if offset%4 != 0 {
			return fmt.Errorf("no instruction begins at %#x in %s: on arm64 all have 4 bytes; the nearest are %#x and %#x", offset, f.name, offset&^3, offset&^3+4)
		}
		return nil
	}
	start, name, err := f.functionStart(address)
	if err != nil {
		return err
	}
	if start == address {
		return nil
	}
	if address-start > maxFunction {
		return fmt.Errorf("offset %#x is %d MiB behind the beginning of %s in %s: that much is not read", offset, (address-start)>>20, name, f.name)
	}
	code, err := f.codeAt(start, address-start+maxX86)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return f.begins(name, code, offset, int(address-start))
}

// begins says whether an instruction begins in at bytes after the beginning of
// a function.
func (f *File) begins(name string, code []byte, offset uint64, in int) error {
	for at := 0; at < in; {
		n := f.length(code[at:])
		if n == 0 {
			return fmt.Errorf("cannot tell whether an instruction begins at %s+%d in %s: what is at %s+%d is no known instruction", name, in, f.name, name, at)
		}
		if at+n > in {
			return fmt.Errorf("no instruction begins at %s+%d in %s (offset %#x): the nearest begin at %s+%d and %s+%d",
				name, in, f.name, offset, name, at, name, at+n)
		}
		at += n
	}
	return nil
}

// length is the length of the instruction that code begins with, 0 if there is
// none.
func (f *File) length(code []byte) int {
	switch f.machine {
	case AMD64:
		return decodeX86(code).length
	case RISCV64:
		switch {
		case len(code) < 2:
			return 0
		case code[0]&3 != 3:
			return 2
		case code[0]&0x1f != 0x1f:
			return 4
		}
		return 0 // no processor has longer ones yet
	}
	return 4
}

// functionStart finds the beginning of the function that an address is in, and
// what to call it.
func (f *File) functionStart(address uint64) (uint64, string, error) {
	x, err := f.functions()
	if err != nil {
		return 0, "", err
	}
	if group, ok := x.around(address); ok {
		fn, ok := f.match(x, group, func(string) bool { return true })
		if ok {
			return fn.Address, fn.Name, nil
		}
	}
	if start, ok := f.unwindStart(address); ok {
		offset, _ := f.offset(start)
		return start, fmt.Sprintf("%#x", offset), nil
	}
	offset, _ := f.offset(address)
	return 0, "", fmt.Errorf("cannot tell whether an instruction begins at offset %#x of %s: no function is known there", offset, f.name)
}

// codeAt returns up to size bytes of the instructions at an address.
func (f *File) codeAt(address, size uint64) ([]byte, error) {
	s := f.segmentOf(address)
	if s == nil {
		return nil, errOutside
	}
	in := address - s.address
	return f.view.bytes(s.offset+in, min(size, s.size-in))
}

// unwindStart finds the beginning of a function in the table by which
// exceptions are unwound (.eh_frame_hdr), which stripped programs have, too: how
// it is encoded, how many functions there are, and for each where it begins and
// is described, relative to the table.
func (f *File) unwindStart(address uint64) (uint64, bool) {
	s := f.section(".eh_frame_hdr")
	if s == nil || !f.view.inside(s.offset, s.size) || s.size < 12 {
		return 0, false
	}
	head, err := f.view.bytes(s.offset, 12)
	if err != nil || string(head[:4]) != "\x01\x1b\x03\x3b" {
		return 0, false // no linker writes others
	}
	n := min(uint64(little.Uint32(head[8:])), (s.size-12)/8)
	entry := func(i int) uint64 {
		p, err := f.view.bytes(s.offset+12+8*uint64(i), 4)
		if err != nil {
			return 0
		}
		return s.address + uint64(int64(int32(little.Uint32(p))))
	}
	// The first that begins behind the address.
	i := sort.Search(int(n), func(i int) bool { return entry(i) > address })
	if i == 0 {
		return 0, false
	}
	start := entry(i - 1)
	return start, start <= address && f.executable(start)
}
