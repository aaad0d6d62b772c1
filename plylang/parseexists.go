package plylang

const existsAsks = "exists() asks for a probe, a member of a type or a field: exists(kprobe:vfs_read), exists(struct sk_buff.len), exists(data->field)"

// exists parses the rest of
//
//	"exists" "(" ( SPEC | keyword NAME { "." NAME } | NAME { ( "." | "->" ) NAME } ) ")"
//
// where the keyword is struct, union or enum.
func (p *parser) exists(name token) Expr {
	p.brackets++
	defer func() { p.brackets-- }()
	x := &Exists{Pos: Pos(name.pos)}
	p.next()
	switch t := p.tok; {
	case p.isSpec(t):
		x.Spec = p.specInParens()
	case t.kind == NAME && isTypeKeyword(t.text) && p.lex.before(NAME):
		p.next()
		x.Of = t.text + " " + p.tok.text
		p.next()
		x.Path = p.path()
	case t.kind == NAME:
		p.next()
		x.X = &Name{Pos: Pos(t.pos), Name: t.text}
		for p.tok.kind == DOT || p.tok.kind == ARROW {
			x.X = p.member(x.X)
		}
	default:
		p.fail(t.pos, existsAsks)
	}
	if p.tok.kind != RPAREN {
		p.fail(p.tok.pos, existsAsks)
	}
	p.next()
	return x
}

// path parses { "." NAME }.
func (p *parser) path() (names []string) {
	for p.tok.kind == DOT || p.tok.kind == ARROW {
		names = append(names, p.selector().text)
	}
	if len(names) > maxChain {
		p.fail(p.tok.pos, "more than %d members in one expression", maxChain)
	}
	return names
}

func isTypeKeyword(s string) bool { return s == "struct" || s == "union" || s == "enum" }

// specInParens reads the current token again, as a specification that a ")" ends.
func (p *parser) specInParens() *Spec {
	p.lex.off = p.tok.pos
	t := p.lex.spec()
	if t.kind == bad {
		p.giveUp()
		return nil
	}
	t.text = t.text[:closingParen(t.text)]
	t.end = t.pos + len(t.text)
	p.lex.off = t.end
	p.tok = t
	s := newSpec(t)
	if s.Target == "" && !isWholeSpec(s.Provider) {
		p.fail(t.end, `%q names nothing: write it right after the colon, as in exists(%s)`, t.text, exampleSpec(s.Provider))
	}
	p.next()
	return s
}

// closingParen returns where the ")" is that no "(" before it opens, which a glob
// may have; the length of s if there is none.
func closingParen(s string) int {
	open := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			open++
		case ')':
			if open == 0 {
				return i
			}
			open--
		}
	}
	return len(s)
}
