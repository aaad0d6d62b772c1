package probe

import (
	"encoding/binary"
	"strings"
)

// Functions in Go begin with a look whether the stack has room for them. If not, and
// where another goroutine should have its turn, they call the runtime, and then begin
// again: a probe at their first instruction counts them twice. So it is behind the
// look, where all registers still are as the caller left them. What has no such look,
// or one that is not known, has its probe where it begins.

// conventionOf tells by the name of a function how it is called. In a Go program those
// of C have no package; "" is a name that is not known.
func (f *userFile) conventionOf(name string) convention {
	base, _, _ := strings.Cut(name, "[")
	switch {
	case !f.elf.IsGo():
		return cConvention
	case name == "":
		return goConvention
	case strings.HasSuffix(name, ".abi0"):
		return goAssembly
	case !strings.Contains(base, ".") || wholeCopyOfC(base):
		return cConvention
	case strings.Contains(name, "["):
		return goGeneric
	}
	return goConvention
}

// wholeCopyOfC says whether a name is that of a function of C of which the compiler
// has made another one, as name.constprop.0.
func wholeCopyOfC(name string) bool {
	for _, suffix := range []string{".constprop.", ".isra.", ".part.", ".cold"} {
		if i := strings.Index(name, suffix); i > 0 && !strings.Contains(name[:i], ".") {
			return true
		}
	}
	return false
}

// longestCheck is how many bytes the look at the stack takes at most.
const longestCheck = 40

// stackChecks are how the look at the stack is read, by architecture; it returns its
// length, 0 where there is none.
var stackChecks = map[string]func(code []byte) int{"amd64": stackCheckAMD64, "arm64": stackCheckARM64, "riscv64": stackCheckRISCV64}

// stackCheckAMD64 reads
//
//	[mov r12, rsp; sub r12, imm32; jb …  |  lea r12, [rsp - n]]
//	cmp rsp or r12, [r14 + 16]
//	jbe …
func stackCheckAMD64(code []byte) int {
	at := 0
	next := func(bytes string, more int) bool {
		if !strings.HasPrefix(string(code[at:]), bytes) || len(code) < at+len(bytes)+more {
			return false
		}
		at += len(bytes) + more
		return true
	}
	switch {
	case next("\x49\x3b\x66\x10", 0): // cmp rsp, [r14 + 16]
	case next("\x4c\x8d\x64\x24", 1) || next("\x4c\x8d\xa4\x24", 4): // lea r12, [rsp + n]
		if !next("\x4d\x3b\x66\x10", 0) {
			return 0
		}
	case next("\x49\x89\xe4\x49\x81\xec", 4): // mov r12, rsp; sub r12, n
		if !(next("\x72", 1) || next("\x0f\x82", 4)) || !next("\x4d\x3b\x66\x10", 0) {
			return 0
		}
	default:
		return 0
	}
	if next("\x76", 1) || next("\x0f\x86", 4) { // jbe
		return at
	}
	return 0
}

// stackCheckARM64 reads
//
//	ldr x16, [x28, #16]
//	[sub x17, sp, #n [, lsl #12]  |  subs x17, sp, #n …; b.lo …  |  mov x27, #n; [movk x27, …;] subs x17, sp, x27; b.lo …]
//	cmp sp or x17, x16
//	b.ls …
func stackCheckARM64(code []byte) int {
	at := 0
	next := func(mask, bits uint32) bool {
		if len(code) < at+4 || binary.LittleEndian.Uint32(code[at:])&mask != bits {
			return false
		}
		at += 4
		return true
	}
	const all = ^uint32(0)
	if !next(all, 0xf9400b90) {
		return 0
	}
	const immediate, wide, condition = 0xff8003ff, 0xff80001f, 0xff00001f
	difference := func() bool { // in x17, where it cannot be below 0
		if next(immediate, 0xd10003f1) { // sub x17, sp, #n
			return true
		}
		if next(wide, 0xd280001b) || next(immediate, 0xb20003fb) { // mov x27, #n
			_ = next(wide, 0xf280001b)                                  // movk x27, #n
			return next(all, 0xeb3b63f1) && next(condition, 0x54000003) // subs x17, sp, x27; b.lo
		}
		return next(immediate, 0xf10003f1) && next(condition, 0x54000003) // subs x17, sp, #n; b.lo
	}
	switch {
	case next(all, 0xeb3063ff): // cmp sp, x16
	case difference() && next(all, 0xeb10023f): // cmp x17, x16
	default:
		return 0
	}
	if next(0xff00001f, 0x54000009) { // b.ls
		return at
	}
	return 0
}

// stackCheckRISCV64 reads
//
//	ld x6, 16(x27)
//	[what makes x7 of sp]
//	bltu x6, sp or x7, body
//
// The body is behind the call of the runtime.
func stackCheckRISCV64(code []byte) int {
	if len(code) < 4 || binary.LittleEndian.Uint32(code) != 0x010db303 {
		return 0
	}
	for at := 4; at+4 <= len(code); {
		if code[at]&3 != 3 { // of two bytes
			at += 2
			continue
		}
		const immediate = 0xfe000f80
		ins := binary.LittleEndian.Uint32(code[at:])
		if branch := ins &^ immediate; branch == 0x00236063 || branch == 0x00736063 { // bltu x6, sp; bltu x6, x7
			ahead := ins>>7&0x1e | ins>>20&0x7e0 | ins<<4&0x800 // those of a branch forward
			return at + int(ahead)
		}
		at += 4
	}
	return 0
}

// behindStackCheck returns the offset in the file of where a function of Go at an
// offset really begins.
func (f *userFile) behindStackCheck(offset uint64) (uint64, error) {
	check := stackChecks[f.elf.Machine().String()]
	if check == nil {
		return offset, nil
	}
	code, err := f.read(offset, longestCheck)
	return offset + uint64(check(code)), err
}
