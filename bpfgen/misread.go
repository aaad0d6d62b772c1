package bpfgen

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// What is taken for something else
//
// What a call asks for is not what it gets, and a call that returns is not
// always done. Such scripts count something, and it looks right.

// Misread warns of arguments and results of calls that mean something else than
// the script does with them.
func Misread(script *plylang.Script) plylang.ErrorList {
	var list plylang.ErrorList
	clauses := map[*plylang.Probe]int{}
	for _, c := range script.Clauses {
		clauses[c.Probe]++
	}
	for _, c := range script.Clauses {
		call, returns, ok := probe.SystemCall(c.Spec)
		if !ok {
			call = c.Spec.Target // a function's arguments are the call's
		}
		m := &misread{c, script.Src, call, &list}
		switch {
		case ok && returns:
			m.connected()
		case !returns:
			m.requested()
			m.port()
		}
		if ok {
			m.seldom()
		}
		if calls, returns, ok := probe.SystemCalls(c.Spec); ok && returns {
			m.named(kernel.Compile(calls))
			m.minusOne()
		}
		m.numbers()
		m.address()
		m.pattern()
		m.requestKind()
		if clauses[c.Probe] == 1 { // others may have an address there
			m.noAddress()
		}
	}
	renamed(script, &list)
	list.Sort()
	return slices.CompactFunc(list, func(a, b *plylang.Error) bool { return a.Pos == b.Pos && a.Msg == b.Msg })
}

// A misread looks at the clause of one call.
type misread struct {
	clause *plylang.Clause
	src    *plylang.Source
	call   string
	list   *plylang.ErrorList
}

// transfers are the calls that move as many bytes as they are asked to, or fewer,
// or none: which argument says how many, and what it is called.
var transfers = map[string]struct{ arg, name string }{
	"read": {"arg2", "count"}, "pread64": {"arg2", "count"}, "vfs_read": {"arg2", "count"},
	"write": {"arg2", "count"}, "pwrite64": {"arg2", "count"}, "vfs_write": {"arg2", "count"},
	"recvfrom": {"arg2", "size"}, "sendto": {"arg2", "len"},
	"sendfile64": {"arg3", "count"}, "copy_file_range": {"arg4", "len"}, "splice": {"arg4", "len"},
}

// requested warns of a sum of what was asked for. A distribution of it is a good
// question.
func (m *misread) requested() {
	t, ok := transfers[m.call]
	if !ok {
		return
	}
	plylang.Inspect(m.clause.Body, func(x plylang.Expr) {
		call, isCall := x.(*plylang.Call)
		if !isCall || call.Name != "sum" && call.Name != "avg" || len(call.Args) == 0 {
			return
		}
		plylang.Inspect(call.Args[0], func(x plylang.Expr) {
			name, isName := x.(*plylang.Name)
			member, isMember := x.(*plylang.Member)
			if isName && name.Name == t.arg || isMember && member.Name == t.name {
				m.warnf(x.Position(), "%s is how many bytes %s is asked for, and not how many it moves: that is the result, as in kretprobe:%s / retval > 0 / { … %s(retval) … }",
					x, m.call, m.returns(), call.Name)
			}
		})
	})
}

// returns is how the return of the call is written.
func (m *misread) returns() string {
	if strings.HasPrefix(m.call, "vfs_") {
		return m.call
	}
	return "SyS_" + m.call
}

// addressed are the calls that are given the address of a socket, and where.
var addressed = map[string]string{"connect": "arg1", "bind": "arg1", "sendto": "arg4"}

// port warns of a port that is read from such an address as if it was in the
// order of this machine's bytes. A clause with ntohs() knows of them.
func (m *misread) port() {
	arg, ok := addressed[m.call]
	m.inspect(func(x plylang.Expr) {
		call, isCall := x.(*plylang.Call)
		ok = ok && (!isCall || call.Name != "ntohs")
	})
	if !ok {
		return
	}
	m.inspect(func(x plylang.Expr) {
		deref, ok := x.(*plylang.Unary)
		if !ok || deref.Op != plylang.MUL || deref.Type() == nil || deref.Type().Size != 2 || deref.Type().Net != 0 {
			return
		}
		cast, ok := deref.X.(*plylang.Cast)
		if !ok {
			return
		}
		if at, ok := cast.X.(*plylang.Binary); ok && at.Op == plylang.ADD && isArg(at.X, arg) && isConst(at.Y, 2) {
			m.warnf(deref.Position(), "the port of an address is in network byte order: write *(__be16 *)(%s + 2)", arg)
		}
	})
}

// connected warns of a connection that is taken for refused only where connect
// itself says so.
func (m *misread) connected() {
	if m.call != "connect" {
		return
	}
	m.inspect(func(x plylang.Expr) {
		var compared plylang.Expr
		var with []plylang.Expr
		switch x := x.(type) {
		case *plylang.Binary:
			compared, with = x.X, []plylang.Expr{x.Y}
		case *plylang.In:
			compared, with = x.X, x.List
		}
		if !isResult(compared) {
			return
		}
		for _, y := range with {
			if isConst(y, -int64(unix.ECONNREFUSED)) {
				m.warnf(y.Position(), "connect of a socket that does not block returns %d, EINPROGRESS, and it is refused later: tracepoint:sock/inet_sock_set_state, from TCP_SYN_SENT to TCP_CLOSE, sees both", -int64(unix.EINPROGRESS))
			}
		}
	})
}

func isArg(x plylang.Expr, arg string) bool {
	name, ok := x.(*plylang.Name)
	return ok && name.Name == arg
}

func isConst(x plylang.Expr, want int64) bool {
	n, ok := plylang.ConstInt(x)
	return ok && n == want
}

// isResult says whether an expression is the result of a system call.
func isResult(x plylang.Expr) bool {
	switch x := x.(type) {
	case *plylang.Name:
		return x.Func != nil && x.Func.Name == "retval"
	case *plylang.Member:
		return x.Name == "ret"
	case *plylang.Call:
		return x.Name == "errno" && len(x.Args) == 1 && isResult(x.Args[0])
	}
	return false
}

// inspect visits all expressions of the clause.
func (m *misread) inspect(visit func(plylang.Expr)) {
	if m.clause.Pred != nil {
		plylang.Inspect(m.clause.Pred, visit)
	}
	plylang.Inspect(m.clause.Body, visit)
}

func (m *misread) warnf(pos plylang.Pos, format string, args ...any) {
	m.list.Add(m.src, pos, format, args...)
}
