package values

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// It runs in guests, since nothing else works there: a sandbox's kernel may hide from BPF programs what
// interrupts its own agent, which /proc/interrupts counts.
func TestInterrupts(t *testing.T) {
	need.Guest(t)
	s := serve(t, load(t, "interrupts.yaml"))
	cpus := float64(len(onlineCPUs(t))) // on each of them one may be under way
	list := []comparison{
		{ours: ours("ply_interrupts_handled_total"), source: "lines of devices in /proc/interrupts", theirs: sumOf("/proc/interrupts", namesIn(t, "/proc/interrupts", "[0-9]*")...), slack: cpus},
		{ours: ours("ply_interrupts_processor_total", "kind", "local_timer"), source: "LOC of /proc/interrupts", theirs: sumOf("/proc/interrupts", "LOC"), slack: cpus, least: 10},
		{ours: ours("ply_interrupts_processor_total", "kind", "reschedule"), source: "RES of /proc/interrupts", theirs: sumOf("/proc/interrupts", "RES"), slack: cpus},
		{ours: ours("ply_interrupts_processor_total", "kind", "call_function"), source: "CAL of /proc/interrupts", theirs: sumOf("/proc/interrupts", "CAL"), slack: cpus},
	}
	for _, kind := range []string{"timer", "net_rx", "sched", "rcu"} {
		list = append(list, comparison{
			ours: ours("ply_interrupts_softirq_seconds_count", "kind", kind), source: strings.ToUpper(kind) + " of /proc/softirqs",
			theirs: sumOf("/proc/softirqs", strings.ToUpper(kind)), slack: cpus, least: 3,
		})
	}
	compare(t, s, func() { interrupt(t) }, list...)
}

// interrupt has the machine send packets to itself, wake threads, write to a disk
// or the serial port, and interrupt all CPUs.
func interrupt(t *testing.T) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	device := interruptingFile(t)
	if err := membarrier(registerExpedited); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := conn.WriteTo([]byte("a packet"), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, err := device.WriteString("an interrupt\n"); err != nil {
			t.Fatal(err)
		}
		_ = device.Sync() // a serial port has nothing to sync
		if err := membarrier(expedited); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// interruptingFile is a file whose device interrupts when it is written: that of
// guests is a serial port.
func interruptingFile(t *testing.T) *os.File {
	t.Helper()
	name := "/dev/ttyS0"
	if !need.InGuest() {
		name = t.TempDir() + "/file"
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// Commands of membarrier, which interrupts all CPUs that run this process: from
// include/uapi/linux/membarrier.h.
const (
	expedited         = 1 << 3
	registerExpedited = 1 << 4
)

func membarrier(command uintptr) error {
	_, _, e := unix.Syscall(unix.SYS_MEMBARRIER, command, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
