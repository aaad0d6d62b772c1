#!/usr/bin/env bash
# A seccomp profile that lists riscv64 among its architectures does not start anywhere
# with runc 1.1: the whole container is refused, on a PC, too. A profile for several
# architectures leaves the list out; runc then filters the one that it runs on.
#
# Seen with runc 1.1.5+ds1-1+deb12u1 (Debian 12). Needs root, runc and busybox-static.
# Output:
#
#     with the list: string SCMP_ARCH_RISCV64 is not a valid arch for seccomp
#     without: Seccomp: 2
#
# Ends with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
mkdir -p root/bin root/proc; cp /bin/busybox root/bin/
run() {
  cat > config.json <<JSON
{"ociVersion": "1.0.2", "root": {"path": "root"}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "process": {"args": ["/bin/busybox", "grep", "^Seccomp:", "/proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true},
 "linux": {"namespaces": [{"type": "mount"}], "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", $1
   "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}}}
JSON
  runc --root "$dir/state" run "finding-$$" 2>&1 | grep -oE 'string .*seccomp|Seccomp:.*' | tr -s '\t' ' ' || true
}
{
  echo "with the list: $(run '"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_RISCV64"],')"
  echo "without: $(run '')"
} | tee output
diff output - <<'WANT'
with the list: string SCMP_ARCH_RISCV64 is not a valid arch for seccomp
without: Seccomp: 2
WANT
