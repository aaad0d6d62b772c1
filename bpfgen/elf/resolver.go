package elf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An indirect function (IFUNC) is several functions: when a process starts, the
// dynamic loader calls a resolver, which returns the one that suits the
// processor, and callers are bound to that. The symbol's address is the
// resolver's: a probe there would count how often processes start.
//
// Whoever asks for strlen means all of its implementations, of which a machine
// runs one. A resolver gets their addresses from its own instructions, so these
// are read: each address of an instruction that it computes is one that it may
// return. This needs neither debug symbols nor a process that runs.

// maxResolver bounds what is read of a resolver; glibc's have up to 400 bytes.
const (
	maxResolver        = 4096
	maxResolvers       = 1024
	maxImplementations = 64
)

var errOtherFile = errors.New("is an indirect function that runs in the kernel's vDSO, which is in no file: probe the callers instead")

// implementations returns the addresses that a resolver may return.
func (f *File) implementations(resolver symbol) ([]uint64, error) {
	if resolver.size == 0 {
		return nil, errors.New("is an indirect function whose resolver has no size: its implementations cannot be found")
	}
	code, err := f.codeAt(resolver.address, min(uint64(resolver.size), maxResolver))
	if err != nil {
		return nil, err
	}
	var all []uint64
	inVDSO := false
	f.eachComputed(resolver.address, code, func(address uint64) {
		switch {
		case f.isText(address):
			if in := address - resolver.address; in >= uint64(resolver.size) && len(all) < maxImplementations && !slices.Contains(all, address) {
				all = append(all, address)
			}
		case f.isVDSOName(address):
			inVDSO = true
		}
	})
	switch {
	case inVDSO:
		return nil, errOtherFile
	case len(all) == 0:
		return nil, fmt.Errorf("is an indirect function, and its resolver names none of its implementations")
	}
	return all, nil
}

// isVDSOName says whether an address is that of the name of a function of the
// vDSO, which a resolver looks up.
func (f *File) isVDSOName(address uint64) bool {
	offset, ok := f.offset(address)
	if !ok {
		return false
	}
	name, err := f.view.cstring(offset, offset+64)
	return err == nil && (strings.HasPrefix(name, "__vdso_") || strings.HasPrefix(name, "__kernel_"))
}

// eachComputed calls do with the addresses that instructions compute relative to
// themselves.
func (f *File) eachComputed(address uint64, code []byte, do func(uint64)) {
	switch f.machine {
	case AMD64:
		eachComputedX86(address, code, do)
	case ARM64:
		eachComputedARM(address, code, do)
	case RISCV64:
		f.eachComputedRISCV(address, code, do)
	}
}

// eachComputedX86 looks for lea distance(%rip), register.
func eachComputedX86(address uint64, code []byte, do func(uint64)) {
	for at := 0; at < len(code); {
		ins := decodeX86(code[at:])
		if ins.length == 0 {
			return
		}
		at += ins.length
		if ins.kind == 1 && ins.opcode == 0x8d && ins.relative {
			do(address + uint64(at) + uint64(int64(ins.distance)))
		}
	}
}

// eachComputedARM looks for adrp, which sets a register to a page, followed by
// an add to it. Compilers may put others in between, and use a page twice.
func eachComputedARM(address uint64, code []byte, do func(uint64)) {
	var page [32]uint64
	for at := 0; at+4 <= len(code); at += 4 {
		ins := little.Uint32(code[at:])
		here := address + uint64(at)
		switch {
		case ins&0x9f000000 == 0x90000000: // adrp
			page[ins&31] = here&^0xfff + uint64(signed(ins>>5&0x7ffff<<2|ins>>29&3, 21))<<12
		case ins&0x9f000000 == 0x10000000: // adr
			do(here + uint64(signed(ins>>5&0x7ffff<<2|ins>>29&3, 21)))
		case ins&0xffc00000 == 0x91000000 && page[ins>>5&31] != 0: // add, of 64 bits, without a shift
			do(page[ins>>5&31] + uint64(ins>>10&0xfff))
		}
	}
}

// eachComputedRISCV looks for auipc, which adds to the instruction's address,
// followed by an addi to its register.
func (f *File) eachComputedRISCV(address uint64, code []byte, do func(uint64)) {
	var upper [32]uint64
	for at := 0; at+4 <= len(code); {
		n := f.length(code[at:])
		if n == 0 {
			return
		}
		ins := little.Uint32(code[at:])
		here := address + uint64(at)
		at += n
		switch {
		case n == 2:
		case ins&0x7f == 0x17: // auipc
			upper[ins>>7&31] = here + uint64(int64(int32(ins&^0xfff)))
		case ins&0x707f == 0x13 && upper[ins>>15&31] != 0: // addi
			do(upper[ins>>15&31] + uint64(signed(ins>>20, 12)))
		}
	}
}

// signed extends the sign of a number of so many bits.
func signed(v uint32, bits int) int64 {
	return int64(int32(v<<(32-bits))) >> (32 - bits)
}
