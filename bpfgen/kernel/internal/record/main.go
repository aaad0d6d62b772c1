// Command record writes what bpfgen/kernel needs of the running kernel as a
// gzipped tar archive in base64 to standard output, so that it also passes
// through a guest's serial port. Unpack it into a folder of bpfgen/kernel's
// testdata:
//
//	record | base64 -d | tar -xz -C testdata/6.12-amd64
//
// Formats, symbols and types are a choice: enough for tests, and no more.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// files are taken as they are, when they are there.
var files = []string{
	"proc/sys/kernel/osrelease",
	"proc/sys/kernel/perf_event_paranoid",
	"proc/sys/kernel/kptr_restrict",
	"sys/devices/system/cpu/possible",
	"sys/devices/system/cpu/online",
	"sys/kernel/security/lockdown",
}

// formats are the tracepoints whose format is taken.
var formats = regexp.MustCompile(`/(sched|raw_syscalls|block|irq|tcp|skb|net|napi|signal|task|udp|sock|oom)/|` +
	`/kmem/(kmalloc|kfree|kmem_cache_alloc|mm_page_alloc|mm_page_free|rss_stat)/|` +
	`/timer/(timer_start|hrtimer_start|hrtimer_expire_entry)/|/exceptions/page_fault_user/|` +
	`/power/(cpu_frequency|cpu_idle)/|/workqueue/|/vmscan/mm_vmscan_direct_reclaim_(begin|end)/|` +
	`/syscalls/sys_(enter|exit)_(read|write|openat|close|newfstat|newuname|execve|exit_group|connect|` +
	`clone|clone3|mmap|futex|ioctl|nanosleep|kill|sendto|recvfrom|getpid|lseek|setuid|unlinkat|umount)/`)

// symbols are the functions that are taken.
var symbols = regexp.MustCompile(`^(__x64_sys_|__arm64_sys_|__riscv_sys_|vfs_(read|write|open|fsync|iter)|do_sys_open|` +
	`ksys_(read|write)|tcp_(sendmsg|recvmsg|v4_connect|v4_rcv|retransmit_skb)|ip_(rcv|output|local_out|queue_xmit)|` +
	`(__)?netif_receive_skb|__dev_queue_xmit|schedule$|finish_task_switch|wake_up_new_task|do_exit$|` +
	`kmem_cache_(alloc|free)|blk_(mq_start_request|account_io)|submit_bio|` +
	`_stext|_etext|_sinittext|_einittext|__(init|noinstr_text|kprobes_text|entry_text)_|` +
	`__kmalloc|kfree$|handle_mm_fault|do_unlinkat|notifier_call_chain$|t_(next|show|start|stop)$|init_once$|start_kernel$)`)

func main() {
	log.SetFlags(0)
	buffered := bufio.NewWriter(os.Stdout)
	out := base64.NewEncoder(base64.StdEncoding, newLines(buffered))
	if err := record(out); err != nil {
		log.Fatalf("record: %v", err)
	}
	if err := out.Close(); err != nil {
		log.Fatalf("record: %v", err)
	}
	fmt.Fprintln(buffered)
	if err := buffered.Flush(); err != nil {
		log.Fatalf("record: %v", err)
	}
}

func record(w io.Writer) error {
	zipped := gzip.NewWriter(w)
	archive := &archive{tar.NewWriter(zipped)}
	for _, name := range files {
		if text, err := os.ReadFile("/" + name); err == nil {
			archive.add(name, text)
		}
	}
	machine, _ := os.ReadFile("/proc/sys/kernel/arch") // kernels before 6.1 do not tell
	archive.add("proc/sys/kernel/arch", machine)
	if err := archive.formats(); err != nil {
		return err
	}
	archive.lines("proc/kallsyms", func(line string) string { return strings.Fields(line)[2] })
	archive.lines("sys/kernel/tracing/available_filter_functions", func(line string) string {
		return strings.Fields(line)[0]
	})
	archive.lines("sys/kernel/debug/kprobes/blacklist", func(line string) string {
		return strings.Fields(line)[1]
	})
	types, err := reducedTypes()
	if err != nil {
		return err
	}
	archive.add("sys/kernel/btf/vmlinux", types)
	if err := archive.Close(); err != nil {
		return err
	}
	return zipped.Close()
}

type archive struct{ *tar.Writer }

func (a *archive) add(name string, text []byte) {
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}
	if err := a.WriteHeader(header); err != nil {
		log.Fatalf("record: %s: %v", name, err)
	}
	if _, err := a.Write(text); err != nil {
		log.Fatalf("record: %s: %v", name, err)
	}
}

func (a *archive) formats() error {
	found, err := filepath.Glob("/sys/kernel/tracing/events/*/*/format")
	if err != nil {
		return err
	}
	for _, name := range found {
		if !formats.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		a.add(strings.TrimPrefix(name, "/"), text)
	}
	return nil
}

// lines takes the lines of a list that are about one of the symbols, when the
// list can be read.
func (a *archive) lines(name string, symbol func(line string) string) {
	file, err := os.Open("/" + name)
	if err != nil {
		return
	}
	defer file.Close()
	var kept bytes.Buffer
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if symbols.MatchString(symbol(lines.Text())) {
			fmt.Fprintln(&kept, lines.Text())
		}
	}
	if lines.Err() == nil {
		a.add(name, kept.Bytes())
	}
}

// newLines breaks lines, because a terminal in between may not like long ones.
func newLines(w io.Writer) io.Writer { return &breaker{w: w} }

type breaker struct {
	w      io.Writer
	column int
}

func (b *breaker) Write(p []byte) (int, error) {
	for i, c := range p {
		if _, err := b.w.Write([]byte{c}); err != nil {
			return i, err
		}
		if b.column++; b.column == 100 {
			b.column = 0
			if _, err := b.w.Write([]byte{'\n'}); err != nil {
				return i, err
			}
		}
	}
	return len(p), nil
}
