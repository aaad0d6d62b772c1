package ctype

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

func open(t *testing.T, name string) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(recorded.Files(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func named(t *testing.T, k *kernel.Kernel, name string) *plylang.Type {
	t.Helper()
	found := Named(k, name)
	if found == nil {
		t.Fatalf("no type %s", name)
	}
	return found
}

func member(t *testing.T, of *plylang.Type, name string) plylang.Field {
	t.Helper()
	f, ok := of.Struct.Member(name)
	if !ok {
		t.Fatalf("%s has no member %s", of.Struct.Name(), name)
	}
	return f
}

// TestOneType: however a type is reached, it is the same one; another kernel
// has another.
func TestOneType(t *testing.T) {
	k := open(t, "7.3-amd64")
	task := named(t, k, "struct task_struct")
	if again := named(t, k, "struct task_struct"); again != task {
		t.Error("a type asked for twice is two")
	}
	for _, name := range []string{"parent", "real_parent"} {
		if elem := member(t, task, name).Type.Elem; elem != task {
			t.Errorf("%s points to another struct task_struct", name)
		}
	}
	if member(t, task, "parent").Type != member(t, task, "real_parent").Type {
		t.Error("pointers to one type are two types")
	}
	if other := named(t, open(t, "6.18-amd64"), "struct task_struct"); other == task {
		t.Error("two kernels share a type")
	}
}

// TestOneTypeInGoroutines: scripts are checked side by side.
func TestOneTypeInGoroutines(t *testing.T) {
	k := open(t, "7.3-amd64")
	found := make(chan *plylang.Type)
	for range 8 {
		go func() { found <- Named(k, "struct file") }()
	}
	first := <-found
	for range 7 {
		if other := <-found; other != first || other == nil {
			t.Error("a type is another one in another goroutine")
		}
	}
}

// TestNamed: what casts name.
func TestNamed(t *testing.T) {
	k := open(t, "7.3-amd64")
	for _, row := range []struct{ name, want string }{
		{"u32", Key(plylang.U32)},
		{"const unsigned char", Key(plylang.U8)},
		{"long  *", "*false" + Key(plylang.S64)},
		{"struct file *", "*falsestruct file"},
		{"struct file**", "*false*falsestruct file"},
		{"pid_t", Key(plylang.S32)},
		{"struct no_such_thing", "?"},
		{"file", "?"},
	} {
		if got := Key(Named(k, row.name)); got != row.want {
			t.Errorf("%s is %s, want %s", row.name, got, row.want)
		}
	}
}

// TestFunc: types of parameters and results, and how C writes them.
func TestFunc(t *testing.T) {
	k := open(t, "7.3-amd64")
	for _, row := range []struct{ name, want string }{
		{"vfs_read", "ssize_t (struct file * file, char * buf, size_t count, loff_t * pos)"},
		{"do_exit", "void (long int code)"},
	} {
		f := FuncNamed(k, row.name)
		if f == nil {
			t.Errorf("no function %s", row.name)
			continue
		}
		var params []string
		for _, p := range f.Params {
			params = append(params, p.Text()+" "+p.Name)
			if !p.OneWord || !p.Type.Scalar() {
				t.Errorf("%s of %s is not one argument", p.Name, row.name)
			}
		}
		if got := f.ResultText() + " (" + strings.Join(params, ", ") + ")"; got != row.want {
			t.Errorf("%s is %s, want %s", row.name, got, row.want)
		}
	}
	if FuncNamed(k, "no_such_function") != nil {
		t.Error("there is a function that does not exist")
	}
}

// TestTracepointArgs: those of the function that is called, without its data.
func TestTracepointArgs(t *testing.T) {
	k := open(t, "7.3-amd64")
	args := TracepointArgs(k, "sched_wakeup")
	if len(args) != 1 || args[0].Elem != named(t, k, "struct task_struct") {
		t.Errorf("the arguments of sched_wakeup are %v", args)
	}
	if !HasRawTracepoint(k, "sched_wakeup") || HasRawTracepoint(k, "no_such_event") || TracepointArgs(k, "no_such_event") != nil {
		t.Error("a tracepoint is not known, or one that does not exist is")
	}
}

// TestRecord: the fields of a tracepoint's record, by their types.
func TestRecord(t *testing.T) {
	k := open(t, "7.3-amd64")
	r, err := ReadRecord(k, "sched/sched_switch", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "common_type common_pid prev_comm prev_pid prev_prio prev_state next_comm next_pid next_prio"
	if got := strings.Join(r.Names(), " "); got != want {
		t.Errorf("fields are %s, want %s", got, want)
	}
	if comm, _ := r.Member("prev_comm"); comm.Type.Kind != plylang.String || comm.Type.Size != 16 {
		t.Errorf("prev_comm is %s", Key(comm.Type))
	}
	later := LaterRecord(k, "sched/sched_switch")
	used := map[string]bool{"prev_comm": true, "next_pid": true}
	if later.Layout(used) != r.Layout(used) || r.Layout(used) == r.Layout(map[string]bool{"prev_pid": true}) {
		t.Error("layouts do not tell fields apart")
	}
	pid, _ := r.Member("next_pid")
	if got := strings.Join(r.From(pid.Offset, "part").Names(), " "); got != "next_pid next_prio" {
		t.Errorf("from next_pid on there are %s", got)
	}
}

// TestEnum: enums carry the names of their values and are shown by them, bools are
// told from numbers.
func TestEnum(t *testing.T) {
	k := open(t, "7.3-amd64")
	state := member(t, named(t, k, "struct request"), "state").Type
	if state.Kind != plylang.Enum || state != named(t, k, "enum mq_rq_state") || Key(state) == Key(plylang.U32) || state.Display == nil {
		t.Errorf("the state of a request is %s", Key(state))
	}
	want := plylang.Enumeration{Name: "mq_rq_state", Values: []plylang.Enumerator{
		{Name: "MQ_RQ_IDLE", Value: 0}, {Name: "MQ_RQ_IN_FLIGHT", Value: 1}, {Name: "MQ_RQ_COMPLETE", Value: 2},
	}}
	if !state.Enum.Equal(&want) {
		t.Errorf("the states of a request are %v", state.Enum)
	}
	throttled := member(t, named(t, k, "struct task_struct"), "throttled").Type
	if throttled.Kind != plylang.Bool || Key(throttled) != Key(plylang.U8) || !throttled.Scalar() {
		t.Errorf("throttled is %s", Key(throttled))
	}
}

// TestEnumOfRecord: an enum in a record has the record's size and sign.
func TestEnumOfRecord(t *testing.T) {
	enum := &plylang.Type{Kind: plylang.Enum, Size: 4, Enum: &plylang.Enumeration{Name: "e"}}
	for _, row := range []struct{ t, enum, want *plylang.Type }{
		{plylang.U32, enum, enum},
		{plylang.U32, nil, plylang.U32},
		{plylang.U32, plylang.U64, plylang.U32},
	} {
		if got := asEnum(row.t, row.enum); got != row.want {
			t.Errorf("%s as %v is %s", Key(row.t), row.enum, Key(got))
		}
	}
	if got := asEnum(plylang.S64, enum); got.Kind != plylang.Enum || got.Size != 8 || !got.Signed || got.Enum != enum.Enum {
		t.Errorf("in 8 bytes it is %s", Key(got))
	}
	r, err := ReadRecord(open(t, "6.18-amd64"), "sched/sched_process_exit", nil)
	if err != nil {
		t.Fatal(err)
	}
	if dead, _ := r.Member("group_dead"); dead.Type.Kind != plylang.Bool {
		t.Errorf("group_dead is %s", Key(dead.Type))
	}
}

// withoutTypes are the files of a kernel without type information.
type withoutTypes struct{ fs.FS }

func (w withoutTypes) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "sys/kernel/btf") {
		return nil, fs.ErrNotExist
	}
	return w.FS.Open(name)
}

// TestNamesOfRecord: fields have the names that the tracepoint prints, without type
// information too; only those that a clause uses are looked up.
func TestNamesOfRecord(t *testing.T) {
	bare, err := kernel.Open(withoutTypes{recorded.Files("7.3-amd64")})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		k                        *kernel.Kernel
		event, field, name, also string
		value                    int64
	}{
		{bare, "skb/kfree_skb", "reason", "NO_SOCKET", "", 3},
		{open(t, "7.3-amd64"), "skb/kfree_skb", "reason", "NO_SOCKET", "SKB_DROP_REASON_NO_SOCKET", 3},
		{bare, "sock/inet_sock_set_state", "newstate", "TCP_SYN_SENT", "", 2},
		{bare, "tcp/tcp_retransmit_skb", "state", "TCP_SYN_SENT", "", 2}, // left as a name in the format
		{open(t, "5.10-amd64"), "tcp/tcp_retransmit_skb", "state", "TCP_CLOSE", "", 7},
		{bare, "irq/softirq_raise", "vec", "NET_RX", "", 3},
	} {
		r, err := ReadRecord(row.k, row.event, map[string]bool{row.field: true})
		if err != nil {
			t.Fatal(err)
		}
		f, _ := r.Member(row.field)
		if f.Type.Kind != plylang.Enum || f.Type.Display == nil || f.Type.Enum.NameOf(row.value) != row.name {
			t.Errorf("%s of %s has no %s", row.field, row.event, row.name)
			continue
		}
		if v, ok := f.Type.Enum.Value(row.also); row.also != "" && (!ok || v != row.value) {
			t.Errorf("%s is %d", row.also, v)
		}
	}
	r, err := ReadRecord(bare, "irq/softirq_raise", map[string]bool{})
	if err != nil {
		t.Fatal(err)
	}
	if f, _ := r.Member("vec"); f.Type.Kind != plylang.Int {
		t.Error("the names of a field that nobody uses were looked up")
	}
}

// TestNetworkOrder: what is declared __be16 and so on is known by it, in structs
// and in records; bits of such a number are not.
func TestNetworkOrder(t *testing.T) {
	for _, name := range recorded.Names() {
		k := open(t, name)
		common := named(t, k, "struct sock_common")
		for field, want := range map[string]*plylang.Type{
			"skc_dport": plylang.BE16, "skc_daddr": plylang.BE32, "skc_num": plylang.U16,
		} {
			if got := member(t, common, field).Type; got != want {
				t.Errorf("%s: %s is %s, want %s", name, field, Key(got), Key(want))
			}
		}
		if p := named(t, k, "__be16 *"); p.Elem != plylang.BE16 {
			t.Errorf("%s: a __be16 * points to %s", name, Key(p.Elem))
		}
	}
	if Key(plylang.BE16) == Key(plylang.U16) {
		t.Error("a clause cannot tell byte orders apart")
	}
	for _, row := range []struct {
		field kernel.Field
		want  *plylang.Type
	}{
		{kernel.Field{CType: "__be16", Size: 2}, plylang.BE16},
		{kernel.Field{CType: "const __be32", Size: 4}, plylang.BE32},
		{kernel.Field{CType: "__be64", Size: 8}, plylang.BE64},
		{kernel.Field{CType: "__be16", Size: 4}, plylang.U32},
		{kernel.Field{CType: "u16", Size: 2}, plylang.U16},
	} {
		if got := fieldType(&row.field); got != row.want {
			t.Errorf("a field %s of %d bytes is %s, want %s", row.field.CType, row.field.Size, Key(got), Key(row.want))
		}
	}
	ports := fieldType(&kernel.Field{CType: "__be16[2]", Elem: "__be16", Array: true, Len: 2, ElemSize: 2, Size: 4})
	if ports.Elem != plylang.BE16 {
		t.Errorf("elements of __be16[2] are %s", Key(ports.Elem))
	}
	bits := typesOf(open(t, "7.3-amd64")).field(btf.Member{
		Type: &btf.Typedef{Name: "__be16", Type: &btf.Int{Size: 2}}, BitfieldSize: 3,
	}, 0)
	if bits.Type != plylang.U16 {
		t.Errorf("bits of a __be16 are %s", Key(bits.Type))
	}
}
