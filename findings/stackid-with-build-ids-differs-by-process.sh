#!/usr/bin/env bash
# A stack-trace map with BPF_F_STACK_BUILD_ID holds build IDs and offsets in place of
# addresses, so that one stack is the same bytes in all processes. bpf_get_stackid() gives
# it another number in each process all the same: the number is a hash of the addresses, which address space
# randomization moves. The guess would be that a key by such a number adds up what all
# processes of a program do; it has a value for each process, and the map an element.
#
# Seen with Linux 6.18, gcc 12.2 of Debian 12 and github.com/cilium/ebpf v0.22.0; read in the kernel's
# __bpf_get_stackid, which hashes trace->ip before it looks at the flag. Needs root, gcc and
# go. Output:
#
#     processes 20, stacks by build ID and offset 1, more numbers than stacks: true
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
cat > probed.c <<'C'
__attribute__((noinline)) int probed(int n) { return n + 1; }
__attribute__((noinline)) int caller(int n) { return probed(n) + 1; }
int main(void) { return caller(-2); }
C
gcc -pie -fPIE -O0 -fno-omit-frame-pointer -Wl,--build-id -o probed probed.c
go mod init finding 2>/dev/null
go get github.com/cilium/ebpf@v0.22.0 2>/dev/null
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

const (
	byBuildID = 1 << 5 // BPF_F_STACK_BUILD_ID, of the map
	ofUser    = 1 << 8 // BPF_F_USER_STACK
	frames    = 8
	processes = 20
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func main() {
	stacks, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.StackTrace, KeySize: 4, ValueSize: frames * 32, MaxEntries: 4096, Flags: byBuildID})
	must(err)
	defer stacks.Close()
	counts, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 4096})
	must(err)
	defer counts.Close()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMapPtr(asm.R2, stacks.FD()),
		asm.Mov.Imm(asm.R3, ofUser),
		asm.FnGetStackid.Call(),
		asm.JSLE.Imm(asm.R0, -1, "end"),
		asm.StoreMem(asm.R10, -4, asm.R0, asm.Word),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(asm.R10, -16, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, counts.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -4),
		asm.Mov.Reg(asm.R3, asm.R10),
		asm.Add.Imm(asm.R3, -16),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("end"),
		asm.Return(),
	}})
	must(err)
	defer p.Close()
	file, err := link.OpenExecutable("./probed")
	must(err)
	l, err := file.Uprobe("probed", p, nil)
	must(err)
	defer l.Close()
	for range processes {
		must(exec.Command("./probed").Run())
	}
	var id uint32
	var n uint64
	numbers, same := 0, map[string]bool{}
	for all := counts.Iterate(); all.Next(&id, &n); numbers++ {
		stack, err := stacks.LookupBytes(id)
		must(err)
		same[string(stack)] = true
	}
	fmt.Printf("processes %d, stacks by build ID and offset %d, more numbers than stacks: %t\n", processes, len(same), numbers > len(same))
}
GO
go build -o finding .
./finding | tee output
diff output - <<'WANT'
processes 20, stacks by build ID and offset 1, more numbers than stacks: true
WANT
