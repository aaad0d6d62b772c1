#!/usr/bin/env bash
# go build -ldflags='-B gobuildid' writes the GNU build ID, as asked, and readelf -n
# shows it, because it goes through the sections. The program header of notes (PT_NOTE)
# covers only Go's own note before it, and the kernel looks nowhere else: neither
# perf's mappings with build IDs nor bpf_get_stack with BPF_F_USER_BUILD_ID have one for such
# a program, only an address. Linkers of C put both into PT_NOTE. The guess would be that
# a build ID that readelf shows is one that the kernel sees.
#
# Seen with Go 1.26.0 (internal linking), Linux 6.18, Debian's linux-perf 6.1.187 and
# binutils 2.40. Needs root, go, perf and readelf. Output:
#
#     readelf shows a GNU build ID: 1
#     the kernel tells the build ID of the Go program: 0, of true: 1
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
export GOTOOLCHAIN=go1.26.0 CGO_ENABLED=0
unset GOFLAGS
printf 'module finding\ngo 1.24\n' >go.mod
printf 'package main\n\nfunc main() {}\n' >main.go
go build -ldflags='-B gobuildid' -o program . 2>/dev/null
told() { # whether the kernel tells the build ID of what runs
  perf record -q --buildid-mmap -e cpu-clock -o data "$1" >/dev/null 2>&1
  perf script -i data --show-mmap-events 2>/dev/null | grep 'MMAP2.*<[0-9a-f]\{40\}>' | grep -c "/$(basename "$1")\$" || true
}
{
  echo "readelf shows a GNU build ID: $(readelf -n program | grep -c NT_GNU_BUILD_ID)"
  echo "the kernel tells the build ID of the Go program: $(told ./program), of true: $(told "$(command -v true)")"
} | tee output
diff output - <<'WANT'
readelf shows a GNU build ID: 1
the kernel tells the build ID of the Go program: 0, of true: 1
WANT
