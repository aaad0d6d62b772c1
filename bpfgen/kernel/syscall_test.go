package kernel

import (
	"slices"
	"strings"
	"testing"
)

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestSyscalls(t *testing.T) {
	tests := []struct {
		arch    *Arch
		name    string
		number  int
		wrapper string
	}{
		{&archAMD64, "read", 0, "read"},
		{&archAMD64, "stat", 4, "newstat"},
		{&archAMD64, "fstat", 5, "newfstat"},
		{&archAMD64, "lstat", 6, "newlstat"},
		{&archAMD64, "sendfile", 40, "sendfile64"},
		{&archAMD64, "uname", 63, "newuname"},
		{&archAMD64, "umount2", 166, "umount"},
		{&archAMD64, "pread64", 17, "pread64"},
		{&archAMD64, "newfstatat", 262, "newfstatat"},
		{&archAMD64, "openat2", 437, "openat2"},
		{&archARM64, "read", 63, "read"},
		{&archARM64, "personality", 92, "arm64_personality"},
		{&archARM64, "newfstatat", 79, "newfstatat"},
		{&archRISCV64, "riscv_hwprobe", 258, "riscv_hwprobe"},
		{&archRISCV64, "fadvise64", 223, "fadvise64_64"},
	}
	for _, tt := range tests {
		call, ok := tt.arch.Syscall(tt.number)
		if !ok || call.Name != tt.name || call.Wrapper != tt.wrapper || call.Number != tt.number {
			t.Errorf("%s: call %d is %+v, want %s (%s)", tt.arch.Name, tt.number, call, tt.name, tt.wrapper)
		}
		for _, name := range []string{tt.name, tt.wrapper} {
			if number, ok := tt.arch.SyscallNumber(name); number != tt.number || !ok {
				t.Errorf("%s: %s is call %d, want %d", tt.arch.Name, name, number, tt.number)
			}
		}
	}
	for _, number := range []int{-1, 9999, 400, 1 << 30} {
		if name, ok := archAMD64.SyscallName(number); ok {
			t.Errorf("call %d is %s", number, name)
		}
	}
	for _, name := range []string{"", "reed", "arch_specific_syscall"} {
		if number, ok := archARM64.SyscallNumber(name); ok {
			t.Errorf("%q is call %d", name, number)
		}
	}
}

// Each architecture's table has the calls that are newer than golang.org/x/sys,
// and what is below the limit without a name has its number for one.
func TestNewSyscalls(t *testing.T) {
	for _, arch := range arches {
		if number, ok := arch.SyscallNumber("fchroot"); number != 472 || !ok {
			t.Errorf("%s: fchroot is call %d, %v", arch.Name, number, ok)
		}
		named, unnamed := arch.MatchSyscalls("*"), arch.UnnamedSyscalls("*")
		if n := len(named) + len(unnamed); n != SyscallLimit {
			t.Errorf("%s: %d named calls and %d without a name, which is not %d", arch.Name, len(named), len(unnamed), SyscallLimit)
		}
		var names []string
		for _, call := range arch.UnnamedSyscalls("5?[02]") {
			names = append(names, call.Name)
			if call.Number < 500 || !call.Unnamed || call.NoReturn {
				t.Errorf("%s: %+v", arch.Name, call)
			}
		}
		if got := strings.Join(names, " "); got != "500 502 510" {
			t.Errorf("%s: 5?[02] matches %s", arch.Name, got)
		}
	}
}

func TestMatchSyscalls(t *testing.T) {
	tests := []struct{ glob, want string }{
		{"read", "read"},
		{"newfstat", "fstat"},
		{"fstat", "fstat"},
		{"new*stat", "stat fstat lstat"},
		{"@(p|)read*64", "pread64"},
		{"umount*", "umount2"},
		{"nothing", ""},
	}
	for _, tt := range tests {
		var names []string
		for _, call := range archAMD64.MatchSyscalls(tt.glob) {
			names = append(names, call.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s matches %q, want %q", tt.glob, got, tt.want)
		}
	}
	if n := len(archAMD64.MatchSyscalls("*")); n < 350 {
		t.Errorf("amd64 has only %d system calls", n)
	}
}

func TestSyscallTraits(t *testing.T) {
	for _, arch := range arches {
		var noReturn, forks []string
		for _, call := range arch.MatchSyscalls("*") {
			if call.NoReturn {
				noReturn = append(noReturn, call.Name)
			}
			if call.Forks {
				forks = append(forks, call.Name)
			}
		}
		slices.Sort(noReturn)
		if got := strings.Join(noReturn, " "); got != "exit exit_group rt_sigreturn" {
			t.Errorf("%s: %s do not return", arch.Name, got)
		}
		if !slices.Contains(forks, "clone") || !slices.Contains(forks, "clone3") {
			t.Errorf("%s: %v fork", arch.Name, forks)
		}
	}
}

func TestSyscallFunctions(t *testing.T) {
	tests := []struct{ kernel, call, function string }{
		{"5.10-amd64", "read", "__x64_sys_read"},
		{"7.3-amd64", "fstat", "__x64_sys_newfstat"},
		{"6.18-amd64", "getpid", "__x64_sys_getpid"},
		{"6.12-arm64", "read", "__arm64_sys_read"},
		{"6.12-arm64", "personality", "__arm64_sys_arm64_personality"},
		{"6.18-amd64", "afs_syscall", ""}, // never written
		{"7.3-amd64", "fchroot", "__x64_sys_fchroot"},
		{"6.18-amd64", "fchroot", ""},         // not there yet
		{"7.3-amd64", "rseq_slice_yield", ""}, // a weak function says that it is left out
	}
	for _, tt := range tests {
		k := open(t, tt.kernel)
		number, _ := k.Arch().SyscallNumber(tt.call)
		call, _ := k.Arch().Syscall(number)
		function, ok := k.SyscallFunction(call)
		if function != tt.function || ok != (tt.function != "") {
			t.Errorf("%s: %s is %q, want %q", tt.kernel, tt.call, function, tt.function)
		}
	}
}

// Every call has its function in a recent kernel, but those that were never
// written, are gone, or that the kernel is built without: a wrong wrapper's name
// shows here.
func TestWrappersExist(t *testing.T) {
	tests := []struct{ kernel, missing string }{
		{"6.12-arm64", "lookup_dcookie nfsservctl kexec_file_load map_shadow_stack " +
			"setxattrat getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr listns rseq_slice_yield fchroot"},
		{"7.3-amd64", "uselib _sysctl create_module get_kernel_syms query_module nfsservctl getpmsg putpmsg afs_syscall tuxcall " +
			"security lookup_dcookie epoll_ctl_old epoll_wait_old vserver rseq_slice_yield"},
	}
	for _, tt := range tests {
		var missing []string
		k := open(t, tt.kernel)
		for _, call := range k.Arch().MatchSyscalls("*") {
			if _, ok := k.SyscallFunction(call); !ok {
				missing = append(missing, call.Name)
			}
		}
		if got := strings.Join(missing, " "); got != tt.missing {
			t.Errorf("%s lacks %s\nwant %s", tt.kernel, got, tt.missing)
		}
	}
}
