package plylang

import "strings"

// sync ends a failed statement: it skips to the next block or to after the
// next ";", or to the "}" or the probe before them, and says whether
// statements can go on.
func (p *parser) sync() bool {
	p.lex.quiet = true
	more := p.skipStmt()
	for more && p.tooDeep && p.lex.beforeElse() {
		p.held = p.lex.next()
		more = p.skipStmt()
	}
	p.lex.quiet = false
	p.failed, p.tooDeep = false, false
	if more {
		p.next()
	}
	return more
}

// skipStmt leaves the lexer where statements go on and returns true, or leaves
// p.tok at what ends the block and returns false. A statement that is too deep
// is skipped with its blocks.
func (p *parser) skipStmt() bool {
	open := 0
	for t := p.held; ; t = p.lex.next() {
		p.tok = t
		switch {
		case t.kind == EOF, p.beginsProbe(t), t.kind == RBRACE && open == 0:
			return false
		case t.kind == LBRACE && !p.tooDeep:
			p.lex.off = t.pos
			return true
		case t.kind == SEMICOLON && open == 0:
			return true
		case t.kind == LBRACE:
			open++
		case t.kind == RBRACE:
			open--
			if open == 0 {
				return true
			}
		}
	}
}

// toBlock goes on with the block of a probe whose head failed, if there is
// one.
func (p *parser) toBlock() {
	p.lex.quiet = true
	for t := p.held; ; t = p.lex.next() {
		p.held = t
		if t.kind == LBRACE {
			p.tok = t
			p.failed, p.inPred = false, false
		}
		if t.kind == LBRACE || t.kind == RBRACE || t.kind == SEMICOLON || t.kind == EOF || p.beginsProbe(t) {
			break
		}
	}
	p.lex.quiet = false
}

// syncProbe ends a failed probe: it skips to after the next block, or to the
// next probe.
func (p *parser) syncProbe() {
	p.lex.quiet = true
	closed := p.skipProbe()
	p.lex.quiet = false
	p.failed = false
	if closed {
		p.next()
	}
}

// skipProbe leaves the lexer after a block and returns true, or leaves p.tok
// at the next probe or the end and returns false.
func (p *parser) skipProbe() bool {
	open := 0
	last := EOF
	for t := p.held; ; t = p.lex.next() {
		p.tok = t
		fresh := open == 0 && (last == SEMICOLON || last == RBRACE)
		switch {
		case t.kind == EOF, p.beginsProbe(t), fresh && p.isSpec(t):
			return false
		case t.kind == LBRACE:
			open++
		case t.kind == RBRACE && open == 1:
			return true
		case t.kind == RBRACE && open > 1:
			open--
		}
		last = t.kind
	}
}

// isSpec says whether there is a specification at t, a name at probe position.
func (p *parser) isSpec(t token) bool {
	return t.kind == NAME && (strings.HasPrefix(p.src.Text[t.end:], ":") || isWholeSpec(t.text))
}

// endsBlock says whether t, where a statement should begin, is a probe
// instead.
func (p *parser) endsBlock(t token) bool {
	if t.kind != NAME {
		return false
	}
	rest := p.src.Text[t.end:]
	if isWholeSpec(t.text) {
		return strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "{")
	}
	return len(rest) > 1 && rest[0] == ':' && !isBlank(rest[1])
}

// beginsProbe says whether t, anywhere in text that is being skipped, is a
// probe: it is the first on its line and has the name of a provider.
func (p *parser) beginsProbe(t token) bool {
	if !p.endsBlock(t) || !isWholeSpec(t.text) && meantProvider(t.text) == nil {
		return false
	}
	before := strings.TrimRight(p.src.Text[:t.pos], " \t")
	return before == "" || strings.HasSuffix(before, "\n")
}
