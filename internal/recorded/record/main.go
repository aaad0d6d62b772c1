// Command record writes the archive of the running kernel that package recorded
// keeps: on this machine, as root,
//
//	go run ./internal/recorded/record | base64 -d > internal/recorded/6.12-amd64.zip
//
// and in a guest kernel
//
//	go build -o /tmp/record ./internal/recorded/record
//	internal/guest/run 5.10 amd64 -q -append nokaslr -- /tmp/record | base64 -d > internal/recorded/5.10-amd64.zip
//
// It is written in base64 because that passes through a guest's serial port. A
// kernel that has not changed gives the same bytes, if its addresses are not random. Formats, symbols and types
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

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/probe"
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
var formats = regexp.MustCompile(`/(sched|raw_syscalls|block|irq|tcp|skb|net|napi|signal|task|udp|sock|oom|vmscan|compaction|` +
	`writeback|workqueue|timer|power|lock|filelock|cgroup|migrate|jbd2|exceptions|capability|notifier|notifier_call|module|` +
	`mmap_lock|mmap|qdisc|neigh|icmp|io_uring|thermal|page_pool|rcu|fib|ipi|nvme|scsi|filemap|kmem|swiotlb|iocost|cpuhp|ras)/|` +
	`/ext4/ext4_(sync_file_(enter|exit)|da_write_begin|da_write_end|alloc_da_blocks|free_blocks)/|` +
	`/irq_vectors/(local_timer|reschedule|call_function|call_function_single)_(entry|exit)/|` +
	`/syscalls/sys_(enter|exit)_(read|write|pread64|pwrite64|readv|writev|preadv|pwritev|preadv2|pwritev2|open|openat|openat2|creat|` +
	`close|newstat|newlstat|newfstat|newfstatat|statx|newuname|execve|execveat|exit|exit_group|wait4|waitid|` +
	`connect|accept|accept4|bind|listen|socket|sendto|recvfrom|sendmsg|recvmsg|sendmmsg|recvmmsg|shutdown|` +
	`epoll_wait|epoll_pwait|poll|ppoll|select|pselect6|clone|clone3|fork|vfork|mmap|munmap|mprotect|brk|madvise|futex|ioctl|` +
	`nanosleep|clock_nanosleep|kill|tkill|tgkill|getpid|lseek|setuid|setgid|setresuid|setresgid|setreuid|setregid|setfsuid|` +
	`unlink|unlinkat|rename|renameat2|mkdirat|umount|mount|fchroot|fsync|fdatasync|sync|syncfs|sync_file_range|msync|` +
	`ptrace|process_vm_readv|process_vm_writev|init_module|finit_module|delete_module|bpf|perf_event_open|` +
	`sched_yield|sched_setaffinity|setns|unshare|prctl|capset|rt_sigreturn|restart_syscall|getrandom|splice|sendfile64|` +
	`copy_file_range|fallocate|ftruncate|truncate|io_uring_enter|io_submit|swapon)/`)

// symbols are the functions that are taken, with the endings that compilers give
// to copies of them.
var symbols = regexp.MustCompile(`^(__x64_sys_|__arm64_sys_|__riscv_sys_|vfs_|do_sys_open|do_sys_poll|` +
	`ksys_|(__)?tcp_|inet_(csk_|accept|listen|stream_connect|bind|shutdown)|udp_|__udp|(__)?ip6?_|icmp_|raw_|unix_|` +
	`(__)?netif_|(__)?dev_(queue_xmit|hard_start_xmit)|napi_|net_rx|net_tx|` +
	`(__)?schedule|io_schedule|finish_task_switch|wake_up_|try_to_wake_up|ttwu_|do_exit$|do_group_exit|exit_mm|` +
	`kmem_cache_(alloc|free)|(__)?blk_(mq_|account_|start_request|finish_|insert)|submit_bio|bio_endio|` +
	`_stext|_etext|_sinittext|_einittext|__(init|noinstr_text|kprobes_text|entry_text)_|` +
	`__kmalloc|kfree$|kfree_skb|consume_skb|handle_mm_fault|do_unlinkat|do_renameat2|do_mkdirat|do_truncate|notifier_call_chain$|within_notrace_func$|` +
	`t_(next|show|start|stop)$|init_once$|start_kernel$|` +
	`cap_capable|security_|commit_creds|ptrace_attach|load_module|do_init_module|` +
	`oom_kill_process|try_to_free_(pages|mem_cgroup_pages)|shrink_|do_try_to_free_pages|try_to_compact_pages|` +
	`mem_cgroup_|mark_page_accessed|mark_buffer_dirty|folio_|filemap_|add_to_page_cache|account_page_dirtied|__set_page_dirty|` +
	`do_page_cache_ra|__do_page_cache_readahead|page_cache_|d_lookup$|lookup_fast|lookup_real|walk_component|` +
	`ext4_(file_|sync_file|release_file|readpage|writepage|read_folio)|generic_file_|xfs_file_|swap_readpage|swap_read_|swap_write|` +
	`md_flush_request|do_futex|futex_wait|do_nanosleep|hrtimer_nanosleep|mutex_(lock|unlock)|rwsem_|down_(read|write)|up_(read|write)|` +
	`throttle_cfs_rq|unthrottle_cfs_rq|bpf_jit_|ip_frag|inet_frag|icmpv6_rcv|cgroup_rstat_|css_rstat_|pci_|irq_|handle_irq|__do_softirq|handle_softirqs|` +
	`do_fork|kernel_clone|copy_process|sys_|do_coredump|vfs_coredump|get_signal|send_signal|__send_signal|sk_|sock_|__sock|skb_|__skb|` +
	`nf_hook_slow|ip_finish_output|fib_table_lookup|alloc_skb|__alloc_skb|lock_sock|release_sock|pipe_|do_mmap|do_munmap|do_brk|expand_stack)`)

// moved are the functions of the table of those that have moved.
var moved = func() *regexp.Regexp {
	var names []string
	for _, m := range probe.AllMoved() {
		names = append(names, m.Functions...)
	}
	return regexp.MustCompile(`^(` + strings.Join(names, "|") + `)(\.|$)`)
}()

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
	if err := r.arch(); err != nil {
		return err
	}
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

// arch takes the name of the architecture, which kernels before 6.1 tell by
// uname(2) only.
func (r recording) arch() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	r["proc/sys/kernel/arch"] = []byte(unix.ByteSliceToString(name.Machine[:]) + "\n")
	return nil
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
		if name := symbol(lines.Text()); symbols.MatchString(name) || moved.MatchString(name) {
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
