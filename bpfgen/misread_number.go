package bpfgen

import (
	"slices"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// Numbers that are taken for others
//
// A small number means something in many tables: 3 is a file descriptor and the
// error ESRCH, 17 is UDP and no type of an Ethernet frame.

// numbers warns of those that any clause may have.
func (m *misread) numbers() {
	m.protocol()
	m.status()
	m.preempted()
	m.device()
}

// answers are calls whose result is a number where they succeed, and not 0.
var answers = strings.Fields(`
	read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2
	recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg sendfile64 splice copy_file_range getrandom
	open openat openat2 creat socket accept accept4 dup dup2 dup3 memfd_create eventfd2
	epoll_create1 timerfd_create signalfd4 inotify_init1 inotify_add_watch pidfd_open perf_event_open bpf
	fcntl ioctl poll ppoll select pselect6 epoll_wait epoll_pwait futex
	getdents64 readlink readlinkat lseek mmap mremap brk
	fork vfork clone clone3 wait4`)

// named warns of results that are shown as errors, where nothing leaves out those
// of calls that succeed.
func (m *misread) named(calls *kernel.Glob) {
	i := slices.IndexFunc(answers, calls.Match)
	if i < 0 || m.tested() {
		return
	}
	m.inspect(func(x plylang.Expr) {
		call, ok := x.(*plylang.Call)
		if !ok || call.Name != "errno" || len(call.Args) != 1 {
			return
		}
		if result := unsigned(call.Args[0]); isResult(result) {
			m.warnf(x.Position(), "%s names results that are no errors, too: 3, as %s can return, is shown as ESRCH: / %s < 0 / keeps them out, and %s < 0 ? %s : 0 shows them as OK",
				x, answers[i], result, result, result)
		}
	})
}

// unsigned is an expression without a minus before it, which errno does not mind.
func unsigned(x plylang.Expr) plylang.Expr {
	if minus, ok := x.(*plylang.Unary); ok && minus.Op == plylang.SUB {
		return minus.X
	}
	return x
}

// tested says whether the clause asks whether the result is an error, or which.
func (m *misread) tested() (yes bool) {
	m.inspect(func(x plylang.Expr) {
		switch x := x.(type) {
		case *plylang.Binary:
			compares := slices.Contains([]plylang.Token{plylang.LT, plylang.LE, plylang.GT, plylang.GE, plylang.EQ}, x.Op)
			yes = yes || compares && (isResult(x.X) || isResult(x.Y))
		case *plylang.In:
			yes = yes || isResult(x.X)
		}
	})
	return yes
}

// called are calls that programs hardly make, because the C library's function of that
// name makes another call.
var called = map[string]string{
	"open": "@(open|openat|openat2)", "fork": "@(fork|vfork|clone|clone3)", "exit": "exit_group",
}

// seldom warns of a call that is asked for by the name of the C library's function.
func (m *misread) seldom() {
	if all := called[m.call]; all != "" {
		m.warnf(m.clause.Spec.Pos, "few programs call %s: the C library's %s() makes another system call: SyS_%s", m.call, m.call, all)
	}
}

// address warns of a key that is the address of a text: each program has its own of
// the same text, and the same of many.
func (m *misread) address() {
	eachKey(m.clause.Body, func(key plylang.Expr) {
		t := m.declared(key)
		if t != nil && t.Kind == plylang.Pointer && t.Display == nil && t.Elem != nil && t.Elem.Kind == plylang.Int && t.Elem.Size == 1 && t.Elem.Signed {
			m.warnf(key.Position(), "%s is the address of a text, and many texts have the same one: str(%s) is the text", key, key)
		}
	})
}

// declared is the type of a value, also of an argument of a system call by its
// number, which is a plain number to the script.
func (m *misread) declared(x plylang.Expr) *plylang.Type {
	name, ok := x.(*plylang.Name)
	if _, _, isCall := probe.SystemCall(m.clause.Spec); !ok || !isCall || name.Func == nil {
		return x.Type()
	}
	digits, ok := strings.CutPrefix(name.Func.Name, "arg")
	n, err := strconv.Atoi(digits)
	args := m.clause.Scope.Lookup("args")
	if !ok || err != nil || args == nil || args.Result == nil || args.Result.Elem == nil || args.Result.Elem.Struct == nil {
		return x.Type()
	}
	fields := args.Result.Elem.Struct
	if names := fields.Names(); n < len(names) {
		if f, ok := fields.Member(names[n]); ok {
			return f.Type
		}
	}
	return x.Type()
}

// minusOne warns of a result that is taken for that of the C library: -1, whatever
// the error is. The kernel returns the error.
func (m *misread) minusOne() {
	m.inspect(func(x plylang.Expr) {
		compared, with := equated(x)
		if call, ok := compared.(*plylang.Call); ok && call.Name == "errno" || !isResult(compared) || len(with) != 1 || !isConst(with[0], -1) {
			return
		}
		m.warnf(with[0].Position(), "-1 is the error EPERM alone: %s < 0 is any error; write errno(%s) == -1 where EPERM is meant", compared, compared)
	})
}

// status warns of the status of a process that is taken for what it gave to exit.
// Its low bits are the signal that killed it; of the signals only the first two are
// more likely a status.
func (m *misread) status() {
	m.statusKey()
	m.inspect(func(x plylang.Expr) {
		compared, with := equated(x)
		if !isStatus(compared) {
			return
		}
		for _, y := range with {
			if n, ok := plylang.ConstInt(y); ok && (n == 1 || n == 2 || n > 64 && n < 256) {
				m.warnf(y.Position(), "%s has the signal in its low 7 bits, and what the process gave to exit above: %s >> 8 is that", compared, compared)
			}
		}
	})
}

// statusKey warns of such a status as a key: 256 is what exit(1) leaves.
func (m *misread) statusKey() {
	eachKey(m.clause.Body, func(key plylang.Expr) {
		if isStatus(key) {
			m.warnf(key.Position(), "%s is 256 after exit(1): %s >> 8 is what the process gave to exit, and signal(%s & 0x7f) what killed it", key, key, key)
		}
	})
}

// isStatus says whether an expression is the status with which a process ended.
func isStatus(x plylang.Expr) bool {
	member, ok := x.(*plylang.Member)
	return ok && (member.Name == "exit_code" || member.Name == "group_exit_code")
}

// device warns of a key that is the number of a device. System calls have other numbers.
func (m *misread) device() {
	if _, _, isCall := probe.SystemCalls(m.clause.Spec); isCall {
		return
	}
	eachKey(m.clause.Body, func(key plylang.Expr) {
		member, ok := key.(*plylang.Member)
		if !ok || member.Name != "dev" && !strings.HasSuffix(member.Name, "_dev") {
			return
		}
		if t := key.Type(); t.Integer() && t.Size == 4 && !t.Signed && t.Display == nil {
			m.warnf(key.Position(), "%s is the number of a device, 8388608 of 8:0: dev(%s) is its name", key, key)
		}
	})
}

// preempted warns of the state of a task that leaves its CPU, of which 0 is taken for all
// that would have gone on: it is 256 where the kernel itself was preempted.
func (m *misread) preempted() {
	var zeros []plylang.Expr // and what is compared with them
	asked := false           // for 256, too
	m.inspect(func(x plylang.Expr) {
		compared, with := equated(x)
		if not, ok := x.(*plylang.Unary); ok && not.Op == plylang.NOT {
			compared, with = not.X, []plylang.Expr{&plylang.Number{Pos: not.Position()}}
		}
		member, ok := compared.(*plylang.Member)
		if !ok || member.Name != "prev_state" {
			return
		}
		for _, y := range with {
			asked = asked || isConst(y, 256)
			if isConst(y, 0) {
				zeros = append(zeros, compared, y)
			}
		}
	})
	for ; len(zeros) > 0 && !asked; zeros = zeros[2:] {
		m.warnf(zeros[1].Position(), "%s is 256, and not 0, of a task that is preempted in the kernel: (%s & 0xff) == 0 is any task that would have gone on", zeros[0], zeros[0])
	}
}

// eachKey visits the keys of what is aggregated.
func eachKey(body *plylang.Block, visit func(plylang.Expr)) {
	plylang.Walk(body, func(n plylang.Node) bool {
		a, ok := n.(*plylang.Assign)
		if !ok {
			return true
		}
		if ref, ok := a.LHS.(*plylang.MapRef); ok && ref.Map != nil && ref.Map.Agg != nil {
			for _, key := range ref.Keys {
				visit(key)
			}
		}
		return true
	})
}

// equated is what an expression compares for equality, and with what.
func equated(x plylang.Expr) (compared plylang.Expr, with []plylang.Expr) {
	switch x := x.(type) {
	case *plylang.Binary:
		if x.Op == plylang.EQ || x.Op == plylang.NE {
			return x.X, []plylang.Expr{x.Y}
		}
	case *plylang.In:
		return x.X, x.List
	}
	return nil, nil
}

// protocols are numbers of the IP header, which are no types of Ethernet frames.
var protocols = map[int64]string{1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}

// protocol warns of the type of a packet's frame that is compared with a number of
// the IP header: it is never equal.
func (m *misread) protocol() {
	m.inspect(func(x plylang.Expr) {
		compared, with := equated(x)
		if !m.isFrameType(compared) {
			return
		}
		for _, y := range with {
			n, _ := plylang.ConstInt(y)
			if name, ok := protocols[n]; ok {
				m.warnf(y.Position(), "%s is the type of the frame, 0x800 of IPv4 and 0x86dd of IPv6, and never %d: that is %s in the IP header, ((struct iphdr *)(skb->head + skb->network_header))->protocol", compared, n, name)
			}
		}
	})
}

// isFrameType says whether an expression is the member protocol of a packet, or that
// field of an event about one.
func (m *misread) isFrameType(x plylang.Expr) bool {
	member, ok := x.(*plylang.Member)
	if !ok || member.Name != "protocol" || member.Type() == nil || member.Type().Size != 2 {
		return false
	}
	event := strings.HasPrefix(m.clause.Spec.Target, "skb") || strings.HasPrefix(m.clause.Spec.Target, "net")
	return member.Type().Net == 2 || event
}
