package bpfgen_test

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// Fields that are taken from the arguments of a tracepoint are those of the record, by
// programs that differ only in how they are attached.
func TestFieldsWithoutRecord(t *testing.T) {
	need.BPF(t)
	k, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	caught := make(chan os.Signal, 100)
	signal.Notify(caught, unix.SIGUSR1)
	defer signal.Stop(caught)
	hit := func() { _ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR1) }
	nap := func() { _ = unix.Nanosleep(&unix.Timespec{Nsec: 2e6}, nil) }
	packet := func() { sendPacket(t) }
	for _, row := range []struct {
		script string
		work   func()
	}{
		{`signal/signal_generate /pid == PID && data->sig == 10/ { @[data->pid == tid, data->comm == comm, data->group, data->result] = 1; }`, hit},
		{`signal/signal_deliver /tid == TID && data->sig == 10/ { @[data->sig] = 1; }`, hit},
		{`timer/hrtimer_start /tid == TID && data->function == kaddr("hrtimer_wakeup")/ { @[data->mode, data->hrtimer > 0x8000] = 1; }`, nap},
		{`timer/hrtimer_expire_entry /data->function == kaddr("hrtimer_wakeup")/ { @[data->hrtimer != 0] = 1; }`, nap},
		{`workqueue/workqueue_execute_@(start|end) /data->function == kaddr("bpf_map_free_deferred")/ { @[data->work != 0] = 1; }`, func() { freeMap(t) }},
		{`kmem/@(kfree|kmem_cache_free) /pid == PID/ { @[data->call_site == kaddr("_stext"), data->call_site > kaddr("_stext"), data->ptr < kaddr("_stext"), data->ptr >> 63] = 1; }`, packet},
		{`kmem/mm_page_alloc /tid == TID/ { @[data->order < 11, data->migratetype < 6] = 1; }`, func() { touchMemory(t) }},
		{`net/@(net_dev_queue|netif_rx) /pid == PID/ { @[data->len] = 1; }`, packet},
		{`napi/napi_poll { @[data->budget > data->work, data->napi >> 63] = 1; }`, packet},
		{`sock/inet_sock_set_state /pid == PID && data->newstate == 2/ { @[data->oldstate, data->newstate, data->skaddr >> 63] = 1; }`, func() { connectTo(t) }},
		{`skb/consume_skb /pid == PID/ { @[data->skbaddr >> 63, data->location > kaddr("_stext")] = 1; }`, func() { connectTo(t) }},
		{`skb/kfree_skb /pid == PID && data->reason == NO_SOCKET/ { @[data->skbaddr >> 63, data->location > kaddr("_stext")] = 1; }`, func() { sendToNobody(t) }},
		{`sched/sched_stat_runtime /data->pid == TID/ { @[data->comm == "NAME", data->runtime > 0] = 1; }`, nap},
		{`lock/contention_@(begin|end) /pid == PID/ { @[data->lock_addr >> 63] = 1; }`, contend},
		{`lock/contention_begin /pid == PID/ { @[data->flags < 256] = 1; }`, contend},
		{`lock/contention_end /pid == PID/ { @[data->ret] = 1; }`, contend},
	} {
		t.Run(row.script, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			script := "tracepoint:" + strings.NewReplacer("TID", fmt.Sprint(unix.Gettid()), "NAME", threadName(t)).Replace(row.script)
			if !isRaw(t, k, script) {
				t.Fatal("this kernel needs the record")
			}
			record := trace(t, k, script, bpfgen.Options{PlainAttach: true}, row.work)
			raw := trace(t, k, script, bpfgen.Options{}, row.work)
			if raw != record || !strings.Contains(raw, "@[") {
				t.Errorf("of the arguments:\n%s\nof the record:\n%s", raw, record)
			}
		})
	}
}

// isRaw says whether all programs of a script do without the record.
func isRaw(t *testing.T, k *kernel.Kernel, script string) bool {
	t.Helper()
	script = strings.ReplaceAll(script, "PID", "1")
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true}, nil)
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	for _, p := range obj.Programs {
		if p.Attach != object.AttachRawTracepoint {
			return false
		}
	}
	return true
}

// freeMap frees a map of the kernel, which a worker does.
func freeMap(t *testing.T) {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	time.Sleep(50 * time.Millisecond)
}

// connectTo makes a connection to itself.
func connectTo(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// sendToNobody sends a packet to a port that nobody listens at.
func sendToNobody(t *testing.T) {
	t.Helper()
	c, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("x"))
}

// contend has threads wait for the lock of their memory.
func contend() {
	inThreads(func() {
		for range 2000 {
			memory, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err == nil {
				_ = unix.Munmap(memory)
			}
		}
	})
}
