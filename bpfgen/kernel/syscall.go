package kernel

import (
	"strconv"
	"sync"
)

//go:generate go run ./internal/sysnum

// A Syscall is a system call of an architecture.
//
// The function that implements it may be named after an older or a wider form
// of the call: fstat(2) is newfstat in symbols and tracepoints. Users may write
// either.
type Syscall struct {
	Number  int
	Name    string // as in unistd.h: "fstat"
	Wrapper string // as in symbols and tracepoints: "newfstat"; mostly the same

	// NoReturn: a call that succeeds does not return to where it was made.
	NoReturn bool

	// Forks: the new child returns from it too, without having entered.
	Forks bool

	// Unnamed: the call has a number that this program has no name for, which
	// then is its name. Some such numbers are calls of newer kernels.
	Unnamed bool
}

// SyscallLimit is above the numbers of all system calls, also of those to come:
// on x86-64 the next ones belong to another instruction set.
const SyscallLimit = 512

// commonWrappers are the functions named unlike their system calls on all
// architectures.
var commonWrappers = map[string]string{
	"stat":     "newstat",
	"fstat":    "newfstat",
	"lstat":    "newlstat",
	"uname":    "newuname",
	"sendfile": "sendfile64",
	"umount2":  "umount",
	"_sysctl":  "sysctl",
}

var (
	noReturn = map[string]bool{"exit": true, "exit_group": true, "rt_sigreturn": true}
	forks    = map[string]bool{"fork": true, "vfork": true, "clone": true, "clone3": true}
)

// Syscall returns the system call with a number; ok is false when there is
// none of that number or it came after this program.
func (a *Arch) Syscall(number int) (call Syscall, ok bool) {
	name, ok := a.SyscallName(number)
	if !ok {
		return Syscall{}, false
	}
	return Syscall{
		Number: number, Name: name, Wrapper: a.wrapper(name),
		NoReturn: noReturn[name], Forks: forks[name],
	}, true
}

// unnamed returns the system call with a number that has no name.
func (a *Arch) unnamed(number int) (call Syscall, ok bool) {
	if _, named := a.SyscallName(number); named || number < 0 || number >= SyscallLimit {
		return Syscall{}, false
	}
	name := strconv.Itoa(number)
	return Syscall{Number: number, Name: name, Wrapper: name, Unnamed: true}, true
}

// UnnamedSyscalls returns the system calls without a name whose number, as text,
// matches a glob.
func (a *Arch) UnnamedSyscalls(glob string) []Syscall {
	var calls []Syscall
	pattern := Compile(glob)
	for number := range SyscallLimit {
		if call, ok := a.unnamed(number); ok && pattern.Match(call.Name) {
			calls = append(calls, call)
		}
	}
	return calls
}

// SyscallName returns the name of the system call with a number.
func (a *Arch) SyscallName(number int) (name string, ok bool) {
	if number < 0 || number >= len(a.syscalls) {
		return "", false
	}
	name = a.syscalls[number]
	return name, name != ""
}

// SyscallNumber returns the number of a system call by its name or that of its
// wrapper.
func (a *Arch) SyscallNumber(name string) (number int, ok bool) {
	index, ok := syscallNumbers.Load(a)
	if !ok {
		index, _ = syscallNumbers.LoadOrStore(a, a.indexSyscalls())
	}
	number, ok = index.(map[string]int)[name]
	return number, ok
}

// syscallNumbers has the numbers by name of each architecture that was asked.
var syscallNumbers sync.Map

func (a *Arch) indexSyscalls() map[string]int {
	numbers := map[string]int{}
	for number, call := range a.syscalls {
		if call == "" {
			continue
		}
		for _, name := range []string{call, a.wrapper(call)} {
			if _, taken := numbers[name]; !taken {
				numbers[name] = number
			}
		}
	}
	return numbers
}

// MatchSyscalls returns the system calls whose name, or that of the wrapper,
// matches a glob, by number.
func (a *Arch) MatchSyscalls(glob string) []Syscall {
	var calls []Syscall
	pattern := Compile(glob)
	for number, name := range a.syscalls {
		if name == "" || !pattern.Match(name) && !pattern.Match(a.wrapper(name)) {
			continue
		}
		call, _ := a.Syscall(number)
		calls = append(calls, call)
	}
	return calls
}

// wrapped returns the number of the call that a wrapper belongs to. A call's own
// name may be another function: on x86-64 __x64_sys_fstat is a leftover of
// 32-bit programs, and fstat(2) is __x64_sys_newfstat.
func (a *Arch) wrapped(wrapper string) (number int, ok bool) {
	for number, call := range a.syscalls {
		if call != "" && a.wrapper(call) == wrapper {
			return number, true
		}
	}
	return 0, false
}

func (a *Arch) wrapper(name string) string {
	if wrapper, ok := a.wrappers[name]; ok {
		return wrapper
	}
	if wrapper, ok := commonWrappers[name]; ok {
		return wrapper
	}
	return name
}

// SyscallFunction returns the kernel's function for a system call; ok is false
// when this kernel is built without it, or its name is not known.
func (k *Kernel) SyscallFunction(call Syscall) (symbol string, ok bool) {
	symbol, ok = k.kept.Load().syscallFns()[call.Number]
	return symbol, ok
}

// findSyscalls finds the functions of all system calls in one pass. Where a
// call has several, that of the newest prefix is the one that is called. A weak
// one only says that this kernel is built without the call.
func (k *Kernel) findSyscalls() map[int]string {
	functions := map[int]string{}
	symbols, err := k.kept.Load().kallsyms()
	if err != nil {
		return functions
	}
	for _, prefix := range k.arch.SyscallPrefixes {
		for symbol := range symbols.matching(&Glob{prefix: prefix, rest: []globNode{{op: globStar}}}) {
			name := symbols.name(symbol)
			number, ok := k.arch.wrapped(name[len(prefix):])
			if ok && functions[number] == "" && !symbols.isWeak(symbol) {
				functions[number] = name
			}
		}
	}
	return functions
}
