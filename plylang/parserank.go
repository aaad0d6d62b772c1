package plylang

// bitwise are the operators that C ranks below comparisons, so that
// flags & 4 == 4 is flags & 1.
var bitwise = map[Token]bool{AND: true, OR: true, XOR: true}

// compares says whether x is a comparison without parentheses.
func (p *parser) compares(x Expr) bool {
	b, ok := x.(*Binary)
	return ok && opClasses[b.Op] == comparison && p.paren != x
}

// rankWarnings warns of comparisons that are one side of a bitwise operator and
// have no parentheses. Where both sides are comparisons, nothing else can be
// meant. Scripts of 2016 have warnings of their own.
func (p *parser) rankWarnings() (list ErrorList) {
	if p.dollar {
		return nil
	}
	for _, b := range p.ranked {
		inner, meant := b.rank()
		list.Add(p.src, b.Pos, "%v binds tighter than %v, so that this is %s: write %s, or the parentheses", inner, b.Op, brief(b), brief(meant))
	}
	return list
}

// rank returns the comparison that is one side of x, and x as it would be with
// both operators exchanged.
func (x *Binary) rank() (inner Token, meant *Binary) {
	if l, ok := x.X.(*Binary); ok && opClasses[l.Op] == comparison {
		return l.Op, &Binary{Op: l.Op, X: l.X, Y: &Binary{Op: x.Op, X: l.Y, Y: x.Y}}
	}
	r := x.Y.(*Binary)
	return r.Op, &Binary{Op: r.Op, X: &Binary{Op: x.Op, X: x.X, Y: r.X}, Y: r.Y}
}
