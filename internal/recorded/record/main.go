// Command record writes the archive of the running kernel that package recorded
// keeps: on this machine, as root,
//
//	go run ./internal/recorded/record | base64 -d > internal/recorded/6.12-amd64.zip
//
// and in a guest kernel
//
//	go build -o /tmp/record ./internal/recorded/record
//	internal/guest/run 5.10 amd64 -q -- /tmp/record | base64 -d > internal/recorded/5.10-amd64.zip
//
// It is written in base64 because that passes through a guest's serial port. A
// kernel that has not changed gives the same bytes. Formats, symbols and types
// are a choice: enough for tests, and no more.
package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/tracer"
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
	`clone|clone3|mmap|futex|ioctl|nanosleep|kill|sendto|recvfrom|getpid|lseek|setuid|unlinkat|umount|fchroot)/`)

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

// A recording is the files of a kernel, by their names.
type recording map[string][]byte

func record(w io.Writer) error {
	r := recording{}
	for _, name := range files {
		if text, err := os.ReadFile("/" + name); err == nil {
			r[name] = text
		}
	}
	r["proc/sys/kernel/arch"], _ = os.ReadFile("/proc/sys/kernel/arch") // kernels before 6.1 do not tell
	r.lines("proc/kallsyms", func(line string) string { return strings.Fields(line)[2] })
	r.lines("sys/kernel/tracing/available_filter_functions", func(line string) string {
		return strings.Fields(line)[0]
	})
	r.lines("sys/kernel/debug/kprobes/blacklist", func(line string) string {
		return strings.Fields(line)[1]
	})
	for _, take := range []func() error{r.formats, r.types, r.features} {
		if err := take(); err != nil {
			return err
		}
	}
	return r.write(w)
}

// write writes the archive, without the time, so that it depends on nothing but
// the files.
func (r recording) write(w io.Writer) error {
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	for _, name := range slices.Sorted(maps.Keys(r)) {
		file, err := archive.Create(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := file.Write(r[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return archive.Close()
}

func (r recording) formats() error {
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
		r[strings.TrimPrefix(name, "/")] = text
	}
	return nil
}

func (r recording) types() (err error) {
	r["sys/kernel/btf/vmlinux"], err = reducedTypes()
	return err
}

// features lists what the kernel can do, which only trying tells.
func (r recording) features() error {
	k, err := kernel.Running()
	if err != nil {
		return err
	}
	tracer.Detect(k)
	var list bytes.Buffer
	fmt.Fprintln(&list, "# What this kernel can do, one feature of kernel.Features to a line.")
	for _, row := range kernel.Features {
		if k.Has(row.Feature) {
			fmt.Fprintln(&list, row.Feature)
		}
	}
	r["features"] = list.Bytes()
	return nil
}

// lines takes the lines of a list that are about one of the symbols, when the
// list can be read.
func (r recording) lines(name string, symbol func(line string) string) {
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
		r[name] = kept.Bytes()
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
