package plylang

import (
	"strconv"
	"strings"
)

// expr parses
//
//	expr = binary [ "?" expr ":" expr ] ;
func (p *parser) expr() Expr {
	p.enter()
	defer p.leave()
	return p.exprFrom(p.unary())
}

// exprFrom parses the rest of an expression whose first operand is x.
func (p *parser) exprFrom(x Expr) Expr {
	x = p.binary(x, binaryLevel)
	if p.tok.kind != QUESTION {
		return x
	}
	c := &Cond{Pos: Pos(p.tok.pos), X: x}
	p.next()
	c.Then = p.expr()
	p.expect(COLON)
	c.Else = p.expr()
	return c
}

// binary parses operators of at least the given precedence; left is the first
// operand. All of them associate to the left.
func (p *parser) binary(left Expr, level int) Expr {
	for n := 0; ; n++ {
		op := p.tok
		prec := p.precedence()
		if prec < level || prec == 0 {
			return left
		}
		if n == maxChain {
			p.fail(op.pos, "more than %d operators in one expression: use a local for a part of it", maxChain)
			return left
		}
		if p.isIn() {
			left = p.in(left)
			continue
		}
		p.noteSlash(op)
		mixed, compared := p.mixes(left, op.kind), p.compares(left)
		p.next()
		right := p.binary(p.unary(), prec+1)
		if mixed || p.mixes(right, op.kind) {
			p.mixed = append(p.mixed, Pos(op.pos))
		}
		b := &Binary{Pos: Pos(op.pos), Op: op.kind, X: left, Y: right}
		if bitwise[op.kind] && compared != p.compares(right) {
			p.ranked = append(p.ranked, b)
		}
		left = b
	}
}

// precedence is that of the current token as an operator, 0 when it is none.
func (p *parser) precedence() int {
	if p.isIn() {
		return inLevel
	}
	return precedence[p.tok.kind]
}

// noteSlash remembers a division that may have been meant to end a predicate.
func (p *parser) noteSlash(op token) {
	if op.kind == DIV && p.brackets == 0 {
		p.predSlash = op.pos
	}
}

// mixes says whether the operand x of op is another operator's result without
// parentheses.
func (p *parser) mixes(x Expr, op Token) bool {
	b, ok := x.(*Binary)
	return ok && b.Op != op && p.paren != x
}

// unary parses
//
//	unary = ( "*" | "-" | "~" | "!" | "(" type ")" ) unary | postfix ;
func (p *parser) unary() Expr {
	switch p.tok.kind {
	case SUB, MUL, TILDE, NOT:
		return p.operator()
	case LPAREN:
		if to, ok := p.lex.castType(); ok {
			return p.cast(to)
		}
	}
	return p.postfix(p.primary())
}

func (p *parser) operator() Expr {
	p.enter()
	defer p.leave()
	op := p.tok
	p.next()
	if op.kind == SUB && p.tok.kind == NUMBER {
		return p.negative(Pos(op.pos))
	}
	return &Unary{Pos: Pos(op.pos), Op: op.kind, X: p.unary()}
}

// negative reads a number whose minus belongs to it.
func (p *parser) negative(minus Pos) *Number {
	n := p.number()
	if n.Value > 1<<63 {
		p.errorf(int(minus), "-%s: number does not fit 64 bits", short(n.Text))
	}
	n.Pos, n.Text, n.Value = minus, "-"+n.Text, -n.Value
	return n
}

func (p *parser) number() *Number {
	t := p.tok
	p.next()
	return &Number{Pos: Pos(t.pos), Value: t.num.value, Unit: t.num.unit, Text: t.text}
}

// cast parses "(" type ")" unary, whose type was read ahead.
func (p *parser) cast(to string) Expr {
	p.enter()
	defer p.leave()
	c := &Cast{Pos: Pos(p.tok.pos), To: to}
	for p.tok.kind != RPAREN && !p.failed {
		p.next()
	}
	p.next()
	c.X = p.unary()
	return c
}

// postfix parses what follows a value:
//
//	postfix = primary { "." NAME | "->" NAME | "[" expr "]" } ;
func (p *parser) postfix(x Expr) Expr {
	for n := 0; ; n++ {
		if n == maxChain {
			p.fail(p.tok.pos, "more than %d members in one expression: use a local for a part of it", maxChain)
		}
		switch p.tok.kind {
		case DOT, ARROW:
			x = p.member(x)
		case LBRACK:
			x = p.index(x)
		default:
			return x
		}
	}
}

func (p *parser) member(x Expr) Expr {
	arrow := p.tok.kind == ARROW
	name := p.selector()
	if p.tok.kind == LPAREN {
		p.fail(p.tok.pos, "a member is not called: only a map at the beginning of a statement is, as in @m.count()")
	}
	return &Member{Pos: Pos(name.pos), X: x, Name: name.text, Arrow: arrow}
}

// selector parses "." NAME or "->" NAME and returns the name.
func (p *parser) selector() token {
	p.next()
	name := p.tok
	if name.kind != NAME {
		p.fail(name.pos, "expected the name of a member, found %s", p.found())
	}
	p.next()
	return name
}

func (p *parser) index(x Expr) Expr {
	at := p.tok
	list := p.args(RBRACK)
	if len(list) != 1 && !p.failed {
		p.fail(at.pos, "an index is one value: only maps have several keys")
	}
	return &Index{Pos: Pos(at.pos), X: x, I: append(list, &Number{})[0]}
}

// args parses a list in parentheses or brackets.
//
//	args = expr { "," expr } ;
func (p *parser) args(closing Token) []Expr {
	p.brackets++
	defer func() { p.brackets-- }()
	p.next()
	if p.accept(closing) {
		return nil
	}
	var list []Expr
	for {
		list = append(list, p.expr())
		if p.accept(closing) {
			return list
		}
		if closing == RBRACK && p.tok.kind == ASSIGN && p.unclosedKey() {
			p.fail(p.tok.pos, `"]" is missing before "=": a key ends with it; to compare, write "=="`)
			return list
		}
		if !p.accept(COMMA) {
			p.unexpected(`"," or "` + closing.String() + `"`)
			return list
		}
	}
}

// unclosedKey says whether the statement ends without the "]" of the key before
// its "=", the current token.
func (p *parser) unclosedKey() bool {
	rest := p.src.Text[p.tok.pos:]
	i := strings.IndexAny(rest, "];}\n")
	return i < 0 || rest[i] != ']'
}

// primary parses
//
//	primary = NUMBER | STRING | NAME [ "(" [ args ] ")" ] | map | "(" expr ")" | "[" args "]" ;
func (p *parser) primary() Expr {
	t := p.tok
	switch t.kind {
	case NUMBER:
		return p.number()
	case STRING:
		p.next()
		return &StringLit{Pos: Pos(t.pos), Value: t.text}
	case NAME, MAPNAME:
		return p.named()
	case LPAREN:
		return p.parens()
	case LBRACK:
		return &Tuple{Pos: Pos(t.pos), Elems: p.keys()}
	}
	p.unexpected("a value")
	return &Number{Pos: Pos(t.pos)}
}

func (p *parser) parens() Expr {
	p.brackets++
	defer func() { p.brackets-- }()
	p.next()
	x := p.expr()
	if p.tok.kind == COMMA {
		p.fail(p.tok.pos, "several values in parentheses: only the key of a map has several, as in @x[a, b]")
	}
	p.expect(RPAREN)
	p.paren = x
	return x
}

// keys parses the keys of a map.
func (p *parser) keys() []Expr {
	at := p.tok
	list := p.args(RBRACK)
	if len(list) == 0 && !p.failed {
		p.fail(at.pos, "brackets without a key: write one, or leave the brackets out")
	}
	return list
}

// named parses a variable, a call or a map.
func (p *parser) named() Expr {
	t := p.tok
	p.next()
	switch {
	case p.tok.kind == LBRACK:
		return p.mapRef(t)
	case t.kind == MAPNAME:
		return &MapRef{Pos: Pos(t.pos), Name: t.text}
	case p.tok.kind == LPAREN && t.text == "exists":
		return p.exists(t)
	case p.tok.kind == LPAREN && t.text == "sizeof":
		return p.sizeOf(t)
	case p.tok.kind == LPAREN && t.text == "offsetof": // whose arguments are no expressions
		p.fail(t.pos, "there is no offsetof()%s", foreign(t.text))
	case p.tok.kind == LPAREN:
		return newCall(t, p.args(RPAREN))
	case t.text == "nil":
		p.fail(t.pos, "nil is no value: @m[k] = nil forgets a key, and a missing key reads as 0")
	}
	return &Name{Pos: Pos(t.pos), Name: t.text}
}

// sizeOf parses sizeof(x), and sizeof(type), which means sizeof(*(type *)0).
func (p *parser) sizeOf(name token) Expr {
	to, ok := p.lex.castType()
	if !ok {
		return newCall(name, p.args(RPAREN))
	}
	pos := Pos(p.tok.pos)
	for p.tok.kind != RPAREN && !p.failed {
		p.next()
	}
	p.next()
	address := &Cast{Pos: pos, To: pointerText(to), X: &Number{Pos: pos, Text: "0"}}
	return &Call{Pos: Pos(name.pos), Name: name.text, Args: []Expr{&Unary{Pos: pos, Op: MUL, X: address}}}
}

// pointerText is the type of what points to a value of a type.
func pointerText(to string) string {
	if strings.HasSuffix(to, "*") {
		return to + "*"
	}
	return to + " *"
}

// mapRef parses a map's keys.
func (p *parser) mapRef(name token) Expr {
	if isParam(name.text) {
		p.fail(p.tok.pos, "%s is an argument of the script: it has no keys", name.text)
	}
	p.dollar = p.dollar || name.text[0] == '$'
	return &MapRef{Pos: Pos(name.pos), Name: name.text, Keys: p.keys()}
}

// callable are the functions that mean something without arguments; for all
// other names "f()" is the variable f.
var callable = map[string]bool{"count": true, "exit": true, "clear": true, "print": true}

// newCall makes a call. The older spellings of variables are resolved here:
// comm() is comm, and arg(2) is arg2.
func newCall(name token, args []Expr) Expr {
	pos := Pos(name.pos)
	if len(args) == 0 && !callable[name.text] {
		return &Name{Pos: pos, Name: name.text}
	}
	if n := literalArg(args); name.text == "arg" && n != nil {
		return &Name{Pos: pos, Name: "arg" + strconv.FormatUint(n.Value, 10)}
	}
	return &Call{Pos: pos, Name: name.text, Args: args}
}

// literalArg returns the only argument when it is a plain literal.
func literalArg(args []Expr) *Number {
	if len(args) != 1 {
		return nil
	}
	n, ok := args[0].(*Number)
	if !ok || n.Unit != Plain || strings.HasPrefix(n.Text, "-") {
		return nil
	}
	return n
}
