package plylang

import "slices"

const severalKeys = "several keys share one pair of brackets, as in @m[a, b]"

// simple parses the statements that begin with an expression:
//
//	map "." NAME "(" [ args ] ")"
//	( map | NAME ) assignop ( "nil" | expr )
//	( map | NAME ) ( "++" | "--" )
//	expr
func (p *parser) simple() Stmt {
	start := Pos(p.tok.pos)
	var x Expr
	switch p.tok.kind {
	case INC, DEC:
		return p.prefix()
	case NAME, MAPNAME:
		x = p.primary()
		if p.tok.kind == DOT && isTarget(x) {
			dot := Pos(p.tok.pos)
			name := p.selector()
			if p.tok.kind == LPAREN {
				return p.method(x, dot, name)
			}
			x = &Member{Pos: Pos(name.pos), X: x, Name: name.text}
		}
		x = p.postfix(x)
	default:
		x = p.unary()
	}
	x = p.exprFrom(x)
	switch {
	case p.tok.kind.isAssign():
		return p.assign(x)
	case p.tok.kind == INC || p.tok.kind == DEC:
		return p.step(x)
	}
	return &ExprStmt{Pos: start, X: x}
}

// prefix parses ++x, which means x++.
func (p *parser) prefix() Stmt {
	s := &Assign{Pos: Pos(p.tok.pos), Op: p.tok.kind}
	p.next()
	if p.tok.kind != NAME && p.tok.kind != MAPNAME {
		p.unexpected("a map or a local")
	}
	s.LHS = p.target(p.postfix(p.primary()))
	return s
}

// step parses the operator of x++.
func (p *parser) step(x Expr) Stmt {
	s := &Assign{Pos: Pos(p.tok.pos), LHS: p.target(x), Op: p.tok.kind}
	p.next()
	return s
}

// method parses @m.count(), which means @m = count(), from its "(" on.
func (p *parser) method(x Expr, dot Pos, name token) Stmt {
	s := &Assign{Pos: dot, LHS: p.target(x), Op: ASSIGN, Method: true}
	s.X = newCall(name, p.args(RPAREN))
	return s
}

// assign parses an assignment from its operator on.
func (p *parser) assign(x Expr) Stmt {
	op := p.tok
	x = p.target(x)
	p.next()
	if !p.isName("nil") {
		return &Assign{Pos: Pos(op.pos), LHS: x, Op: op.kind, X: p.expr()}
	}
	if op.kind != ASSIGN {
		p.fail(op.pos, `nil goes with "=" only`)
	}
	p.next()
	return &Delete{Pos: Pos(op.pos), Map: p.mapOf(x)}
}

// isTarget says whether x can be stored in.
func isTarget(x Expr) bool {
	switch x.(type) {
	case *Name, *MapRef:
		return true
	}
	return false
}

// target returns x if it can be stored in, and reports it otherwise.
func (p *parser) target(x Expr) Expr {
	if _, ok := keywordStmts[firstName(x)]; ok {
		p.fail(int(x.Position()), keywordName, firstName(x))
	}
	switch t := x.(type) {
	case *Name:
		return x
	case *Member:
		if hint := foreign(firstName(x)); hint != "" {
			p.fail(int(t.X.Position()), "there is no %q%s", firstName(x), hint)
		}
	case *Binary:
		if isTypeWord(firstName(t.X)) {
			p.fail(int(x.Position()), "types are inferred: leave \"%s *\" out", firstName(t.X))
		}
	case *MapRef:
		if isParam(t.Name) {
			p.fail(int(t.Pos), "%s is an argument of the script: it cannot change", t.Name)
		}
		p.dollar = p.dollar || t.Name[0] == '$'
		return x
	case *Index:
		if _, ok := t.X.(*MapRef); ok {
			p.fail(int(t.Pos), severalKeys)
		}
	}
	p.fail(p.tok.pos, "only maps and locals can be assigned to, not %s", short(x.String()))
	return x
}

// isParam says whether a name with a sigil is $1 and its kin.
func isParam(name string) bool {
	return len(name) > 1 && name[0] == '$' && isDigit(name[1])
}

// mapOf returns x as the map that it names.
func (p *parser) mapOf(x Expr) *MapRef {
	switch t := x.(type) {
	case *MapRef:
		p.target(t)
		return t
	case *Name:
		return &MapRef{Pos: t.Pos, Name: t.Name}
	}
	p.fail(int(x.Position()), "only a key or a map can be deleted")
	return &MapRef{Pos: x.Position(), Name: "@"}
}

// mixWarnings tells the writer of a 2016 script where precedence matters, once
// a line: that spelling had none.
func (p *parser) mixWarnings() ErrorList {
	if !p.dollar {
		return nil
	}
	var found diagnostics
	from := 0 // after the end of the last warning's line
	slices.Sort(p.mixed)
	for _, pos := range p.mixed {
		if int(pos) < from || found.more {
			continue
		}
		line, _ := p.src.Position(pos)
		found.add(newError(p.src, pos, "line %d mixes operators, which the 2016 spelling did not rank: "+
			"they are read with C's precedence, parentheses would say which you mean", line))
		from = int(pos) + lineLen(p.src.Text[pos:])
	}
	return found.sorted(p.src, "warnings")
}
