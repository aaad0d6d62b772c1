package alerts

import "fmt"

// series are those at which an alert fires, and those at which it does not.
var series = map[string]struct{ fires, silent map[string]string }{
	"PlyExporterAbsent": {one(`up{job="node", instance="a"}`, "1x60"), one(`up{job="monitoring/ply-exporter", instance="a"}`, "0x60")},
	"PlyExporterDown":   {one(`up{job="ply-exporter", instance="a"}`, "0x60"), one(`up{job="node", instance="a"}`, "0x60")},
	"PlyExporterRestarts": {
		one(`process_start_time_seconds{job="ply-exporter", instance="a"}`, "0x10 100x10 200x10 300x30"),
		one(`process_start_time_seconds{job="ply-exporter", instance="a"}`, "0x10 100x10 200x40"),
	},
	"PlyReloadFailed": {one(`ply_exporter_config_last_reload_successful{instance="a"}`, "0x60"), one(`ply_exporter_config_last_reload_successful{instance="a"}`, "1x60")},
	"PlyScriptDown": {
		map[string]string{
			`ply_script_up{script="s", instance="a"}`: "0x60", `ply_script_waiting{script="s", instance="a"}`: "0x60",
			`ply_script_waiting{script="s", instance="b"}`: "1x60", `ply_script_waiting{script="other", instance="a"}`: "1x60",
		},
		map[string]string{
			`ply_script_up{script="s", instance="a"}`:     "0x40 1x20",
			`ply_script_up{script="waits", instance="a"}`: "0x60", `ply_script_waiting{script="waits", instance="a"}`: "1x60",
		},
	},
	"PlyProgramGone": {
		one(`ply_script_waiting{script="s", instance="a"}`, "0x10 1x50"),
		map[string]string{`ply_script_waiting{script="never", instance="a"}`: "1x60", `ply_script_waiting{script="upgraded", instance="a"}`: "0x50 1x5 0x5"},
	},
	"PlyScriptOverBudget": {one(`ply_script_over_budget{script="s"}`, "1x60"), one(`ply_script_over_budget{script="s"}`, "0x60")},
	"PlyProbeDetached": {
		map[string]string{`ply_probe_attached{script="s", probe="kprobe:f", kind="kprobe", instance="a"}`: "0x60", `ply_script_up{script="s", instance="a"}`: "1x60", `ply_script_waiting{script="s", instance="a"}`: "0x60"},
		map[string]string{
			`ply_probe_attached{script="s", probe="kprobe:f", kind="none", instance="a"}`: "0x60", `ply_script_up{script="s", instance="a"}`: "0x60",
			`ply_probe_attached{script="gone", probe="uprobe:a:f", kind="uprobe_multi", instance="a"}`: "0x60", `ply_script_up{script="gone", instance="a"}`: "1x60",
			`ply_script_waiting{script="gone", instance="a"}`: "1x60",
		},
	},
	"PlyMapFull": {one(`ply_map_dropped_total{script="s", map="@", instance="a"}`, "0+5x60"), one(`ply_map_dropped_total{script="s", map="@", instance="a"}`, "7x60")},
	"PlyMapFillsUp": {
		map[string]string{`ply_map_entries{script="s", map="@"}`: "95x60", `ply_map_max_entries{script="s", map="@"}`: "100x60"},
		map[string]string{
			`ply_map_entries{script="s", map="@"}`: "100x60", `ply_map_max_entries{script="s", map="@"}`: "100x60", `ply_map_surplus_entries{script="s", map="@"}`: "0x60",
			`ply_map_entries{script="s", map="@b"}`: "85x60", `ply_map_max_entries{script="s", map="@b"}`: "100x60",
		},
	},
	"PlyEventsMissed": {one(`ply_probe_missed_total{script="s", probe="p"}`, "0+9000x60"), one(`ply_probe_missed_total{script="s", probe="p"}`, "0+1000x60")},
	"PlyOutputLost": {
		map[string]string{`ply_events_lost_total{script="s"}`: "0+9x60", `ply_lines_omitted_total{script="s"}`: "0x60"},
		map[string]string{`ply_events_lost_total{script="s"}`: "9x60", `ply_lines_omitted_total{script="s"}`: "7x60"},
	},
	"PlySeriesOmitted":  {one(`ply_scrape_series_omitted{script="s"}`, "3x60"), one(`ply_scrape_series_omitted{script="s"}`, "0x60")},
	"PlyCgroupsLeftOut": {one(`ply_cgroup_pattern_left_out{script="s", pattern="/a/*"}`, "1x60"), one(`ply_cgroup_pattern_left_out{script="s", pattern="/a/*"}`, "0x60")},
	"PlyScrapeSlow":     {one(`scrape_duration_seconds{job="ply-exporter"}`, "4x60"), one(`scrape_duration_seconds{job="ply-exporter"}`, "2x60")},

	"DiskErrors": {
		appears(`ply_block_io_errors_total{device="sda", operation="read", errno="EIO", job="ply-exporter", instance="a"}`, "ply-exporter"),
		map[string]string{
			`up{job="ply-exporter", instance="a"}`: "1x60",
			`ply_block_io_errors_total{device="sda", operation="discard", errno="EOPNOTSUPP", job="ply-exporter", instance="a"}`: "0+1x60",
			`ply_block_io_errors_total{device="sda", operation="read", errno="EIO", job="ply-exporter", instance="a"}`:           "_x40 1x20",
		},
	},
	"DiskSlow": {histogram("ply_block_io_seconds", `device="sda", operation="read"`, 1), histogram("ply_block_io_seconds", `device="sda", operation="read"`, 0.25)},

	"TasksWaitForCPU":   {histogram("ply_cpu_run_queue_latency_seconds", "", 0.125), histogram("ply_cpu_run_queue_latency_seconds", "", 0.03125)},
	"CgroupWaitsForCPU": {one(`ply_cpu_wait_seconds_total{cgroup="/a"}`, "0+150x60"), one(`ply_cpu_wait_seconds_total{cgroup="/a"}`, "0+100x60")},
	"CgroupIsThrottled": {one(`ply_cpu_throttled_seconds_sum{cgroup="/a"}`, "0+20x60"), one(`ply_cpu_throttled_seconds_sum{cgroup="/a"}`, "0+10x60")},

	"WorkloadRunsOutOfMemory": {
		one(`ply_containers_oom_kills_total{namespace="shop", workload="web", container="server"}`, "1x30 2 3 4 5 5x30"),
		map[string]string{
			`ply_containers_oom_kills_total{namespace="shop", workload="web", container="server"}`: "1x30 2 2x30",
			`ply_containers_oom_kills_total{namespace="", workload="", container=""}`:              "0+1x60",
		},
	},

	"NameServersFail": {one(`ply_dns_tls_lookup_failures_total{reason="try_again"}`, "0+9x60"), one(`ply_dns_tls_lookup_failures_total{reason="no_name"}`, "0+9x60")},
	"LookupsSlow":     {histogram("ply_dns_tls_lookup_seconds", "", 4), histogram("ply_dns_tls_lookup_seconds", "", 0.5)},
	"HandshakesSlow":  {histogram("ply_dns_tls_openssl_handshake_seconds", "", 4), histogram("ply_dns_tls_openssl_handshake_seconds", "", 1)},

	"PostgreSQLWaitsForLocks": {one(`ply_postgresql_lock_wait_seconds_sum{kind="tuple"}`, "0+90x60"), one(`ply_postgresql_lock_wait_seconds_sum{kind="tuple"}`, "0+30x60")},

	"JavaCollectsGarbage":   {one(`ply_java_gc_seconds_sum{kind="full"}`, "0+30x60"), one(`ply_java_gc_seconds_sum{kind="full"}`, "0+3x60")},
	"PythonCollectsGarbage": {one(`ply_python_gc_seconds_sum{generation="2"}`, "0+30x60"), one(`ply_python_gc_seconds_sum{generation="2"}`, "0+3x60")},
	"GoProgramStands":       {histogram("ply_go_runtime_pause_seconds", "", 0.0625), histogram("ply_go_runtime_pause_seconds", "", 0.001)},

	"FilesystemSlow": {
		histogram("ply_filesystem_seconds", `filesystem="nfs", operation="read"`, 1),
		histogram("ply_filesystem_seconds", `filesystem="tracefs", operation="read"`, 16),
	},

	"SoftirqsAreLate": {
		histogram("ply_interrupts_softirq_latency_seconds", `kind="net_rx"`, 0.03125),
		histogram("ply_interrupts_softirq_latency_seconds", `kind="rcu"`, 0.03125),
	},
	"CPUsHandlePackets": {
		one(`ply_interrupts_softirq_seconds_sum{kind="net_rx"}`, "0+55x60"),
		map[string]string{`ply_interrupts_softirq_seconds_sum{kind="net_rx"}`: "0+40x60", `ply_interrupts_softirq_seconds_sum{kind="timer"}`: "0+55x60"},
	},
	"InterruptStorm": {one(`ply_interrupts_handled_total{interrupt="eth0"}`, "0+9000000x60"), one(`ply_interrupts_handled_total{interrupt="eth0"}`, "0+900000x60")},

	"CPUsSpin": {
		map[string]string{`ply_locks_wait_seconds_sum{kind="spinlock"}`: "0+20x60", `ply_locks_wait_seconds_sum{kind="rwlock_read"}`: "0+20x60"},
		map[string]string{`ply_locks_wait_seconds_sum{kind="spinlock"}`: "0+20x60", `ply_locks_wait_seconds_sum{kind="mutex"}`: "0+200x60"},
	},

	"OutOfMemory": {
		appears(`ply_memory_oom_kills_total{cgroup="/a", job="ply-exporter", instance="a"}`, "ply-exporter"),
		map[string]string{`ply_memory_oom_kills_total{cgroup="/a", job="ply-exporter", instance="a"}`: "_x40 1x20", `up{job="ply-exporter", instance="a"}`: "1x60"},
	},
	"TasksFreeMemory":       {one("ply_memory_direct_reclaim_seconds_sum", "0+9x60"), one("ply_memory_direct_reclaim_seconds_sum", "0+3x60")},
	"CgroupIsShortOfMemory": {one(`ply_memory_cgroup_reclaim_seconds_sum{cgroup="/a"}`, "0+9x60"), one(`ply_memory_cgroup_reclaim_seconds_sum{cgroup="/a"}`, "0+3x60")},
	"Thrashing": {
		map[string]string{`ply_memory_major_faults_total{cgroup="/a"}`: "0+20000x60", `ply_memory_major_faults_total{cgroup="/b"}`: "0+20000x60"},
		one(`ply_memory_major_faults_total{cgroup="/a"}`, "0+20000x60"),
	},

	"SocketBuffersOverflow": {one(`ply_packet_drops_total{reason="SOCKET_RCVBUFF"}`, "0+90x60"), one(`ply_packet_drops_total{reason="NO_SOCKET"}`, "0+90x60")},
	"DatagramsLost":         {one(`ply_packet_drops_udp_total{port="53"}`, "0+90x60"), one(`ply_packet_drops_udp_total{port="53"}`, "0+30x60")},
	"QueueingDropsPackets":  {one(`ply_packet_drops_total{reason="CPU_BACKLOG"}`, "0+90x60"), one(`ply_packet_drops_total{reason="QDISC_DROP"}`, "0+90x60")},

	"ProgramsStartInALoop": {one(`ply_processes_execs_total{cgroup="/a"}`, "0+1500x60"), one(`ply_processes_execs_total{cgroup="/a"}`, "0+900x60")},
	"ProcessesCrash":       {one(`ply_processes_fatal_signals_total{signal="SIGSEGV"}`, "0+1x60"), one(`ply_processes_fatal_signals_total{signal="SIGTERM"}`, "0+1x60")},

	"QuickstartTasksWaitForCPU": {histogram("ply_run_queue_latency_seconds", "", 0.125), histogram("ply_run_queue_latency_seconds", "", 0.03125)},
	"QuickstartDiskSlow":        {histogram("ply_block_io_latency_seconds", `device="sda"`, 1), histogram("ply_block_io_latency_seconds", `device="sda"`, 0.25)},

	"ModuleLoaded": {
		appears(`ply_security_modules_loaded_total{module="loop", job="ply-exporter", instance="a"}`, "ply-exporter"),
		map[string]string{`ply_security_modules_loaded_total{module="loop", job="ply-exporter", instance="a"}`: "_x50 1x10", `up{job="ply-exporter", instance="a"}`: "_x50 1x10"},
	},
	"ProcessesLookIntoOthers": {one(`ply_security_ptrace_total{operation="attach"}`, "0x50 1x10"), one(`ply_security_ptrace_total{operation="traceme"}`, "0x50 1x10")},

	"DataNotOnDisk": {
		appears(`ply_sync_errors_total{operation="fsync", errno="EIO", job="ply-exporter", instance="a"}`, "ply-exporter"),
		map[string]string{`ply_sync_errors_total{operation="fsync", errno="EINVAL", job="ply-exporter", instance="a"}`: "_x50 1x10", `up{job="ply-exporter", instance="a"}`: "1x60"},
	},
	"SyncSlow": {histogram("ply_sync_latency_seconds", `operation="fsync"`, 1), histogram("ply_sync_latency_seconds", `operation="sync"`, 1)},

	"OutOfFilesOrSpace": {
		one(`ply_syscalls_errors_total{syscall="openat", errno="EMFILE"}`, "0+3x60"),
		map[string]string{`ply_syscalls_errors_total{syscall="openat", errno="EMFILE"}`: "9x60", `ply_syscalls_errors_total{syscall="openat", errno="ENOENT"}`: "0+3x60"},
	},

	"AcceptQueueOverflows":     {one("ply_tcp_accept_overflows_total", "0+1x60"), one("ply_tcp_accept_overflows_total", "5x60")},
	"ConnectionsWaitForAccept": {histogram("ply_tcp_accept_wait_seconds", "", 4), histogram("ply_tcp_accept_wait_seconds", "", 0.5)},
	"ConnectionsFail":          {one(`ply_tcp_connect_failures_total{errno="ECONNREFUSED"}`, "0+90x60"), one(`ply_tcp_connect_failures_total{errno="closed"}`, "0+90x60")},
	"ConnectionsOpenSlowly":    {histogram("ply_tcp_connect_latency_seconds", "", 1), histogram("ply_tcp_connect_latency_seconds", "", 0.25)},
	"PacketsSentAgain":         {one(`ply_tcp_retransmitted_total{state="established"}`, "0+9000x60"), one(`ply_tcp_retransmitted_total{state="established"}`, "0+3000x60")},
}

func one(series, values string) map[string]string { return map[string]string{series: values} }

// appears is a counter that is there from its first event on, in the last ten
// minutes, of a target that was there before.
func appears(counter, job string) map[string]string {
	return map[string]string{counter: "_x50 1x10", fmt.Sprintf(`up{job=%q, instance="a"}`, job): "1x60"}
}

// histogram is one whose values lie between seconds and half of it.
func histogram(name, labels string, seconds float64) map[string]string {
	if labels != "" {
		labels += ", "
	}
	bucket := func(le any) string { return fmt.Sprintf(`%s_bucket{%sle="%v"}`, name, labels, le) }
	return map[string]string{bucket(seconds / 2): "0x60", bucket(seconds): "0+9x60", bucket("+Inf"): "0+9x60"}
}
