package tracer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// A diagnosis is an error in the user's words. The error behind it stays
// reachable for errors.Is.
type diagnosis struct {
	text string
	err  error
}

func (d *diagnosis) Error() string { return d.text }

func (d *diagnosis) Unwrap() error { return d.err }

// Diagnose says what this process lacks when err is a refusal for want of
// privileges, of memory it may lock or of tracefs, and what to do. Other
// errors it returns as they are.
func Diagnose(err error) error {
	var known *diagnosis
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, c := range complaints {
		if text := c(err); text != "" {
			return &diagnosis{text, err}
		}
	}
	return err
}

// complaints are tried in this order.
var complaints = []func(error) string{
	missingProc,
	missingCapability,
	forbiddenCall,
	lockedMemory,
	paranoidPerf,
	missingTracefs,
	lockdown,
	tooManyFiles,
}

// missingProc is about what others cannot do without: to find out what this
// process may do, and the library to make a map.
func missingProc(err error) string {
	if _, statErr := os.Stat("/proc/self"); !errors.Is(statErr, os.ErrNotExist) || !strings.Contains(err.Error(), "/proc/") {
		return ""
	}
	return "/proc is not mounted: run \"mount -t proc proc /proc\""
}

func lacksPermission(err error) bool { return is(err, unix.EPERM) || is(err, unix.EACCES) }

// is says whether err came from a system call that returned errno. Of some the
// library keeps only the text.
func is(err error, errno syscall.Errno) bool {
	return errors.Is(err, errno) || strings.HasSuffix(err.Error(), ": "+errno.Error())
}

// missingCapability compares what the process may do with what it needs.
func missingCapability(err error) string {
	if !lacksPermission(err) {
		return ""
	}
	caps := effectiveCapabilities()
	if caps.has(unix.CAP_SYS_ADMIN) {
		return ""
	}
	var missing []string
	for _, c := range needed {
		if !caps.has(c.bit) {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "no permission to use BPF: run as root, or grant " + strings.Join(missing, " and ")
}

// needed are the capabilities that tracing needs, from kernel 5.8 on.
var needed = []struct {
	bit  int
	name string
}{
	{unix.CAP_BPF, "CAP_BPF"},
	{unix.CAP_PERFMON, "CAP_PERFMON"},
}

// capabilities is the effective set, as /proc/self/status shows it.
type capabilities uint64

func (c capabilities) has(bit int) bool { return c&(1<<bit) != 0 }

func effectiveCapabilities() capabilities {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return parseCapabilities(string(status))
}

func parseCapabilities(status string) capabilities {
	for line := range strings.Lines(status) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return capabilities(n)
		}
	}
	return 0
}

// lockedMemory is about kernels before 5.11, which charge maps to the
// process's locked memory.
func lockedMemory(err error) string {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOMEM) || !strings.Contains(err.Error(), "MEMLOCK") {
		return ""
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) != nil || limit.Cur == unix.RLIM_INFINITY || !chargesMemlock() {
		return ""
	}
	return fmt.Sprintf("this kernel counts maps as locked memory, of which %d KiB are allowed: grant CAP_SYS_RESOURCE, or raise the limit (ulimit -l unlimited, LimitMEMLOCK=infinity)", limit.Cur/1024)
}

// chargesMemlock says whether the kernel is older than 5.11.
func chargesMemlock() bool {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return false
	}
	fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return major < 5 || major == 5 && minor < 11
}

// paranoidPerf is about the sysctl that keeps perf events for CAP_SYS_ADMIN.
func paranoidPerf(err error) string {
	if !is(err, unix.EACCES) || effectiveCapabilities().has(unix.CAP_SYS_ADMIN) {
		return ""
	}
	raw, rerr := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	level, perr := strconv.Atoi(strings.TrimSpace(string(raw)))
	if rerr != nil || perr != nil || level <= 2 {
		return ""
	}
	return fmt.Sprintf("the sysctl kernel.perf_event_paranoid is %d and refuses perf events: set it to 2, or grant CAP_SYS_ADMIN", level)
}

// tracefs are the places where it may be mounted.
var tracefs = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

func missingTracefs(err error) string {
	if !errors.Is(err, os.ErrNotExist) && !lacksPermission(err) || !strings.Contains(err.Error(), "trac") {
		return ""
	}
	for _, dir := range tracefs {
		if _, err := os.Stat(dir + "/events"); err == nil {
			return ""
		} else if errors.Is(err, os.ErrPermission) {
			return "no permission to read " + tracefs[0] + ": run as root"
		}
	}
	return "tracefs is not mounted: mount -t tracefs tracefs " + tracefs[0]
}

// lockdown is about kernels that refuse to be read, whatever the privileges.
func lockdown(err error) string {
	raw, rerr := os.ReadFile("/sys/kernel/security/lockdown")
	if !errors.Is(err, unix.EPERM) || rerr != nil || !strings.Contains(string(raw), "[confidentiality]") {
		return ""
	}
	return lockedDown
}

const lockedDown = "the kernel is locked down for confidentiality, which forbids to read its memory: boot with lockdown=integrity or without"

// noReading matches what the verifier says of a helper that reads the kernel's
// memory when the kernel is locked down: that there is none.
var noReading = regexp.MustCompile(`(cannot use helper|unknown func) bpf_probe_read`)

// lockedReading is about a program that a kernel refuses which is locked down.
// The file that tells the level is often not mounted.
func lockedReading(log []string) string {
	if noReading.MatchString(strings.Join(log, " ")) {
		return lockedDown
	}
	return ""
}

func tooManyFiles(err error) string {
	if !lacksFiles(err) {
		return ""
	}
	return "too many open files: raise the limit (ulimit -n, LimitNOFILE=) or match fewer probes"
}

func lacksFiles(err error) bool { return is(err, unix.EMFILE) || is(err, unix.ENFILE) }

// freeFiles is how many more files this process may open, as far as its own limit goes.
func freeFiles() int {
	var limit unix.Rlimit
	folder, err := os.Open("/proc/self/fd")
	if err != nil || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	defer folder.Close()
	open, err := folder.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32)) - len(open)
}

// roomForFiles returns EMFILE unless n more files can be opened, and a few more
// for what the library tries: when it runs out of them while it looks for what
// the kernel has, it takes this for an answer and keeps it.
func roomForFiles(n int) error {
	const few = 8
	files := make([]int, 0, n+few)
	defer func() {
		for _, fd := range files {
			_ = unix.Close(fd)
		}
	}()
	for range n + few {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC) // needs no file system
		if err != nil {
			return err
		}
		files = append(files, fd)
	}
	return nil
}

// refusal says whether an error is about the site, so that other sites may
// still take the program.
func refusal(err error) bool {
	for _, general := range []syscall.Errno{unix.EPERM, unix.EACCES, unix.ENOMEM, unix.EMFILE, unix.ENFILE} {
		if is(err, general) {
			return false
		}
	}
	return true
}

// forbidden says whether an error may be about one site alone, which the kernel
// gives to nobody, or about our rights: then all sites have it.
func forbidden(err error) bool { return is(err, unix.EPERM) || is(err, unix.EACCES) }

// explainSite says why a program could not be attached to a site.
func explainSite(kind object.AttachKind, at object.Site, err error) error {
	name := siteName(kind, at)
	var known *diagnosis
	if d := Diagnose(err); errors.As(d, &known) {
		return fmt.Errorf("%s: %w", name, d)
	}
	return &diagnosis{name + ": " + siteReason(at, err), err}
}

// siteName names a site and how a program is attached there.
func siteName(kind object.AttachKind, at object.Site) string { return fmt.Sprintf("%s %s", kind, at) }

func siteReason(at object.Site, err error) string {
	text := err.Error()
	event, isEvent := at.(object.PerfEvent)
	f, isFunction := at.(object.Function)
	user, isUser := at.(object.UserFunction)
	switch {
	case isUser && errors.Is(err, os.ErrNotExist):
		return user.Path + " is not there any more"
	case isUser && lacksPermission(err) && !effectiveCapabilities().has(unix.CAP_SYS_ADMIN):
		return "a uprobe through a perf event needs CAP_SYS_ADMIN; from kernel 6.6 on the exporter needs no perf event for it, unless --attach=plain asks for one"
	case isEvent && event.Access != 0 && errors.Is(err, unix.ENOSPC):
		return "the processor watches as many addresses already as it can, on x86 four"
	case isEvent && event.Access != 0 && errors.Is(err, unix.EINVAL):
		return "the kernel does not let this memory be watched"
	case isEvent && (event.Type == unix.PERF_TYPE_HARDWARE || event.Type == unix.PERF_TYPE_HW_CACHE) && (lacking(err) || errors.Is(err, unix.EINVAL)):
		return "this machine has no such hardware counter: count with a software event or with profile:99hz"
	case errors.Is(err, unix.EILSEQ) || errors.Is(err, unix.EINVAL) && isFunction && (f.Offset != 0 || f.Symbol == ""):
		return noInstruction
	case errors.Is(err, os.ErrNotExist):
		return "this kernel does not have it, or does not let it be probed"
	case strings.Contains(text, unix.E2BIG.Error()):
		return "64 programs are attached to it already, on this host; the kernel takes no more"
	case errors.Is(err, unix.EEXIST):
		return "this program is attached to it already"
	case errors.Is(err, unix.EBUSY):
		return "another tool holds it"
	case errors.Is(err, ebpf.ErrNotSupported):
		return "this kernel cannot be attached to in this way"
	case errors.Is(err, unix.EINVAL):
		return "the kernel does not let it be probed"
	}
	return "the kernel refuses it: " + text
}

// noInstruction is about a site between two instructions, or inside what
// ftrace patches. Some architectures have EINVAL for both.
const noInstruction = "no instruction that can be probed begins there: every build of the kernel has its own offsets, " +
	"which \"objdump -d\" of its vmlinux shows; probe the function without an offset, or correct it"

// lacking says whether err means that this kernel does not have a site.
func lacking(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, ebpf.ErrNotSupported)
}
