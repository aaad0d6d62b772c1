package plylang

const missingKey = "a key that is missing reads as 0: write if (@x[key]) { ... }"

// isIn says whether the operator "in" comes next. It is a word only here, after
// a value, where no other can stand: elsewhere a local or a map may be named so.
func (p *parser) isIn() bool { return p.isName("in") }

// in parses the rest of x in …, which ranks with the comparisons:
//
//	in = expr "in" ( "(" expr { "," expr } ")" | STRING ) ;
func (p *parser) in(x Expr) Expr {
	at := p.tok
	p.next()
	switch p.tok.kind {
	case STRING:
		pattern := &StringLit{Pos: Pos(p.tok.pos), Value: p.tok.text}
		p.next()
		return &In{Pos: Pos(at.pos), X: x, Pattern: pattern}
	case LPAREN:
		list := p.args(RPAREN)
		if len(list) == 0 {
			p.fail(at.pos, "nothing is in an empty list: write its constants, as in x in (1, 2)")
		}
		if len(list) > maxChain {
			p.fail(at.pos, "more than %d constants in one list: make it several", maxChain)
		}
		return &In{Pos: Pos(at.pos), X: x, List: list}
	case MAPNAME, NAME:
		p.fail(at.pos, `"in" takes constants, as in x in (1, 2): %s`, missingKey)
	default:
		p.fail(at.pos, `"in" takes constants in parentheses, as in x in (1, 2), and here is %s`, p.found())
	}
	return x
}
