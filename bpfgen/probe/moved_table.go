package probe

// A move is a function that scripts name and whose work another one does on
// newer kernels, or that has other parameters there.
type move struct {
	name  string // as the scripts have it
	since [2]int // the first Linux version in which it has moved

	// to is the function that does the work; the name itself where only the
	// parameters are others, "" where no function does.
	to string

	// bypassed says that the function is still there, and that callers go past it.
	bypassed bool

	// was is a parameter, by its number or the result, as it was declared before:
	// what tells whether this kernel has the change where the name is the same.
	was parameter

	// inlined is what compilers put the function into, in its own source file: calls
	// from there are not seen. The function is there all the same, on every kernel.
	inlined string

	args []oldArg // where the old arguments are now, in order
	also string   // what else is observed at the other function
	use  []string // specifications that observe the same, the best first
}

// A parameter is one by its number, with its type and, where that does not tell
// enough, its name.
type parameter struct {
	number   int
	declared string
}

// result is the number of what a function returns.
const result = -1

// An oldArg is where an argument of a function has gone.
type oldArg struct {
	number int    // the argument it is, or whose pointee it is
	target string // the type of that pointee; "": it is the argument itself
	user   bool   // it is an address of user memory
	write  string // what a script has to write in its place; "": nothing
}

// same are the first n arguments in their old places.
func same(n int) []oldArg { return places(0, 1, 2, 3, 4, 5)[:n] }

// buffer are the first n arguments in their old places, of which number 1 is an
// address of user memory.
func buffer(n int) []oldArg {
	args := same(n)
	args[1].user = true
	return args
}

// places are arguments by the numbers that they have now.
func places(numbers ...int) []oldArg {
	args := make([]oldArg, len(numbers))
	for i, n := range numbers {
		args[i].number = n
	}
	return args
}

// write are arguments that can be had only by what a script has to write; "" are
// those that are where they were.
func write(texts ...string) []oldArg {
	args := same(len(texts))
	for i, text := range texts {
		args[i].write = text
	}
	return args
}

// moves is the table. Where several rows have a name, the first one whose
// function this kernel has is the one. A test compares each row with the
// kernels that are at hand.
var moves = []move{
	{name: "__netif_receive_skb_core", since: [2]int{5, 7}, to: "__netif_receive_skb_core", was: parameter{0, "struct sk_buff *"},
		args: []oldArg{{number: 0, target: "struct sk_buff *"}}},

	// Another name.
	{name: "do_sys_open", since: [2]int{5, 6}, to: "do_sys_openat2", bypassed: true, also: "openat2(2)",
		args: []oldArg{{number: 0}, {number: 1, user: true}, {write: "args->how->flags"}, {write: "args->how->mode"}}},
	{name: "_do_fork", since: [2]int{5, 10}, to: "kernel_clone", args: write("args->args->flags")},
	{name: "__vfs_read", since: [2]int{5, 8}, to: "vfs_read", args: buffer(4)},
	{name: "__vfs_write", since: [2]int{5, 8}, to: "vfs_write", args: buffer(4)},
	{name: "do_unlinkat", since: [2]int{7, 0}, to: "filename_unlinkat", args: same(2)},
	{name: "do_filp_open", since: [2]int{7, 0}, to: "do_file_open", args: same(3)},
	{name: "dev_queue_xmit", since: [2]int{5, 19}, to: "__dev_queue_xmit", args: same(1)},
	{name: "kfree_skb", since: [2]int{5, 17}, to: "kfree_skb_reason", args: same(1)},
	{name: "kfree_skb", since: [2]int{6, 11}, to: "sk_skb_reason_drop", args: places(1)},
	{name: "kfree_skb_reason", since: [2]int{6, 11}, to: "sk_skb_reason_drop", args: places(1, 2)},
	{name: "tcp_drop", since: [2]int{5, 18}, to: "tcp_drop_reason", args: same(2), use: []string{"tracepoint:skb/kfree_skb"}},
	{name: "sock_alloc_send_skb", since: [2]int{5, 19}, to: "sock_alloc_send_pskb", args: places(0, 1, 3, 4)},
	{name: "napi_gro_receive", since: [2]int{6, 15}, to: "gro_receive_skb", args: []oldArg{{write: "args->gro"}, {number: 1}}},
	{name: "blk_start_request", since: [2]int{5, 0}, to: "blk_mq_start_request", args: same(1)},
	{name: "generic_make_request", since: [2]int{5, 9}, to: "submit_bio_noacct", args: same(1)},
	{name: "mark_page_accessed", since: [2]int{5, 16}, to: "folio_mark_accessed", bypassed: true, args: same(1)},
	{name: "add_to_page_cache_lru", since: [2]int{5, 16}, to: "filemap_add_folio", bypassed: true, args: places(1, 0, 2, 3)},
	{name: "swap_readpage", since: [2]int{6, 8}, to: "swap_read_folio", args: write("args->folio")},
	{name: "kmem_cache_alloc", since: [2]int{6, 10}, to: "kmem_cache_alloc_noprof", args: same(2)},
	{name: "kmem_cache_alloc_node", since: [2]int{6, 10}, to: "kmem_cache_alloc_node_noprof", args: same(3)},
	{name: "__kmalloc", since: [2]int{6, 10}, to: "__kmalloc_noprof", args: same(2)},
	{name: "__alloc_pages_nodemask", since: [2]int{5, 13}, to: "__alloc_pages", args: same(4)},
	{name: "__alloc_pages_nodemask", since: [2]int{6, 14}, to: "__alloc_frozen_pages_noprof", args: same(4)},
	{name: "__alloc_pages_nodemask", since: [2]int{6, 10}, to: "__alloc_pages_noprof", args: same(4)},
	{name: "__alloc_pages", since: [2]int{6, 14}, to: "__alloc_frozen_pages_noprof", args: same(4)},
	{name: "__alloc_pages", since: [2]int{6, 10}, to: "__alloc_pages_noprof", args: same(4)},

	// No function any more.
	{name: "blk_account_io_start", since: [2]int{5, 17}, use: []string{"tracepoint:block/block_io_start", "tracepoint:block/block_rq_issue"}},
	{name: "blk_account_io_done", since: [2]int{5, 17}, use: []string{"tracepoint:block/block_io_done", "tracepoint:block/block_rq_complete"}},
	{name: "blk_account_io_completion", since: [2]int{5, 8}, use: []string{"tracepoint:block/block_rq_complete"}},
	{name: "ttwu_do_wakeup", since: [2]int{6, 3}, use: []string{"tracepoint:sched/sched_wakeup"}},
	{name: "account_page_dirtied", since: [2]int{5, 16}, use: []string{"tracepoint:writeback/writeback_dirty_folio"}},
	{name: "do_page_fault", since: [2]int{5, 8}, use: []string{"tracepoint:exceptions/page_fault_user", "kprobe:handle_mm_fault"}},
	{name: "do_execve", since: [2]int{5, 10}, use: []string{"kprobe:sys_execve", "tracepoint:sched/sched_process_exec"}},
	{name: "__do_page_cache_readahead", since: [2]int{5, 8}, use: []string{"kprobe:page_cache_ra_unbounded"}},

	// Inlined where it is called most.
	{name: "vfs_fsync", to: "vfs_fsync", inlined: "fsync(2) and fdatasync(2)", use: []string{"kprobe:sys_fsync", "kprobe:sys_fdatasync"}},
	{name: "vfs_fsync_range", to: "vfs_fsync_range", inlined: "fsync(2) and fdatasync(2)", use: []string{"kprobe:sys_fsync", "kprobe:sys_fdatasync"}},

	// Other parameters.
	{name: "vfs_create", since: [2]int{5, 12}, to: "vfs_create", was: parameter{0, "struct inode *"}, args: write("args->dir", "args->dentry", "args->mode", "args->want_excl")},
	{name: "vfs_mkdir", since: [2]int{5, 12}, to: "vfs_mkdir", was: parameter{0, "struct inode *"}, args: write("args->dir", "args->dentry", "args->mode")},
	{name: "vfs_mkdir", since: [2]int{6, 15}, to: "vfs_mkdir", was: parameter{result, "int"}},
	{name: "vfs_mknod", since: [2]int{5, 12}, to: "vfs_mknod", was: parameter{0, "struct inode *"}, args: write("args->dir", "args->dentry", "args->mode", "args->dev")},
	{name: "vfs_rmdir", since: [2]int{5, 12}, to: "vfs_rmdir", was: parameter{0, "struct inode *"}, args: write("args->dir", "args->dentry")},
	{name: "vfs_symlink", since: [2]int{5, 12}, to: "vfs_symlink", was: parameter{0, "struct inode *"}, args: write("args->dir", "args->dentry", "args->oldname")},
	{name: "vfs_unlink", since: [2]int{5, 12}, to: "vfs_unlink", was: parameter{0, "struct inode *"}, args: write("args->dir", "args->dentry", "args->delegated_inode")},
	{name: "vfs_link", since: [2]int{5, 12}, to: "vfs_link", was: parameter{1, "struct inode *"}, args: write("", "args->dir", "args->new_dentry")},
	{name: "vfs_rename", since: [2]int{5, 12}, to: "vfs_rename", was: parameter{0, "struct inode *"},
		args: write("args->rd", "args->rd", "args->rd", "args->rd", "args->rd", "args->rd")},
	{name: "inet_csk_accept", since: [2]int{6, 10}, to: "inet_csk_accept", was: parameter{1, "int"}, args: write("", "args->arg->flags", "args->arg->err", "args->arg->kern")},
	{name: "tcp_recvmsg", since: [2]int{5, 19}, to: "tcp_recvmsg", was: parameter{3, "int nonblock"}, args: write("", "", "", "args->flags & 0x40", "args->flags")},
	{name: "udp_recvmsg", since: [2]int{5, 19}, to: "udp_recvmsg", was: parameter{3, "int noblock"}, args: write("", "", "", "args->flags & 0x40", "args->flags")},
}
