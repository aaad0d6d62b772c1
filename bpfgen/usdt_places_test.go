package bpfgen_test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
)

// A program of some instructions for amd64, which guests can run, too: it counts down
// from 1000, and each time comes by two places of one probe, which compilers would have noted
// differently. It runs into them only where somebody waits, as its semaphore says.
const (
	declaringBase   = 0x400000
	declaringCode   = 0x1000 // offsets in the file
	declaringData   = 0x2000
	declaringRounds = 1000 // rounds
)

// declaring is the program, as a file.
func declaring() []byte {
	little := binary.LittleEndian
	semaphore := little.AppendUint32(nil, declaringBase+declaringData)
	var places []uint64
	code := []byte{0x41, 0xbc} // mov r12d, rounds
	code = little.AppendUint32(code, declaringRounds)
	loop := len(code)
	code = append(code,
		0x44, 0x89, 0xe3, // mov ebx, r12d
		0xb9, 3, 0, 0, 0, // mov ecx, 3
		0xc7, 0x44, 0x24, 0xf8, 99, 0, 0, 0, // mov dword [rsp-8], 99
	)
	for range 2 {
		code = append(append(append(code, 0x66, 0x83, 0x3c, 0x25), semaphore...), 0) // cmp word [semaphore], 0
		code = append(code, 0x74, 1)                                                 // je over the nop
		places = append(places, declaringBase+declaringCode+uint64(len(code)))
		code = append(code, 0x90) // nop
	}
	code = append(code, 0x41, 0xff, 0xcc)                          // dec r12d
	code = append(code, 0x75, byte(loop-len(code)-2))              // jnz loop
	code = append(code, 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05) // exit(0)
	notes := slices.Concat(declaringNote(places[0], "8@%rbx -4@$-7 4@-8(%rsp)"), declaringNote(places[1], "8@%rbx -4@%ecx 4@-8(%rsp)"))
	names := "\x00.note.stapsdt\x00.shstrtab\x00"

	head := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Entry: declaringBase + declaringCode,
		Ehsize: 64, Phoff: 64, Phentsize: 56, Phnum: 2, Shoff: declaringData + 0x800, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	segment := func(flags elf.ProgFlag, at uint64) elf.Prog64 {
		return elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Off: at, Vaddr: declaringBase + at, Filesz: 0x800, Memsz: 0x800, Align: 0x1000}
	}
	file, _ := binary.Append(nil, little, head)
	file, _ = binary.Append(file, little, []elf.Prog64{segment(elf.PF_R|elf.PF_X, declaringCode), segment(elf.PF_R|elf.PF_W, declaringData)})
	file = append(file, make([]byte, declaringData+0x800-len(file))...)
	copy(file[declaringCode:], code)
	at := uint64(len(file) + 3*64)
	file, _ = binary.Append(file, little, []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_NOTE), Off: at, Size: uint64(len(notes))},
		{Name: 15, Type: uint32(elf.SHT_STRTAB), Off: at + uint64(len(notes)), Size: uint64(len(names))},
	})
	return append(append(file, notes...), names...)
}

// declaringNote says where a place is, and its arguments there.
func declaringNote(place uint64, arguments string) []byte {
	little := binary.LittleEndian
	desc := little.AppendUint64(little.AppendUint64(little.AppendUint64(nil, place), 0), declaringBase+declaringData)
	desc = fmt.Appendf(desc, "hand\x00place\x00%s\x00", arguments)
	note := little.AppendUint32(little.AppendUint32(little.AppendUint32(nil, 8), uint32(len(desc))), 3)
	return append(append(append(note, "stapsdt\x00"...), desc...), make([]byte, -len(desc)&3)...)
}

// All places of a probe are counted, with the arguments of each, in processes on all CPUs,
// through perf and by one link.
func TestUSDTAtAllPlaces(t *testing.T) {
	need.OldAndNew(t)
	k := running(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("needs amd64")
	}
	program := filepath.Join(t.TempDir(), "declaring")
	if err := os.WriteFile(program, declaring(), 0o755); err != nil {
		t.Fatal(err)
	}
	const processes = 8
	for _, plain := range []bool{false, true} {
		for script, want := range map[string]string{
			"usdt:P:hand:place / ppid == PID / { @[arg1, arg2] = count(); @sum = sum(arg0); }":                                  "@[-7, 99] 8000\n@[3, 99] 8000\n@sum 8008000",
			"usdt:P:place / ppid == PID / { @ = count(); }":                                                                     "@ 16000",
			"usdt:P:place / ppid == PID / { @ = count(); } usdt:P:hand:* / ppid == PID && arg1 == -7 / { @first = sum(arg2); }": "@ 16000\n@first 792000",
		} {
			got := trace(t, k, strings.ReplaceAll(script, "P:", program+":"), bpfgen.Options{PlainAttach: plain}, func() {
				var all sync.WaitGroup
				for range processes {
					all.Go(func() {
						if err := exec.Command(program).Run(); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
			})
			if got != want {
				t.Errorf("plain=%t %s\ngot\n%s\nwant\n%s", plain, script, got, want)
			}
		}
	}
}
