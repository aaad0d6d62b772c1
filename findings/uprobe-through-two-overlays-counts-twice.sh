#!/usr/bin/env bash
# Two containers of one image show one program as two files, on two devices. A uprobe that
# is attached to both counts each call twice, whichever of them is run: the kernel knows
# uprobes by the inode below the overlays, which is the same. The guess would be that
# what stat(2) tells apart are two places, as it is with files of two real file systems; so a
# tool that goes through /proc/*/root, and leaves out what has the device and inode of
# another one, counts wrong. Attached through one mount it counts the calls in both.
#
# Seen with Linux 6.18 and github.com/cilium/ebpf v0.22.0; read in the kernel's
# trace_uprobe_enable, which takes d_real_inode of the path. Needs root, overlayfs and go. Output:
#
#     the device is the same: false
#     attached to one: 3 calls in the first counted 3 times, 3 calls in the second 3 times
#     attached to both: 3 calls in the first counted 6 times, 3 calls in the second 6 times
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); cd "$dir"
trap 'umount "$dir/one" "$dir/two" 2>/dev/null || true; cd /; rm -rf "$dir"' EXIT
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init finding 2>/dev/null
go get github.com/cilium/ebpf@v0.22.0 2>/dev/null
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

//go:noinline
func probed(n int) int { return n + 1 }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func device(path string) uint64 {
	var s syscall.Stat_t
	must(syscall.Stat(path, &s))
	return uint64(s.Dev)
}

// counted attaches to the programs and says how often a run of each was counted.
func counted(attach []string, run ...string) (all []uint64) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	must(err)
	defer m.Close()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{
		asm.StoreImm(asm.R10, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "end"),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("end"),
		asm.Return(),
	}})
	must(err)
	defer p.Close()
	for _, path := range attach {
		file, err := link.OpenExecutable(path)
		must(err)
		l, err := file.Uprobe("main.probed", p, nil)
		must(err)
		defer l.Close()
	}
	var before uint64
	for _, path := range run {
		must(exec.Command(path, "work").Run())
		var n uint64
		must(m.Lookup(uint32(0), &n))
		all, before = append(all, n-before), n
	}
	return all
}

func main() {
	if len(os.Args) == 2 { // work
		n := 0
		for range 3 {
			n = probed(n)
		}
		os.Exit(n - 3)
	}
	one, two := os.Args[1], os.Args[2]
	fmt.Println("the device is the same:", device(one) == device(two))
	n := counted([]string{one}, one, two)
	fmt.Printf("attached to one: 3 calls in the first counted %d times, 3 calls in the second %d times\n", n[0], n[1])
	n = counted([]string{one, two}, one, two)
	fmt.Printf("attached to both: 3 calls in the first counted %d times, 3 calls in the second %d times\n", n[0], n[1])
}
GO
mkdir image one two empty
go build -o image/finding .
mount -t overlay overlay -o "lowerdir=$dir/image:$dir/empty" one
mount -t overlay overlay -o "lowerdir=$dir/image:$dir/empty" two
image/finding one/finding two/finding | tee output
diff output - <<'WANT'
the device is the same: false
attached to one: 3 calls in the first counted 3 times, 3 calls in the second 3 times
attached to both: 3 calls in the first counted 6 times, 3 calls in the second 6 times
WANT
