package plylang

import "strings"

const (
	openPredicate  = `"/" ends a predicate only before "{": put braces around what follows`
	lateQuestion   = `"/" ends a predicate only before "{": the "?" of a probe that may be absent comes before its predicate`
	outsideProbe   = "statement outside of a probe: put it into the braces of one, as in BEGIN { ... }"
	emptyPredicate = "predicate is empty: write a condition between its two slashes"
)

// probe parses one probe, and skips to the next when it cannot.
//
//	probe = choice { "," choice } [ "/" expr "/" ] ( block | stmt | ) ;
func (p *parser) probe() *Probe {
	probe := &Probe{Pos: Pos(p.tok.pos)}
	p.unclosed = false
	p.choices(probe)
	if p.tok.kind == DIV {
		probe.Pred = p.predicate()
	}
	if p.failed {
		p.toBlock()
	}
	p.probeBody(probe)
	if p.failed {
		p.syncProbe()
	}
	return probe
}

// spec reads the current token again, as a specification.
func (p *parser) spec() *Spec {
	p.lex.off = p.tok.pos
	p.tok = p.lex.spec()
	if p.probes++; p.probes > maxSpecs {
		p.stop(p.tok.pos, "script has more than %d probes: use globs, as in kprobe:vfs_*, or make it several scripts", maxSpecs)
	}
	t := p.tok
	provider, target, colon := strings.Cut(t.text, ":")
	list := braceList(p.src.Text[t.end:])
	if list != "" {
		p.lex.off += len("{}") + len(list)
	}
	p.next()
	if strings.HasSuffix(target, ";") {
		p.fail(t.end-1, `";" separates statements and does not follow a probe: leave it out`)
	}
	if strings.HasPrefix(target, `"`) {
		p.fail(t.pos, "the target of a probe is written without quotes: write %s:%s", provider, strings.Trim(target, `"`))
	}
	if colon && target == "" {
		p.fail(t.end, `%q names nothing to trace: write it right after the colon, as in %s`, t.text, exampleSpec(provider))
	}
	if list != "" {
		p.fail(t.end, `"{" begins the body of a probe: for one of several write %s@(%s)`, t.text, strings.ReplaceAll(list, ",", "|"))
	}
	if i := predicateIn(provider, target); i >= 0 && (strings.HasSuffix(target, "/") || !p.endsHead()) {
		p.fail(t.end-len(target)+i, `a blank belongs before the "/" of a predicate: write %s:%s / ... /`, provider, target[:i])
	}
	return newSpec(t)
}

func newSpec(t token) *Spec {
	provider, target, _ := strings.Cut(t.text, ":")
	return &Spec{Pos: Pos(t.pos), Provider: provider, Target: target}
}

// braceList is what is in the braces of a shell's list that text begins with:
// "read,write" of "{read,write}"; "" when it does not.
func braceList(text string) string {
	list, _, ok := strings.Cut(strings.TrimPrefix(text, "{"), "}")
	if !ok || !strings.HasPrefix(text, "{") || !strings.Contains(list, ",") || strings.ContainsAny(list, " \t\n;()@$=\"") {
		return ""
	}
	return list
}

// endsHead says whether the current token can follow the last of a
// probe's specifications when there is no predicate, or any other.
func (p *parser) endsHead() bool {
	return p.tok.kind == LBRACE || p.tok.kind == COMMA || p.tok.kind == QUESTION || p.tok.kind == EOF
}

// noSpec says what is wrong with a token where a probe should begin.
func (p *parser) noSpec(probe *Probe) {
	switch t := p.tok; {
	case t.kind == RBRACE && p.missing > 0:
		p.missing-- // here is the one that was reported as missing
		p.giveUp()
	case t.kind == RBRACE:
		p.fail(t.pos, `"}" without a "{" before it`)
	case t.kind == NAME && p.lex.before(COLON):
		p.fail(t.pos, "no blank is allowed before the colon of a probe, as in kprobe:vfs_read")
	case t.kind == NAME && isWholeSpec(strings.ToUpper(t.text)):
		p.fail(t.pos, "%q is written in capitals: %s", t.text, strings.ToUpper(t.text))
	case t.kind == NAME && p.lex.before(SUB):
		p.fail(t.pos, "a probe is written with a colon, as in profile:99hz and interval:1s")
	case t.kind == SEMICOLON:
		p.fail(t.pos, `";" separates statements and does not follow a probe: leave it out`)
	case t.kind == DIV, t.kind == SLASH_END:
		p.fail(t.pos, "a predicate follows its probe, as in kprobe:vfs_read / pid == 1 / { ... }")
	case t.kind == QUESTION:
		p.fail(t.pos, `"?" follows a probe: write kprobe:a ? kprobe:b { ... }, or kprobe:a ? { ... } for a probe that may be absent`)
	case t.kind == NAME && foreign(t.text) != "":
		p.fail(t.pos, "there is no %q%s", t.text, foreign(t.text))
	case t.kind == NAME && len(probe.Choices) > 0:
		p.fail(t.pos, "%q has no provider: write %s:%s", short(t.text), probe.Choices[0].Specs[0].Provider, short(t.text))
	case len(probe.Choices) > 0:
		p.unexpected("a probe after the comma")
	case t.kind == NAME && keywordStmts[t.text] != nil:
		p.fail(t.pos, outsideProbe)
	case t.kind == NAME && ProviderNamed(t.text) != nil:
		p.fail(t.pos, "%q names nothing to trace: write it after a colon, as in %s", t.text, exampleSpec(t.text))
	case t.kind == NAME && p.lex.before(LBRACE, COMMA, DIV, EOF):
		p.fail(t.pos, "%q has no provider: write, for example, kprobe:%s", short(t.text), short(t.text))
	case p.startsStmt():
		p.fail(t.pos, outsideProbe)
	default:
		p.unexpected("a probe such as kprobe:vfs_read")
	}
}

// probeBody parses what follows the head of a probe. Behind a predicate that
// is a block, because only a block's "{" ends one.
func (p *parser) probeBody(probe *Probe) {
	switch {
	case p.failed:
	case p.tok.kind == SLASH_END:
		p.fail(p.tok.pos, emptyPredicate)
	case p.tok.kind == LBRACE:
		probe.Body = p.block()
	case p.joinsProbes():
		p.fail(p.tok.pos, "probes that share a body are separated by commas: write %s, ...", probe.Choices[0].Specs[0])
	case p.tok.kind == EOF || p.isSpec(p.tok):
		probe.Default = true
		probe.Body = defaultClause(Pos(p.prev.end))
	default:
		probe.Body = p.soleStmt()
	}
}

// joinsProbes says whether the current token is an "or" or "and", of whatever
// language, and no body can begin with it.
func (p *parser) joinsProbes() bool {
	switch p.tok.kind {
	case LOR, OR, LAND, AND:
		return true
	}
	return p.tok.kind == NAME && (p.tok.text == "or" || p.tok.text == "and")
}

// defaultClause is what a probe without a body means:
//
//	{ @[probe] = count(); }
func defaultClause(pos Pos) *Block {
	key := &Name{Pos: pos, Name: "probe"}
	count := &Assign{
		Pos: pos,
		LHS: &MapRef{Pos: pos, Name: "@", Keys: []Expr{key}},
		Op:  ASSIGN,
		X:   &Call{Pos: pos, Name: "count"},
	}
	return &Block{Pos: pos, Stmts: []Stmt{count}, End: pos}
}

// hiddenWarnings warns of blocks in a comment that begins as an empty condition would.
func (p *parser) hiddenWarnings(script *Script) (list ErrorList) {
	for _, probe := range script.Probes {
		if !probe.Default {
			continue
		}
		for _, c := range script.Comments {
			between := p.src.Text[min(probe.Body.Pos, c.Pos):c.Pos]
			block := strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(c.Text, "//"), " \t"), "{")
			if c.Pos >= probe.Body.Pos && strings.TrimSpace(between) == "" && block && !strings.Contains(between, "\n") {
				list.Add(p.src, c.Pos, "// begins a comment, and this probe counts its events without the block: leave out the //, or write a condition between its two slashes")
			}
		}
	}
	return list
}

// soleStmt parses a body without braces.
func (p *parser) soleStmt() *Block {
	b := &Block{Pos: Pos(p.tok.pos)}
	b.Stmts = []Stmt{p.stmt()}
	p.accept(SEMICOLON)
	b.End = Pos(p.prev.end)
	if p.tok.kind != EOF && !p.isSpec(p.tok) && p.startsStmt() && !p.foreignStmt(b.Stmts[0]) {
		p.fail(p.tok.pos, "a second statement: put braces around the statements of the probe")
	}
	return b
}

// predicate parses "/" expr "/", which only a block may follow.
func (p *parser) predicate() Expr {
	p.inPred, p.brackets, p.predSlash = true, 0, -1
	p.next()
	if p.tok.kind == SLASH_END {
		p.fail(p.tok.pos, emptyPredicate)
	}
	x := p.expr()
	switch {
	case p.tok.kind == SLASH_END:
		p.next()
	case p.tok.kind == ASSIGN && p.predSlash < 0:
		p.unexpected("")
	case p.predSlash >= 0:
		p.fail(p.predSlash, openPredicate)
	default:
		p.unexpected(`"/" to close the predicate`)
	}
	p.inPred = false
	return x
}
