// Package guest is what the two halves of the guest-kernel runner agree on.
//
// A guest is a virtual machine under QEMU that boots another kernel, runs a few
// static binaries (test binaries, mostly) as root and ends. Its two halves are
// commands: vmrun, on the host, packs the binaries into an initramfs, boots it
// and reads what the guest prints; guestinit is the guest's whole user space.
// The script run beside this file fetches a kernel, builds both and starts
// them; docs/testing.md shows how to use it.
//
// vmrun writes the commands to run into the initramfs, as JSON. guestinit
// answers on a serial port: the commands' own output, and between it lines that
// begin with one of the marks below.
package guest

// CommandsFile is where guestinit finds its []Command.
const CommandsFile = "/commands.json"

// ModulesDir holds kernel modules, which guestinit loads in alphabetical order.
const ModulesDir = "/modules"

// Marks begin the lines of a guest's output that are not a command's own.
const (
	MarkReady = "@@ready" // @@ready kernel=RELEASE arch=GOARCH cpus=N
	MarkStart = "@@start" // @@start NAME
	MarkFile  = "@@file"  // @@file PATH BASE64
	MarkEnd   = "@@end"   // @@end NAME status=N wall=SECONDS
	MarkExit  = "@@exit"  // @@exit N, the last line; 0 when every command ended with 0
)

// A Command is one program to run in the guest.
type Command struct {
	Name    string   `json:"name"`    // what the marks call it
	Dir     string   `json:"dir"`     // its working directory in the guest
	Argv    []string `json:"argv"`    // the program and its arguments
	Env     []string `json:"env"`     // NAME=VALUE, added to the guest's own
	Seconds int      `json:"seconds"` // time limit, 0 for none
	Fetch   []string `json:"fetch"`   // files to send back when it has ended
}
