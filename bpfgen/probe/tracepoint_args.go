package probe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// Fields of tracepoints, had without a record
//
// A program at a raw tracepoint gets the arguments that the kernel makes the
// record of, by code that nothing describes. For the tracepoints that fire most
// that code is known, and the same in all kernels; the table has the fields
// that are an argument or a member of what one points to. They are
// used where the kernel's own types agree.
//
// This is worth a table because programs with a record miss events: the kernel
// runs none on a CPU while another of them runs there, so that a wakeup in a
// software interrupt is not seen by one script when it comes while another's
// program is at work.

// A fieldSource is where the value of a field is: argument arg, or a member of
// the struct that it points to, a task_struct unless of says another, or what is made of
// both.
type fieldSource struct {
	arg    int
	member string
	of     string
	offset int  // of the member
	state  bool // see loadTaskState; arg and member are one of what it takes
}

// fieldSources are the sources of fields by the field's name.
type fieldSources map[string]fieldSource

func taskFields(arg int, prefix string) fieldSources {
	out := fieldSources{}
	for _, member := range []string{"pid", "prio", "comm"} {
		out[prefix+member] = fieldSource{arg: arg, member: member}
	}
	return out
}

func (s fieldSources) and(more fieldSources) fieldSources {
	for name, source := range more {
		s[name] = source
	}
	return s
}

// packetFields are those of records that the events of packets share.
var packetFields = fieldSources{"skbaddr": {arg: 0}, "len": {arg: 0, of: "sk_buff", member: "len"}}

// knownSources is the table, by tracepoint.
var knownSources = map[string]fieldSources{
	"irq/softirq_entry":        {"vec": {arg: 0}},
	"irq/softirq_exit":         {"vec": {arg: 0}},
	"irq/softirq_raise":        {"vec": {arg: 0}},
	"raw_syscalls/sys_enter":   {"id": {arg: 1}},
	"raw_syscalls/sys_exit":    {"ret": {arg: 1}},
	"sched/sched_process_exit": taskFields(0, ""),
	"sched/sched_process_free": taskFields(0, ""),
	"sched/sched_migrate_task": taskFields(0, "").and(fieldSources{"dest_cpu": {arg: 1}}),
	"sched/sched_switch": taskFields(argPrev, "prev_").and(taskFields(2, "next_")).
		and(fieldSources{"prev_state": {arg: argPrev, member: "exit_state", state: true}}),
	"sched/sched_wakeup":                  taskFields(0, ""),
	"sched/sched_wakeup_new":              taskFields(0, ""),
	"sched/sched_waking":                  taskFields(0, ""),
	"task/task_newtask":                   {"pid": {arg: 0, member: "pid"}, "clone_flags": {arg: 1}},
	"capability/cap_capable":              {"cap": {arg: 3}, "ret": {arg: 4}},
	"vmscan/mm_vmscan_direct_reclaim_end": {"nr_reclaimed": {arg: 0}},
	"vmscan/mm_vmscan_memcg_reclaim_end":  {"nr_reclaimed": {arg: 0}},
	"exceptions/page_fault_user":          {"address": {arg: 0}, "error_code": {arg: 2}},
	"exceptions/page_fault_kernel":        {"address": {arg: 0}, "error_code": {arg: 2}},
	"kmem/kfree":                          {"call_site": {arg: 0}, "ptr": {arg: 1}},
	"kmem/kmem_cache_free":                {"call_site": {arg: 0}, "ptr": {arg: 1}},
	"kmem/mm_page_alloc":                  {"order": {arg: 1}, "migratetype": {arg: 3}},
	"lock/contention_begin":               {"lock_addr": {arg: 0}, "flags": {arg: 1}},
	"lock/contention_end":                 {"lock_addr": {arg: 0}, "ret": {arg: 1}},
	"napi/napi_poll":                      {"napi": {arg: 0}, "work": {arg: 1}, "budget": {arg: 2}},
	"net/net_dev_queue":                   packetFields,
	"net/netif_receive_skb":               packetFields,
	"net/netif_rx":                        packetFields,
	"sched/sched_stat_runtime":            taskFields(0, "").and(fieldSources{"runtime": {arg: 1}}),
	"signal/signal_deliver":               {"sig": {arg: 0}},
	"signal/signal_generate":              taskFields(2, "").and(fieldSources{"sig": {arg: 0}, "group": {arg: 3}, "result": {arg: 4}}),
	"skb/consume_skb":                     {"skbaddr": {arg: 0}, "location": {arg: 1}},
	"skb/kfree_skb":                       {"skbaddr": {arg: 0}, "location": {arg: 1}, "reason": {arg: 2}},
	"sock/inet_sock_set_state":            {"skaddr": {arg: 0}, "oldstate": {arg: 1}, "newstate": {arg: 2}},
	"timer/hrtimer_expire_entry":          {"hrtimer": {arg: 0}, "function": {arg: 0, of: "hrtimer", member: "function"}},
	"timer/hrtimer_start":                 {"hrtimer": {arg: 0}, "mode": {arg: 1}, "function": {arg: 0, of: "hrtimer", member: "function"}},
	"workqueue/workqueue_execute_end":     {"work": {arg: 0}, "function": {arg: 1}},
	"workqueue/workqueue_execute_start":   {"work": {arg: 0}, "function": {arg: 0, of: "work_struct", member: "func"}},
}

// wholeRecord says whether a clause asks for the record itself.
func wholeRecord(uses plylang.Uses) bool {
	return uses.Whole[dataRow.Name] || uses.Whole[argsRow.Name]
}

// fieldsInArgs returns the sources of the fields in use; ok is false when the
// record is needed.
func fieldsInArgs(r *Resolver, event string, fields *ctype.Record, uses plylang.Uses) (sources fieldSources, ok bool) {
	if !rawIsBetter(r, event) || wholeRecord(uses) {
		return nil, false
	}
	sources = fieldSources{}
	for name := range uses.Members {
		field, is := fields.Member(name)
		if !is || field.Offset < 0 {
			continue
		}
		source, known := knownSources[event][name]
		if !known || !field.Type.Scalar() && field.Type.Kind != plylang.String || !source.resolve(r.kernel, event, field.Type) {
			return nil, false
		}
		sources[name] = source
	}
	return sources, true
}

// load leaves a scalar field in R0, as the program is attached.
func (s fieldSources) load(c *Context, f plylang.Field) {
	source, ok := s[f.Name]
	if !c.raw() || !ok {
		loadField(c, f)
		return
	}
	if source.member == "" {
		c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(8*source.arg), asm.DWord))
		c.Extend(f.Type)
		return
	}
	if source.state {
		loadTaskState(c, source.offset)
		return
	}
	source.pointR3(c)
	c.LoadNumber(f.Type)
}

// copy copies text to dst, as the program is attached.
func (s fieldSources) copy(c *Context, f plylang.Field, dst emit.Mem) {
	source, ok := s[f.Name]
	if !c.raw() || !ok {
		copyField(c, f, dst)
		return
	}
	source.pointR3(c)
	c.ReadString(dst, f.Type.Size, false)
}

// pointR3 makes R3 the address of the member.
func (s fieldSource) pointR3(c *Context) {
	c.Emit(asm.LoadMem(asm.R3, asm.R6, int16(8*s.arg), asm.DWord), asm.Add.Imm(asm.R3, int32(s.offset)))
}

// resolve finds where the member is, and makes sure that the argument is of the
// kind that the table says. An argument is handed over as a word without its sign, which a
// wider field would have.
func (s *fieldSource) resolve(k *kernel.Kernel, event string, field *plylang.Type) bool {
	_, name, _ := strings.Cut(event, "/")
	args := ctype.TracepointArgs(k, name)
	if s.arg >= len(args) || s.state && (len(args) <= argState || !args[argState].Scalar() || !knowsTaskState(k)) {
		return false
	}
	if s.member == "" {
		t := args[s.arg]
		return t.Scalar() && field.Scalar() && (field.Size <= t.Size || !t.Signed)
	}
	of := cmp.Or(s.of, "task_struct")
	if !isStruct(args, s.arg, of) {
		return false
	}
	offset, err := k.FieldOffset(of, s.member)
	s.offset = offset
	return err == nil
}

// String spells out the sources in order, to compare them.
func (s fieldSources) String() string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(s)) {
		text += fmt.Sprintf("%s=%+v;", name, s[name])
	}
	return text
}
