package cli

import (
	"encoding/json"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// The three programs of ply's original page, as they stood there.
const (
	firstProgram  = "kprobe:SyS_* { $syscalls[func].count() }"
	secondProgram = "kprobe:SyS_read { $sizes.quantize(arg(2)) }"
	thirdProgram  = `
kprobe:__netif_receive_skb_core { $rx[arg(0)] = nsecs; }
kprobe:ip_rcv / $rx[arg(0)] / { $t.quantize(nsecs - $rx[arg(0)]); $rx[arg(0)] = nil; }
`
)

// A mapLine is a line of run's JSON output about a map.
type mapLine struct {
	Type, Name string
	Data       []struct {
		Key   []json.RawMessage
		Value json.RawMessage
	}
}

// runForMaps runs a script beside a command and returns the maps by name.
func runForMaps(t *testing.T, cmd, script string) map[string]mapLine {
	t.Helper()
	return mapsOf(t, ply(t, "run", "-f", "json", "-c", cmd, script))
}

// mapsOf returns the maps of run's JSON output by name.
func mapsOf(t *testing.T, r result) map[string]mapLine {
	t.Helper()
	if r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	maps := map[string]mapLine{}
	for line := range strings.Lines(r.stdout) {
		var m mapLine
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m.Type == "map" {
			maps[m.Name] = m
		}
	}
	return maps
}

// workloadCommand is a shell command that makes n calls of each kind.
func workloadCommand(n int) string {
	return asCommand + "= " + asWorkload + "=" + strconv.Itoa(n) + " exec " + os.Args[0]
}

func TestFirstProgram(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	const n = 5000
	m := runForMaps(t, workloadCommand(n), firstProgram)["$syscalls"]
	for _, row := range m.Data {
		if string(row.Key[0]) == `"sys_getpriority"` {
			if string(row.Value) != strconv.Itoa(n) {
				t.Errorf("sys_getpriority: %s, want %d", row.Value, n)
			}
			return
		}
	}
	t.Errorf("no sys_getpriority among %d system calls", len(m.Data))
}

func TestSecondProgram(t *testing.T) {
	need.EachArch(t)
	need.BPF(t)
	const n = 5000
	m := runForMaps(t, workloadCommand(n), secondProgram)["$sizes"]
	if len(m.Data) != 1 {
		t.Fatalf("$sizes: %+v", m)
	}
	var h struct {
		Buckets []struct{ Min, Max, Count int }
	}
	if err := json.Unmarshal(m.Data[0].Value, &h); err != nil {
		t.Fatal(err)
	}
	for _, b := range h.Buckets {
		if b.Min == 4096 && b.Max == 8191 && b.Count >= n {
			return
		}
	}
	t.Errorf("fewer than %d reads in the bucket from 4096 on: %+v", n, h)
}

// In kernels since 5.7, __netif_receive_skb_core gets the address of the
// packet's pointer, not the pointer. The program measures each packet all the
// same, as it stands, and says why.
func TestThirdProgram(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	const packets = 200
	send := asCommand + "= " + asPackets + "=" + strconv.Itoa(packets) + " exec " + os.Args[0]
	for _, way := range []string{"auto", "plain"} {
		r := ply(t, "run", "--attach", way, "-f", "json", "-c", send, thirdProgram)
		if want := ":2:1: arg0 is the struct sk_buff * that it was before Linux 5.7: since then __netif_receive_skb_core"; !strings.Contains(r.stderr, want) {
			t.Errorf("%s does not say what has moved: %s", way, r.stderr)
		}
		m := mapsOf(t, r)["$t"]
		if len(m.Data) != 1 {
			t.Fatalf("%s: nothing was measured: %+v", way, m)
		}
		var h struct{ Count, Sum int }
		if err := json.Unmarshal(m.Data[0].Value, &h); err != nil {
			t.Fatal(err)
		}
		if h.Count != packets || h.Sum <= 0 {
			t.Errorf("%s: %d packets were measured, want %d: %s", way, h.Count, packets, m.Data[0].Value)
		}
	}
}

// sendPackets sends n packets over the loopback interface and receives them.
func sendPackets(n int) int {
	in, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	out, err := net.Dial("udp4", in.LocalAddr().String())
	if err != nil {
		return 1
	}
	b := make([]byte, 16)
	for range n {
		if _, err := out.Write(b); err != nil {
			return 1
		}
		if _, _, err := in.ReadFrom(b); err != nil {
			return 1
		}
	}
	return 0
}
