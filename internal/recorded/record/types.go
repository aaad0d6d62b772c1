package main

import (
	"fmt"
	"regexp"

	"github.com/cilium/ebpf/btf"
)

// structs are kept with their members. Others keep their size only.
var structs = map[string]bool{
	"task_struct": true, "thread_info": true, "cred": true, "pid": true, "nsproxy": true, "signal_struct": true,
	"sk_buff": true, "sock": true, "sock_common": true, "net_device": true, "inet_sock": true, "msghdr": true,
	"file": true, "path": true, "dentry": true, "qstr": true, "inode": true, "super_block": true,
	"linux_binprm": true, "request": true, "bio": true, "block_device": true, "gendisk": true,
	"pt_regs": true, "list_head": true, "kiocb": true, "filename": true, "open_how": true,
	"bpf_iter__bpf_map_elem": true, "tracepoint": true, "kuid_t": true, "kgid_t": true,
}

// functions are the functions and raw tracepoints whose declaration is kept.
var functions = regexp.MustCompile(`^(vfs_(read|write|open|fsync)|do_sys_openat2|ksys_(read|write)|` +
	`tcp_(sendmsg|recvmsg|v4_connect|v4_rcv|retransmit_skb)|ip_(rcv|output|local_out)|` +
	`__netif_receive_skb_core|netif_receive_skb|__dev_queue_xmit|wake_up_new_task|do_exit|` +
	`finish_task_switch|kmem_cache_(alloc|free)|blk_mq_start_request|submit_bio|handle_mm_fault|do_unlinkat|` +
	`__(x64|arm64|riscv)_sys_(read|write|openat|close|exit)|bpf_iter_bpf_map_elem|` +
	`btf_trace_(sched_.*|sys_enter|sys_exit|block_rq_.*|softirq_.*|irq_handler_.*|tcp_.*|netif_.*|kfree_skb|` +
	`signal_.*|inet_sock_set_state))$`)

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
		return functions.MatchString(t.Name)
	case *btf.Struct:
		return structs[t.Name]
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
