package plylang

import "strings"

// block parses { stmts }.
//
//	block = "{" { stmt [ ";" ] } "}" ;
func (p *parser) block() *Block {
	open := p.tok
	b := &Block{Pos: Pos(open.pos)}
	if open.kind != LBRACE {
		p.unexpected(`"{"`)
		return b
	}
	p.next()
	p.stmts(b)
	b.End = Pos(p.tok.pos)
	if p.accept(RBRACE) || p.unclosed {
		return b
	}
	p.unclosed = true
	p.missing++
	if !p.lex.broken {
		p.errorf(open.pos, `"{" is never closed: "}" is missing`)
	}
	return b
}

// stmts parses statements up to the end of the block, whatever that is.
func (p *parser) stmts(b *Block) {
	orphans := false // an "else" may belong to an "if" that failed
	for {
		if p.failed {
			orphans = true
			if !p.sync() {
				p.unclosed = p.unclosed || p.tok.kind != RBRACE
				return
			}
		}
		if p.accept(SEMICOLON) || p.failed || orphans && p.acceptElse() {
			continue
		}
		if p.tok.kind == RBRACE || p.tok.kind == EOF || p.endsBlock(p.tok) {
			return
		}
		s := p.stmt()
		b.Stmts = append(b.Stmts, s)
		orphans = orphans && !isSimple(s)
		p.endStmt(s)
	}
}

// endStmt checks what follows a statement.
func (p *parser) endStmt(s Stmt) {
	s = lastStmt(s)
	switch {
	case p.tok.kind == SEMICOLON, p.tok.kind == RBRACE, p.tok.kind == EOF, p.endsBlock(p.tok), p.failed:
	case p.prev.kind == RBRACE:
	case p.tok.kind == LBRACE && isMapRef(s):
		p.fail(p.tok.pos, "the labels of a map are in brackets: write %s[...]", short(p.prev.text))
	case p.unitApart():
	case !p.startsStmt():
		p.unexpected(`";"`)
	case p.onNewLine():
		p.errorf(p.prev.end, `";" is missing between two statements`)
	case p.tok.kind == INC, p.tok.kind == DEC:
		p.unexpected(`";"`)
	case p.tok.kind == NAME && isDeclaration(s):
		p.fail(p.prev.pos, "types are inferred: leave %q out", p.prev.text)
	case p.foreignStmt(s):
	case isBareName(s):
		p.fail(p.prev.pos, "the arguments of %s are written in parentheses: write %s(...)", short(p.prev.text), short(p.prev.text))
	case p.tok.kind == STRING:
		p.fail(p.tok.pos, "text is not joined: print its parts side by side")
	default:
		p.fail(p.prev.end, `";" is missing between two statements`)
	}
}

// isMapRef says whether a statement is a map's name alone.
func isMapRef(s Stmt) bool {
	x, ok := s.(*ExprStmt)
	if !ok {
		return false
	}
	ref, ok := x.X.(*MapRef)
	return ok && ref.Keys == nil
}

// lastStmt is the statement that s ends with: s, or that of its last branch.
func lastStmt(s Stmt) Stmt {
	for {
		switch n := s.(type) {
		case *If:
			if s = n.Else; s == nil {
				s = n.Then
			}
		case *Block:
			if len(n.Stmts) == 0 {
				return s
			}
			s = n.Stmts[len(n.Stmts)-1]
		default:
			return s
		}
	}
}

// onNewLine says whether the current token is the first of a line.
func (p *parser) onNewLine() bool {
	return strings.Contains(p.src.Text[p.prev.end:p.tok.pos], "\n")
}

// isSimple says whether a statement needs a ";" after it.
func isSimple(s Stmt) bool {
	switch s.(type) {
	case *Block, *If, *Unroll:
		return false
	}
	return true
}

// isDeclaration says whether s is the "u64" of "u64 x = 1".
func isDeclaration(s Stmt) bool {
	x, ok := s.(*ExprStmt)
	if !ok {
		return false
	}
	name, ok := x.X.(*Name)
	return ok && isTypeWord(name.Name)
}

// isBareName says whether s is a name and nothing else: the "print" of
// "print 5".
func isBareName(s Stmt) bool {
	x, ok := s.(*ExprStmt)
	if !ok {
		return false
	}
	_, ok = x.X.(*Name)
	return ok
}

// startsStmt says whether the current token can begin a statement.
func (p *parser) startsStmt() bool {
	switch p.tok.kind {
	case NAME, MAPNAME, NUMBER, STRING, LPAREN, LBRACE, INC, DEC, MUL, SUB, NOT, TILDE:
		return true
	}
	return false
}

const keywordName = "%s is a keyword: choose another name"

// stmt parses one statement.
func (p *parser) stmt() Stmt {
	p.enter()
	defer p.leave()
	switch {
	case p.tok.kind == LBRACE:
		return p.block()
	case p.tok.kind == NAME:
		if parse, ok := keywordStmts[p.tok.text]; ok {
			if p.lex.beforeAssign() {
				p.fail(p.tok.pos, keywordName, p.tok.text)
			}
			return parse(p)
		}
	}
	return p.simple()
}

// keywordStmts are the statements that begin with a keyword, and words of C
// that do not exist here.
var keywordStmts map[string]func(*parser) Stmt

func init() {
	keywordStmts = map[string]func(*parser) Stmt{
		"if":       (*parser).ifStmt,
		"else":     (*parser).strayElse,
		"unroll":   (*parser).unroll,
		"break":    (*parser).breakStmt,
		"continue": (*parser).continueStmt,
		"return":   (*parser).returnStmt,
		"delete":   (*parser).deleteStmt,
		"for":      (*parser).loop,
		"foreach":  (*parser).loop,
		"while":    (*parser).loop,
	}
}

// ifStmt parses
//
//	"if" "(" expr ")" stmt [ "else" stmt ]
func (p *parser) ifStmt() Stmt {
	p.enter()
	defer p.leave()
	s := &If{Pos: Pos(p.tok.pos)}
	p.next()
	p.expect(LPAREN)
	s.Cond = p.expr()
	p.expect(RPAREN)
	s.Then = p.branch()
	if p.tok.kind == SEMICOLON && p.lex.beforeElse() {
		p.next()
	}
	if !p.acceptElse() {
		return s
	}
	if p.isName("if") {
		s.Else = p.ifStmt()
	} else {
		s.Else = p.branch()
	}
	return s
}

// branch parses a statement and makes it a block if it is none.
func (p *parser) branch() *Block {
	if p.tok.kind == LBRACE {
		p.enter()
		defer p.leave()
		return p.block()
	}
	b := &Block{Pos: Pos(p.tok.pos)}
	b.Stmts = []Stmt{p.stmt()}
	b.End = Pos(p.prev.end)
	return b
}

func (p *parser) isName(name string) bool { return p.tok.kind == NAME && p.tok.text == name }

func (p *parser) acceptElse() bool { return p.isName("else") && p.accept(NAME) }

func (p *parser) strayElse() Stmt {
	p.fail(p.tok.pos, `"else" without an "if" before it`)
	return &Return{}
}

// loop reports a loop of C and checks its body.
func (p *parser) loop() Stmt {
	word, hint := p.tok, "use unroll (8) { ... }, with break to leave it"
	p.next()
	open := 0
	for p.tok.kind != EOF && p.tok.kind != LBRACE && p.tok.kind != RBRACE && !p.failed {
		switch {
		case p.tok.kind == LPAREN:
			open++
		case p.tok.kind == RPAREN:
			open--
		case p.tok.kind == COLON, p.isName("in"):
			hint = "a map cannot be walked, but print(@x) prints it; to repeat something, use unroll (8) { ... }"
		}
		p.next()
		if open == 0 {
			break
		}
	}
	p.errorf(word.pos, "there is no %q: %s", word.text, hint)
	return p.branch()
}

// unroll parses
//
//	"unroll" "(" NUMBER ")" block
func (p *parser) unroll() Stmt {
	s := &Unroll{Pos: Pos(p.tok.pos)}
	p.next()
	p.expect(LPAREN)
	if p.tok.kind != NUMBER {
		p.unexpected("a number of rounds")
	}
	s.Count = p.number()
	p.expect(RPAREN)
	s.Body = p.block()
	return s
}

func (p *parser) breakStmt() Stmt {
	s := &Break{Pos(p.tok.pos)}
	p.next()
	return s
}

func (p *parser) continueStmt() Stmt {
	s := &Continue{Pos(p.tok.pos)}
	p.next()
	return s
}

func (p *parser) returnStmt() Stmt {
	s := &Return{Pos(p.tok.pos)}
	p.next()
	if p.startsStmt() && !p.onNewLine() && !p.isName("else") {
		p.fail(p.tok.pos, "return takes no value: a probe has no result")
	}
	return s
}

// deleteStmt parses "delete" map; the map may be in parentheses.
func (p *parser) deleteStmt() Stmt {
	s := &Delete{Pos: Pos(p.tok.pos)}
	p.next()
	paren := p.accept(LPAREN)
	if p.tok.kind != NAME && p.tok.kind != MAPNAME {
		p.unexpected("a map")
	}
	s.Map = p.mapOf(p.primary())
	if p.tok.kind == LBRACK {
		p.fail(p.tok.pos, severalKeys)
	}
	if paren && p.tok.kind == COMMA {
		p.fail(p.tok.pos, "the key is written in brackets: write delete %s[key]", s.Map.Name)
	}
	if paren {
		p.expect(RPAREN)
	}
	return s
}
