package cli

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"ply-exporter/plylang"
)

// neededLater are the capabilities that serving uses after the start: to load and
// attach what a reload brings, to read symbols and configurations, to see what processes
// run, and to have the kernel keep statistics.
var neededLater = []cap.Value{cap.BPF, cap.PERFMON, cap.SYS_ADMIN, cap.SYS_RESOURCE, cap.SYSLOG, cap.DAC_READ_SEARCH, cap.SYS_PTRACE}

// keepAll is the value of --capabilities.keep that drops nothing.
const keepAll = "all"

// A keptCapabilities is the flag --capabilities.keep.
type keptCapabilities struct {
	more []cap.Value
	all  bool
}

func (k *keptCapabilities) String() string { return "" }

// Set reads names, with commas between them.
func (k *keptCapabilities) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		if k.all = k.all || name == keepAll; name == keepAll {
			continue
		}
		v, err := cap.FromName(canonicalCapability(name))
		if err != nil {
			return fmt.Errorf("no capability %q%s", name, plylang.DidYouMean(strings.ToUpper(name), capabilityNames()))
		}
		k.more = append(k.more, v)
	}
	return nil
}

// canonicalCapability is what the library calls SYS_ADMIN or CAP_SYS_ADMIN.
func canonicalCapability(name string) string {
	return "cap_" + strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "cap_")
}

func capabilityNames() (names []string) {
	for v := range cap.MaxBits() {
		names = append(names, strings.ToUpper(strings.TrimPrefix(v.String(), "cap_")))
	}
	return names
}

// drop gives up all other capabilities of the process, for good, and with them that a
// program it executes could have more.
func (k *keptCapabilities) drop() error {
	if k.all {
		return nil
	}
	has, err := cap.GetProc().Dup()
	if err != nil {
		return err
	}
	kept := map[cap.Value]bool{}
	for _, v := range append(k.more, neededLater...) {
		kept[v] = true
	}
	for v := range cap.MaxBits() {
		if kept[v] {
			continue
		}
		_ = cap.DropBound(v) // where CAP_SETPCAP is missing, no_new_privs is enough
		for _, flag := range []cap.Flag{cap.Effective, cap.Permitted, cap.Inheritable} {
			if err := has.SetFlag(flag, false, v); err != nil {
				return err
			}
		}
	}
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return has.SetProc()
}
