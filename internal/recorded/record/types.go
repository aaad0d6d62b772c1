package main

import (
	"fmt"
	"regexp"

	"github.com/cilium/ebpf/btf"
)

// structs are kept with their members. Others keep their size only.
var structs = map[string]bool{
	"task_struct": true, "thread_info": true, "cred": true, "pid": true, "nsproxy": true, "signal_struct": true, "mm_struct": true,
	"sk_buff": true, "sock": true, "sock_common": true, "net_device": true, "inet_sock": true, "msghdr": true,
	"inet_connection_sock": true, "tcp_sock": true, "request_sock_queue": true, "request_sock": true, "inet_request_sock": true,
	"fastopen_queue": true, "tcp_options_received": true, "netns_frags": true, "inet_frag_queue": true, "unix_sock": true,
	"sk_buff_head": true, "iphdr": true, "ipv6hdr": true, "tcphdr": true, "udphdr": true, "icmphdr": true, "ethhdr": true, "in6_addr": true,
	"file": true, "path": true, "dentry": true, "qstr": true, "inode": true, "super_block": true, "file_system_type": true, "mount": true, "vfsmount": true,
	"linux_binprm": true, "request": true, "bio": true, "bvec_iter": true, "block_device": true, "gendisk": true, "request_queue": true,
	"pt_regs": true, "list_head": true, "kiocb": true, "iov_iter": true, "filename": true, "open_how": true, "renamedata": true, "kernel_clone_args": true, "proto_accept_arg": true,
	"cgroup": true, "cgroup_subsys_state": true, "kernfs_node": true, "mem_cgroup": true, "css_set": true, "cgroup_root": true, "task_group": true,
	"socket": true, "files_struct": true, "fdtable": true, "cfs_rq": true, "rq": true, "sched_entity": true, "oom_control": true, "scan_control": true, "shrinker": true, "page": true, "folio": true,
	"work_struct": true, "timer_list": true, "hrtimer": true, "irqaction": true, "softirq_action": true, "napi_struct": true,
	"rw_semaphore": true, "mutex": true, "module": true, "bpf_prog": true, "bpf_prog_aux": true, "pci_dev": true, "swap_info_struct": true,
	"address_space": true, "vm_area_struct": true, "kernel_siginfo": true, "mddev": true, "user_namespace": true, "net": true, "possible_net_t": true,
	"bpf_iter__bpf_map_elem": true, "tracepoint": true, "kuid_t": true, "kgid_t": true, "console": true,
	"unix_address": true, "sockaddr_un": true, "bpf_prog_pack": true, "hd_struct": true, "scm_timestamping_internal": true, "timespec64": true,
}

// enums are kept with their names.
var enums = regexp.MustCompile(`^(skb_drop_reason|sock_type|hrtimer_restart|writeback_sync_modes|wb_reason|migrate_reason|compact_.*|` +
	`oom_.*|pid_type|req_op|req_opf|zone_type|migratetype|node_stat_item|vm_event_item|tcp_.*|sk_rst_reason|bpf_cmd|bpf_prog_type|` +
	`bpf_map_type|rcu_.*|cpu_idle_type|fault_flag|vm_fault_reason|mm_.*|nf_inet_hooks|lru_list|lsm_event)$`)

// functions are the functions and raw tracepoints whose declaration is kept.
var functions = regexp.MustCompile(`^(__traceiter_(sched_(switch|wakeup.*|waking|process_.*)|sys_(enter|exit)|block_rq_.*|softirq_.*|kfree_skb|consume_skb|netif_receive_skb|task_(newtask|rename)|irq_handler_.*|signal_.*|tcp_(retransmit_skb|receive_reset|destroy_sock)|inet_sock_set_state|hrtimer_(start|expire_entry)|timer_(start|expire_entry)|workqueue_execute_(start|end)|page_fault_.*|cpu_idle|mm_(page_alloc|filemap_.*|vmscan_direct_reclaim_.*)|block_bio_(queue|complete)|writeback_dirty_(folio|page)|oom_.*|cgroup_mkdir|module_load|net_dev_.*|napi_poll)|vfs_.*|do_sys_open.*|ksys_(read|write)|cap_capable|security_(file_open|capable|socket_connect|inode_.*)|commit_creds|` +
	`tcp_(sendmsg|recvmsg|v4_connect|v6_connect|v4_rcv|retransmit_skb|drop|drop_reason|set_state|connect|close|v4_syn_recv_sock|v6_syn_recv_sock|` +
	`cleanup_rbuf|rcv_established|v4_do_rcv|conn_request|finish_connect)|__tcp_(retransmit_skb|select_window)|inet_csk_accept|inet_listen|` +
	`udp_(sendmsg|recvmsg|queue_rcv_skb|unicast_rcv_skb)|ip_(rcv|output|local_out|local_deliver|rcv_finish)|icmp_(rcv|send)|__icmp_send|unix_(accept|stream_connect|.*_sendmsg)|` +
	`(__)?netif_receive_skb.*|(__)?dev_queue_xmit|dev_hard_start_xmit|wake_up_new_task|do_exit|kfree_skb(_reason)?|sk_skb_reason_drop|consume_skb|` +
	`finish_task_switch|kmem_cache_(alloc|free).*|__kmalloc.*|(__)?blk_(mq_start_request|account_io_(start|done|merge.*)|start_request|mq_end_request)|` +
	`submit_bio(_noacct)?|bio_endio|handle_mm_fault|do_unlinkat|do_futex|do_nanosleep|hrtimer_nanosleep|d_lookup|lookup_fast|walk_component|` +
	`oom_kill_process|try_to_free_(pages|mem_cgroup_pages)|shrink_(node|slab|lruvec)|do_shrink_slab|try_to_compact_pages|mem_cgroup_.*|` +
	`mark_page_accessed|mark_buffer_dirty|folio_(mark_accessed|account_dirtied|mark_dirty|add_lru)|filemap_(add_folio|get_folio|fault|read)|__filemap_add_folio|` +
	`add_to_page_cache_lru|account_page_dirtied|do_page_cache_ra|page_cache_ra_unbounded|page_cache_sync_ra|` +
	`ext4_(file_(read_iter|write_iter|open)|sync_file)|generic_file_(read_iter|open)|swap_read(page|_folio)|swap_writepage|md_flush_request|` +
	`throttle_cfs_rq|unthrottle_cfs_rq|ptrace_attach|load_module|do_init_module|do_coredump|vfs_coredump|get_signal|` +
	`try_to_wake_up|ttwu_do_wakeup|ttwu_do_activate|copy_process|kernel_clone|schedule|io_schedule|mutex_lock|ip_send_skb|sock_(sendmsg|recvmsg)|` +
	`nf_hook_slow|(__)?alloc_skb|ip_frag_queue|inet_frag_(find|kill|create)|inet_accept|inet_stream_connect|sock_def_readable|sock_alloc_file|` +
	`__(x64|arm64|riscv)_sys_(read|write|openat|close|exit|fsync|execve)|bpf_iter_bpf_map_elem|` +
	`icmpv6_rcv|inet_frag_queue_insert|skb_consume_udp|tcp_(recv_timestamp|try_rmem_schedule|send_loss_probe)|inet_csk_reqsk_queue_hash_add|` +
	`security_unix_stream_connect|pci_user_read_config_.*|cgroup_rstat_flush.*|css_rstat_flush.*|` +
	`btf_trace_.*|bpf_rdonly_cast|typed_cast)$`)

// scalars are types that scripts name in casts.
var scalars = map[string]bool{
	"u8": true, "u16": true, "u32": true, "u64": true, "s8": true, "s16": true, "s32": true, "s64": true,
	"pid_t": true, "dev_t": true, "size_t": true, "ssize_t": true, "loff_t": true, "gfp_t": true,
}

// reducedTypes returns the chosen types of the running kernel in BTF's own
// encoding.
func reducedTypes() ([]byte, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, err
	}
	r := reducer{done: map[reduced]btf.Type{}}
	builder := &btf.Builder{}
	for t, err := range spec.All() {
		if err != nil {
			return nil, err
		}
		if !wanted(t) {
			continue
		}
		if _, err := builder.Add(r.reduce(t, false)); err != nil {
			return nil, err
		}
	}
	return builder.Marshal(nil, nil)
}

func wanted(t btf.Type) bool {
	switch t := t.(type) {
	case *btf.Func:
		return functions.MatchString(t.Name) || moved.MatchString(t.Name)
	case *btf.Struct:
		return structs[t.Name]
	case *btf.Enum:
		return enums.MatchString(t.Name)
	case *btf.Typedef:
		return scalars[t.Name] || functions.MatchString(t.Name)
	}
	return false
}

// A reducer copies types without what they need not refer to.
type reducer struct{ done map[reduced]btf.Type }

type reduced struct {
	t       btf.Type
	pointed bool // behind a pointer, where a declaration without members will do
}

func (r *reducer) reduce(t btf.Type, pointed bool) btf.Type {
	key := reduced{t, pointed}
	if done := r.done[key]; done != nil {
		return done
	}
	switch t := t.(type) {
	case *btf.Struct:
		return r.aggregate(t, t.Name, pointed, btf.FwdStruct)
	case *btf.Union:
		return r.aggregate(t, t.Name, pointed, btf.FwdUnion)
	case *btf.FuncProto:
		return r.proto(t)
	}
	c := shallow(t)
	r.done[key] = c
	switch c := c.(type) {
	case *btf.Pointer:
		c.Target = r.target(c.Target)
	case *btf.Typedef:
		if proto, ok := functionOf(c); ok {
			c.Type = &btf.Pointer{Target: r.proto(proto)}
			break
		}
		c.Type, c.Tags = r.reduce(c.Type, pointed), nil
	case *btf.Array:
		c.Type, c.Index = r.reduce(c.Type, false), r.reduce(c.Index, false)
	case *btf.Const:
		c.Type = r.reduce(c.Type, pointed)
	case *btf.Volatile:
		c.Type = r.reduce(c.Type, pointed)
	case *btf.Restrict:
		c.Type = r.reduce(c.Type, pointed)
	case *btf.TypeTag:
		c.Type = r.reduce(c.Type, pointed)
	case *btf.Func:
		c.Type, c.Tags, c.ParamTags = r.reduce(c.Type, false), nil, nil
	}
	return c
}

// functionOf is the prototype a raw tracepoint's typedef points to.
func functionOf(t *btf.Typedef) (*btf.FuncProto, bool) {
	p, ok := t.Type.(*btf.Pointer)
	if !ok || !functions.MatchString(t.Name) {
		return nil, false
	}
	proto, ok := p.Target.(*btf.FuncProto)
	return proto, ok
}

// target leaves out the prototypes of function pointers.
func (r *reducer) target(t btf.Type) btf.Type {
	if _, ok := t.(*btf.FuncProto); ok {
		return &btf.Void{}
	}
	return r.reduce(t, true)
}

func (r *reducer) proto(p *btf.FuncProto) btf.Type {
	c := &btf.FuncProto{Return: r.reduce(p.Return, false)}
	for _, param := range p.Params {
		c.Params = append(c.Params, btf.FuncParam{Name: param.Name, Type: r.reduce(param.Type, false)})
	}
	return c
}

// aggregate copies a kept or a nameless one with its members, and replaces any
// other: behind a pointer by a declaration, elsewhere by its size.
func (r *reducer) aggregate(t btf.Type, name string, pointed bool, kind btf.FwdKind) btf.Type {
	kept := structs[name] || name == ""
	key := reduced{t, pointed && !kept}
	if done := r.done[key]; done != nil {
		return done
	}
	if key.pointed {
		r.done[key] = &btf.Fwd{Name: name, Kind: kind}
		return r.done[key]
	}
	c := shallow(t)
	r.done[key] = c
	members := func(from []btf.Member) []btf.Member {
		var to []btf.Member
		for _, m := range from {
			if kept {
				m.Type, m.Tags = r.reduce(m.Type, false), nil
				to = append(to, m)
			}
		}
		return to
	}
	switch c := c.(type) {
	case *btf.Struct:
		c.Members, c.Tags = members(c.Members), nil
	case *btf.Union:
		c.Members, c.Tags = members(c.Members), nil
	}
	return c
}

// shallow copies one type and nothing it refers to.
func shallow(t btf.Type) btf.Type {
	switch t := t.(type) {
	case *btf.Void:
		return &btf.Void{}
	case *btf.Int:
		return clone(t)
	case *btf.Float:
		return clone(t)
	case *btf.Enum:
		return clone(t)
	case *btf.Fwd:
		return clone(t)
	case *btf.Pointer:
		return clone(t)
	case *btf.Typedef:
		return clone(t)
	case *btf.Array:
		return clone(t)
	case *btf.Const:
		return clone(t)
	case *btf.Volatile:
		return clone(t)
	case *btf.Restrict:
		return clone(t)
	case *btf.TypeTag:
		return clone(t)
	case *btf.Func:
		return clone(t)
	case *btf.Struct:
		return clone(t)
	case *btf.Union:
		return clone(t)
	default:
		panic(fmt.Sprintf("record: unexpected type %T", t))
	}
}

func clone[T any](t *T) *T {
	c := *t
	return &c
}
