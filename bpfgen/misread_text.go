package bpfgen

import (
	"strings"

	"ply-exporter/plylang"
)

// pattern warns of a text that is compared as if its "*" stood for others: it
// stands for itself.
func (m *misread) pattern() {
	m.inspect(func(x plylang.Expr) {
		compared, with := equated(x)
		if call, ok := x.(*plylang.Call); ok && call.Name == "startswith" && len(call.Args) == 2 {
			compared, with = call.Args[0], call.Args[1:]
		}
		for _, y := range with {
			s, ok := y.(*plylang.StringLit)
			if !ok || !strings.HasSuffix(s.Value, "*") {
				continue
			}
			begin := strings.TrimSuffix(strings.TrimSuffix(s.Value, "*"), ".")
			if begin != "" && !strings.ContainsAny(begin, "*?[") {
				m.warnf(y.Position(), "the * of %s stands for itself, since text has no patterns: startswith(%s, %q) is text that begins so", y, compared, begin)
			}
		}
	})
}

// requestKind warns of the kind of a request to a disk that is compared with its
// first letter alone: RA is a read ahead, WS a write that somebody waits for.
func (m *misread) requestKind() {
	m.inspect(func(x plylang.Expr) {
		compared, with := equated(x)
		member, ok := compared.(*plylang.Member)
		if !ok || member.Name != "rwbs" {
			return
		}
		for _, y := range with {
			if s, ok := y.(*plylang.StringLit); ok && (s.Value == "R" || s.Value == "W") {
				m.warnf(y.Position(), "%s may have further letters, as RA of a read ahead and WS of a write that is waited for: startswith(%s, %q) is all of them", compared, compared, s.Value)
			}
		}
	})
}

// noAddress warns of text that is read at a number which is too small for an address:
// the argument beside the one that was meant.
func (m *misread) noAddress() {
	m.inspect(func(x plylang.Expr) {
		call, ok := x.(*plylang.Call)
		if !ok || call.Name != "str" || len(call.Args) == 0 {
			return
		}
		_, isName := call.Args[0].(*plylang.Name)
		_, isMember := call.Args[0].(*plylang.Member)
		if t := call.Args[0].Type(); (isName || isMember) && t.Integer() && t.Size < 8 && !t.Literal {
			m.warnf(call.Position(), "%s is a number of %d bytes, and no address of a text", call.Args[0], t.Size)
		}
	})
}
