package plylang

import "fmt"

// A Display says how the values of a type become text. Displays are shared and
// not changed once made.
type Display struct {
	Name string // of the decoder, a row in tracer/decode

	// Noun is the label of a key that a function shows in this way; "" is the
	// function's own name.
	Noun string

	// What says in messages what such a value is, with its article.
	What string

	// Hint says in messages what to do instead of comparing the value with a
	// name, which the kernel does not know; "" where there is no name.
	Hint string

	// Arg is what the decoder needs to know of a type, as the format of a
	// record; nil where it needs nothing.
	Arg fmt.Stringer
}

// Hints that several displays give.
const (
	compareNumber = "compare the number, the name is made when it is shown"
	ownProbe      = "give what is wanted a probe of its own, or choose with a glob, as in kprobe:vfs_@(read|write) and kprobe:vfs_!(read)"
)

// The displays of the language, of variables and of the functions that several
// packages know. A built-in may have one of its own.
var (
	// DisplayTime is nanoseconds, scaled: 512ns, 1.02us.
	DisplayTime = &Display{Name: "time"}
	// DisplayWalltime is nanoseconds since 1970.
	DisplayWalltime = &Display{Name: "walltime", What: "a time of day", Hint: compareNumber}
	// DisplayFunc is a traced function: a kernel address, or below 4096 a system call number ("sys_read").
	DisplayFunc = &Display{Name: "func", What: "a function", Hint: ownProbe}
	// DisplayUserFunc is an index into Object.Probes, shown as the function of a program that the probe is at.
	DisplayUserFunc = &Display{Name: "userfunc", Noun: "func", What: "a function", Hint: ownProbe}
	// DisplayProbe is an index into Object.Probes.
	DisplayProbe = &Display{Name: "probe", What: "the name of a probe", Hint: ownProbe}
	// DisplaySymbol is a kernel address.
	DisplaySymbol = &Display{Name: "symbol", Noun: "ksym", What: "a kernel symbol", Hint: compareNumber}
	// DisplayUserSymbol is an address and a process ID, of 8 bytes each.
	DisplayUserSymbol = &Display{Name: "usym", Noun: "usym", What: "a symbol of a process", Hint: "compare the address, the name is made when it is shown"}
	// DisplayStack is the id of a stack.
	DisplayStack = &Display{Name: "stack", What: "a stack", Hint: compareNumber}
	// DisplayUserStack is the id of a stack of a process.
	DisplayUserStack = &Display{Name: "ustack", What: "a stack", Hint: compareNumber}
	// DisplayErrno is an error number of either sign.
	DisplayErrno = &Display{Name: "errno", Noun: "errno", What: "an error number", Hint: "compare the number, as in errno(x) == -2 for ENOENT"}
	// DisplaySignal is the number of a signal.
	DisplaySignal = &Display{Name: "signal", Noun: "signal", What: "a signal", Hint: compareNumber}
	// DisplaySyscall is the number of a system call.
	DisplaySyscall = &Display{Name: "syscall", Noun: "syscall", What: "a system call", Hint: "give the call a probe of its own, as in kprobe:sys_read and kretprobe:sys_read"}
	// DisplayDevice is a dev_t as the kernel has it inside.
	DisplayDevice = &Display{Name: "device", Noun: "dev", What: "a device", Hint: "compare the number, which is major << 20 | minor of what lsblk shows"}
	// DisplayUser is a user ID.
	DisplayUser = &Display{Name: "username", Noun: "username", What: "a user name", Hint: "compare the number, as in uid == 0 for root"}
	// DisplayCgroup is the ID of a cgroup.
	DisplayCgroup = &Display{Name: "cgroup", What: "a cgroup", Hint: `compare the number, or look it up by a pattern of its path: cgroup in "/system.slice/*"`}
	// DisplayInet is 4 or 16 bytes in network byte order.
	DisplayInet = &Display{Name: "ntop", Noun: "ntop", What: "an address", Hint: compareNumber}
	// DisplayMAC is 6 bytes, the hardware address of a network interface.
	DisplayMAC = &Display{Name: "mac", What: "a hardware address", Hint: compareNumber}
	// DisplayInterface is the index of a network interface.
	DisplayInterface = &Display{Name: "ifname", What: "a network interface", Hint: compareNumber}
	// DisplayPCI is a PCI device: its vendor above the lower 16 bits.
	DisplayPCI = &Display{Name: "pci", What: "a PCI device", Hint: compareNumber}
	// DisplayPCIClass is the class of a PCI device, with its subclass.
	DisplayPCIClass = &Display{Name: "pciclass", What: "the class of a PCI device", Hint: compareNumber}
	// DisplayHex is a number in hexadecimal digits, as of a pointer.
	DisplayHex = &Display{Name: "hex", What: "a number in hexadecimal digits"}
)

// displayEnum is the display of values that have names.
func displayEnum(e *Enumeration) *Display {
	return &Display{Name: "enum", Noun: e.Name, What: "a value of " + e.What(), Hint: compareName(e), Arg: e}
}

// compareName says what to compare with where names are constants.
func compareName(e *Enumeration) string {
	for _, name := range e.Names() {
		if isIdentifier(name) {
			return "its names are constants, as in x == " + name
		}
	}
	return compareNumber
}

// DisplayRecord is the display of a record of the given format.
func DisplayRecord(format fmt.Stringer) *Display {
	return &Display{Name: "mem", Arg: format, Hint: compareNumber}
}

// String returns the name, with the argument after a colon; "" for nil.
func (d *Display) String() string {
	switch {
	case d == nil:
		return ""
	case d.Arg == nil:
		return d.Name
	}
	return d.Name + ":" + d.Arg.String()
}

// Equal says whether two displays make the same text of a value.
func (d *Display) Equal(other *Display) bool {
	return d == other || d != nil && other != nil && d.String() == other.String()
}
