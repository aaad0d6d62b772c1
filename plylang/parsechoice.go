package plylang

// choices parses where a probe is:
//
//	choice { "," choice }
func (p *parser) choices(probe *Probe) {
	for {
		if !p.isSpec(p.tok) {
			p.noSpec(probe)
			return
		}
		probe.Choices = append(probe.Choices, p.choice())
		if !p.accept(COMMA) {
			return
		}
	}
}

// choice parses
//
//	choice = SPEC { "?" SPEC } [ "?" ] ;
func (p *parser) choice() *Choice {
	c := &Choice{Specs: []*Spec{p.spec()}}
	for p.tok.kind == QUESTION {
		p.question()
		if !p.isSpec(p.tok) {
			c.Optional = true
			p.endOfChoice(c)
			break
		}
		c.Specs = append(c.Specs, p.spec())
	}
	p.noteGlob(c.Specs[len(c.Specs)-1])
	return c
}

// question moves past a "?", which stands apart from what follows: otherwise
// it looks like the glob's.
func (p *parser) question() {
	at := p.tok
	p.next()
	if p.tok.pos == at.end && p.tok.kind == NAME {
		p.fail(at.pos, `a blank belongs after the "?" between two probes, and before it: otherwise it is a glob's`)
	}
}

// endOfChoice finds fault with what follows a "?" and is no specification.
func (p *parser) endOfChoice(c *Choice) {
	switch t := p.tok; {
	case t.kind == SEMICOLON:
		p.fail(t.pos, `";" separates statements and does not follow a probe: leave it out`)
	case t.kind == QUESTION:
		p.fail(t.pos, `a second "?": one is enough for a probe that may be absent`)
	case t.kind == NAME && p.lex.before(COLON):
		p.fail(t.pos, "no blank is allowed before the colon of a probe, as in kprobe:vfs_read")
	case t.kind == NAME && keywordStmts[t.text] == nil && p.lex.before(LBRACE, COMMA, QUESTION, SLASH_END, DIV, EOF):
		p.fail(t.pos, "%q has no provider: write %s:%s", short(t.text), c.Specs[0].Provider, short(t.text))
	}
}

// noteGlob remembers a "?" at the end of a target that another probe follows on
// its line, as if it were an alternative.
func (p *parser) noteGlob(s *Spec) {
	if n := len(s.Target); n > 0 && s.Target[n-1] == '?' && p.isSpec(p.tok) && !p.onNewLine() {
		p.glued = append(p.glued, s)
	}
}

// gluedWarnings warns of each.
func (p *parser) gluedWarnings() (list ErrorList) {
	for _, s := range p.glued {
		list.Add(p.src, s.Pos, `the "?" belongs to the glob %s, and another probe follows: an alternative has a blank before its "?"`, s)
	}
	return list
}
