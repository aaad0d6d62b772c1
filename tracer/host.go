package tracer

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
)

// A HostProgram is a BPF program of the machine, of whomever.
type HostProgram struct {
	ID     uint32
	Name   string // may be empty
	Type   string // as the kernel spells it: "sched_cls"
	Ours   bool   // this process holds it
	Memory uint64 // of the program without its maps, in bytes
	Cost          // while there were statistics, since it was loaded
	Missed uint64 // runs left out because a program ran on that CPU
}

// A Host reads all BPF programs of the machine. Its zero value is ready. The kernel
// shows them to who has CAP_SYS_ADMIN.
type Host struct {
	known map[ebpf.ProgramID]HostProgram // what does not change
	own   map[ebpf.ProgramID]bool
	last  ebpf.ProgramID // the latest, 0 as long as none was loaded since the first reading
}

// Read returns the programs that are loaded now, ordered by ID. unseen is how many more
// than before were loaded between readings and are gone. The kernel gives each program the
// next ID, so they are known when a later one is there.
func (h *Host) Read() (programs []HostProgram, unseen int, err error) {
	fresh, first := 0, h.known == nil
	seen, last := map[ebpf.ProgramID]HostProgram{}, h.last
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil {
			return nil, 0, refusedPrograms(err)
		}
		p, ok, err := h.read(id)
		switch {
		case errors.Is(err, os.ErrNotExist): // it has just been unloaded
			continue
		case err != nil:
			return nil, 0, refusedPrograms(err)
		case !ok:
			fresh++
		}
		seen[id], last = p, max(last, id)
		programs = append(programs, p)
	}
	h.known = seen
	if fresh > 0 {
		h.own = ownPrograms()
	}
	if fresh > 0 && !first {
		if h.last > 0 {
			unseen = max(0, int(last-h.last)-fresh)
		}
		h.last = last
	}
	for i := range programs {
		programs[i].Ours = h.own[ebpf.ProgramID(programs[i].ID)]
	}
	return programs, unseen, nil
}

// read reads one program, and says whether it was known.
func (h *Host) read(id ebpf.ProgramID) (p HostProgram, known bool, err error) {
	kernel, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return p, false, err
	}
	defer kernel.Close()
	if p, known = h.known[id]; !known {
		info, err := kernel.Info()
		if err != nil {
			return p, false, err
		}
		p = HostProgram{ID: uint32(id), Name: info.Name, Type: hostType(info.Type)}
		p.Memory, _ = info.Memlock()
	}
	stats, err := kernel.Stats()
	if err != nil {
		return p, false, err
	}
	p.Cost, p.Missed = Cost{stats.RunCount, stats.Runtime}, stats.RecursionMisses
	return p, known, nil
}

// refusedPrograms says what is missing.
func refusedPrograms(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: it takes CAP_SYS_ADMIN", err)
	}
	return Diagnose(err)
}

// ownPrograms are the programs that this process holds, or that are attached by links
// which it holds.
func ownPrograms() map[ebpf.ProgramID]bool {
	own := map[ebpf.ProgramID]bool{}
	files, _ := os.ReadDir("/proc/self/fdinfo")
	for _, f := range files {
		if id, ok := programOf("/proc/self/fdinfo/" + f.Name()); ok {
			own[id] = true
		}
	}
	return own
}

// programOf is the program that the file of a descriptor tells of.
func programOf(fdinfo string) (ebpf.ProgramID, bool) {
	file, err := os.Open(fdinfo)
	if err != nil {
		return 0, false // closed since
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "prog_id:"); ok {
			id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
			return ebpf.ProgramID(id), err == nil
		}
	}
	return 0, false
}

// hostTypes are the kernel's own names, in the order of its enum bpf_prog_type.
var hostTypes = []string{
	"unspec", "socket_filter", "kprobe", "sched_cls", "sched_act", "tracepoint", "xdp", "perf_event", "cgroup_skb",
	"cgroup_sock", "lwt_in", "lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "cgroup_device", "sk_msg", "raw_tracepoint",
	"cgroup_sock_addr", "lwt_seg6local", "lirc_mode2", "sk_reuseport", "flow_dissector", "cgroup_sysctl",
	"raw_tracepoint_writable", "cgroup_sockopt", "tracing", "struct_ops", "ext", "lsm", "sk_lookup", "syscall", "netfilter",
}

func hostType(t ebpf.ProgramType) string {
	if int(t) < len(hostTypes) {
		return hostTypes[t]
	}
	return strconv.Itoa(int(t))
}

// StatisticsOn says whether the machine's setting has the kernel keep statistics of all
// BPF programs.
func StatisticsOn() bool { return isOn("/proc/sys/kernel/bpf_stats_enabled") }

// CountsMissed says whether the kernel counts what programs of every type miss.
func CountsMissed(k *kernel.Kernel) bool { return countsMisses(k.TypeCache()) }
