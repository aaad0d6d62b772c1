package examples

import "strings"

// absent are the scripts that a kernel cannot run, by the beginnings of the
// releases of such kernels ("6.12-arm64" is a recorded one). Only they are missing
// there.
var absent = map[string][]string{
	"bpftrace_dcsnoop":      {"6.18"},                                          // without kprobes, as those below
	"bpftrace_loads":        {"6.18", "5.10-amd64", "6.12-arm64", "7.3-amd64"}, // no variables are listed, nor in recordings
	"bpftrace_tcpdrop":      {"6.18", "5.10", "6.12."},                         // tcp_drop is no function of these, but of 6.12 for arm64
	"bpftrace_tcpsynbl":     {"6.18"},
	"bpftrace_undump":       {"6.18"},
	"bpftrace_vfscount":     {"6.18"},
	"bpftrace_vfsstat":      {"6.18"},
	"bpf_jit":               {"6.18"}, // that kernel does not list its variables
	"cgroup_rstat_flushing": {"5.10"}, // older than the tracepoint
}

// unfed are the examples whose events no test can cause.
var unfed = []string{
	"cephfs_dist",   // no cluster
	"directreclaim", // no machine that is short of memory
	"llcstat",       // no machine that counts what its caches do
	"mcevents",      // no broken memory
	"mm",            // no machine that is short of memory
	"xfs_reclaim",   // no file system of that kind
	"xfsdist",       // no file system of that kind
}

func isAbsent(script, release string) bool {
	for _, r := range absent[script] {
		if strings.HasPrefix(release, r) {
			return true
		}
	}
	return false
}
