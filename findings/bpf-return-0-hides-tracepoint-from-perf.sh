#!/usr/bin/env bash
# A BPF program that is attached to a tracepoint through perf and returns 0 takes
# the event from every other perf event of the machine: perf stat counts 0, without
# an error. Returning 1 leaves it alone. The guess would be that the result has no
# meaning, as that of a raw tracepoint, or that it concerns the program's own perf
# event only, as that of a timer.
#
# Seen with Linux 5.10, 6.1, 6.12, 6.18 and 7.3, linux-perf 6.1.187 of Debian 12 and
# github.com/cilium/ebpf v0.22.0; read in the kernel's trace_call_bpf and
# perf_trace_run_bpf_submit. Needs root, perf and go. Output:
#
#     no program: perf counts 1000
#     program returns 1: perf counts 1000
#     program returns 0: perf counts 0
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init finding 2>/dev/null
go get github.com/cilium/ebpf@v0.22.0 2>/dev/null
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// perf counts calls of getpriority by a child that makes 1000.
func perf() string {
	out, err := exec.Command("perf", "stat", "-x,", "-e", "syscalls:sys_enter_getpriority", "--", os.Args[0], "work").CombinedOutput()
	must(err)
	return strings.Split(strings.TrimSpace(string(out)), ",")[0]
}

func beside(result int32) string {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.TracePoint, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, result), asm.Return()}})
	must(err)
	defer p.Close()
	l, err := link.Tracepoint("syscalls", "sys_enter_getpriority", p, nil)
	must(err)
	defer l.Close()
	return perf()
}

func main() {
	if len(os.Args) > 1 {
		for range 1000 {
			syscall.RawSyscall(syscall.SYS_GETPRIORITY, 0, 0, 0)
		}
		return
	}
	fmt.Println("no program: perf counts", perf())
	fmt.Println("program returns 1: perf counts", beside(1))
	fmt.Println("program returns 0: perf counts", beside(0))
}
GO
go build -o finding . 
./finding | tee output
diff output - <<'WANT'
no program: perf counts 1000
program returns 1: perf counts 1000
program returns 0: perf counts 0
WANT
