package values

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/guest"
	"ply-exporter/internal/need"
)

// attempts is how often each thing is tried.
const attempts = 25

func TestSecurity(t *testing.T) {
	need.EachKernel(t)
	s := serve(t, load(t, "security.yaml"))
	did := ledger{}
	compare(t, s, func() { trespass(t, did) },
		comparison{ours: ours("ply_security_user_changes_total", "operation", "setreuid"), source: "perf's count of sys_enter_setreuid", theirs: perfTracepoint(t, "syscalls/sys_enter_setreuid"), least: 2 * attempts},
		comparison{ours: ours("ply_security_ptrace_total", "operation", "attach"), source: "what ptrace returns", theirs: did.of("attach"), least: attempts},
		comparison{ours: ours("ply_security_ptrace_total"), source: "perf's count of three calls", theirs: sum(perfTracepoint(t, "syscalls/sys_enter_ptrace"), sum(perfTracepoint(t, "syscalls/sys_enter_process_vm_readv"), perfTracepoint(t, "syscalls/sys_enter_process_vm_writev"))), least: 2 * attempts},
		comparison{ours: ours("ply_security_ptrace_total", "operation", "process_vm_readv"), source: "what process_vm_readv returns", theirs: did.of("process_vm_readv"), least: attempts},
	)
}

// trespass tries what a thread without privileges may not do, and notes how often
// the kernel said so.
func trespass(t *testing.T, did ledger) {
	t.Helper()
	unprivileged(t, func() {
		for range attempts {
			_, _, _ = unix.RawSyscall(unix.SYS_SETREUID, 12345, ^uintptr(0), 0) // fails
			_, _, _ = unix.RawSyscall(unix.SYS_SETREUID, ^uintptr(0), ^uintptr(0), 0)
			const nobody = 1 << 22 // larger than any process ID
			if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_ATTACH, nobody, 0, 0, 0, 0); e == unix.ESRCH {
				did["attach"]++
			}
			var local [1]byte
			if _, err := unix.ProcessVMReadv(nobody, []unix.Iovec{{Base: &local[0], Len: 1}}, []unix.RemoteIovec{{Base: 4096, Len: 1}}, 0); err == unix.ESRCH {
				did["process_vm_readv"]++
			}
		}
	})
}

// unprivileged calls f in a thread that has no capability.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with f
		var none [2]unix.CapUserData
		err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
		if err == nil {
			f()
		}
		ended <- err
	}()
	must(t, <-ended)
}

// Capabilities that nothing else asks for.
func TestSecurityCapabilities(t *testing.T) {
	need.EachKernel(t)
	if need.Older(need.Release(), "6.14") {
		need.Kprobes(t)
	}
	s := serve(t, load(t, "security.yaml"))
	did := ledger{}
	compare(t, s, func() { unprivileged(t, func() { ask(did) }) },
		comparison{ours: ours("ply_security_capabilities_refused_total", "capability", "sys_pacct"), source: "what acct returns", theirs: did.of("acct"), least: attempts},
		comparison{ours: ours("ply_security_capabilities_refused_total", "capability", "sys_chroot"), source: "what chroot returns", theirs: did.of("chroot"), least: attempts},
		comparison{ours: ours("ply_security_capabilities_refused_total", "capability", "setuid"), source: "what setreuid returns", theirs: did.of("setreuid"), least: attempts},
		comparison{ours: ours("ply_security_capabilities_refused_total", "capability", "sys_boot"), source: "what reboot returns", theirs: did.of("reboot"), least: attempts},
	)
}

// ask calls what a thread without capabilities may not do, and that does nothing
// where it may.
func ask(did ledger) {
	for range attempts {
		if _, _, e := unix.RawSyscall(unix.SYS_SETREUID, 12345, ^uintptr(0), 0); e == unix.EPERM {
			did["setreuid"]++
		}
		if unix.Acct("/nonexistent/file") == unix.EPERM {
			did["acct"]++
		}
		if unix.Chroot("/") == unix.EPERM {
			did["chroot"]++
		}
		if unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_ON) == unix.EPERM {
			did["reboot"]++
		}
	}
}

// The guests have modules, and load them again here.
func TestSecurityModules(t *testing.T) {
	need.EachKernel(t)
	need.Guest(t)
	s := serve(t, load(t, "security.yaml"))
	files, err := filepath.Glob(guest.ModulesDir + "/*.ko")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("this guest has no modules: give it one with -load")
	}
	did := ledger{}
	var again []string
	var list []comparison
	for _, file := range files {
		name := moduleOf(file)
		if name != "veth" && name != "dummy" {
			continue // others use it
		}
		again = append(again, file)
		list = append(list, comparison{ours: ours("ply_security_modules_loaded_total", "module", name), source: "init_module", theirs: did.of(name), least: 2})
	}
	compare(t, s, func() {
		for _, file := range again {
			reload(t, file, did)
			reload(t, file, did)
		}
	}, list...)
}

// reload removes a module and loads it again.
func reload(t *testing.T, file string, did ledger) {
	t.Helper()
	name := moduleOf(file)
	if err := unix.DeleteModule(name, 0); err != nil && err != unix.ENOENT { // which another test may have removed
		t.Fatal(err)
	}
	image, err := os.ReadFile(file)
	must(t, err)
	must(t, unix.InitModule(image, ""))
	did[name]++
}

// moduleOf is the module of a file like 01-veth.ko.
func moduleOf(file string) string {
	_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".ko"), "-")
	return name
}
