package plylang

import (
	"fmt"
	"slices"
	"strings"
)

const (
	maxSource = 1 << 20 // bytes; more than any program the kernel accepts comes from
	maxDepth  = 200     // of parentheses, operators and statements in each other
	maxChain  = 1000    // operators side by side
	maxTokens = 100_000 // no program the kernel accepts comes from more
	maxSpecs  = 1000    // of a script; each may be a program in the kernel
)

// Parse returns the syntax tree of a script:
//
//	script, err := plylang.Parse(&plylang.Source{File: "x.ply", Text: text})
//
// The error, if any, is an ErrorList with every syntax error, in order; Detail
// shows it with source lines. The warnings are in the Script. With an error
// comes the tree of the probes that have none, so that Check can report
// everything at once, or nil where there are no such probes. Parse accepts
// scripts of at most 1 MiB. It needs no kernel and runs on any operating system.
//
//	script = probe { probe } ;
func Parse(src *Source) (*Script, error) {
	p := newParser(src)
	if len(src.Text) > maxSource {
		p.errorf(0, "script has %d bytes, the limit is %d", len(src.Text), maxSource)
		return nil, p.errs.list
	}
	script := &Script{Src: src}
	p.next()
	for p.tok.kind != EOF {
		faults, failed := p.faults, p.failed
		if probe := p.probe(); p.faults == faults && !failed {
			script.Probes = append(script.Probes, probe)
		}
	}
	if len(script.Probes) == 0 && len(p.errs.list) == 0 {
		p.errorf(0, "script is empty: write a probe and what to do there, as in kprobe:vfs_read { @[comm] = count(); }")
	}
	if script.syntax = p.errs.sorted(src, "errors"); len(script.syntax) > 0 {
		if p.lex.broken || len(script.Probes) == 0 {
			return nil, script.syntax
		}
		return script, script.syntax
	}
	script.Comments = p.lex.comments
	script.Warnings = slices.Concat(p.mixWarnings(), p.rankWarnings(), p.gluedWarnings(), p.hiddenWarnings(script))
	return script, nil
}

// A parser has one token of lookahead. The first error in a statement turns
// that token into bad, which nothing accepts, so that all functions return by
// themselves and report nothing more; the list of statements (or of probes)
// then skips to where it can go on.
type parser struct {
	src  *Source
	errs diagnostics
	lex  lexer

	tok     token
	prev    token // the token before
	failed  bool  // tok is bad and held the real token
	held    token
	tokens  int // read so far
	probes  int // specifications read so far
	depth   int
	faults  int  // what was reported and given up so far
	tooDeep bool // the statement failed for its depth: its branches would too

	unclosed bool // a block of this probe has no end, and it was reported
	missing  int  // how many "}" were reported as missing

	inPred    bool
	brackets  int // how many are open around an expression
	predSlash int // the last division of the predicate outside of brackets, -1 when there is none

	paren  Expr      // the expression that was parenthesized last
	glued  []*Spec   // end with the "?" of a glob, and another probe follows
	mixed  []Pos     // where operators of different precedence meet
	ranked []*Binary // whose operand is a comparison without parentheses
	dollar bool      // a map is named $x
}

func newParser(src *Source) *parser {
	p := &parser{src: src, predSlash: -1}
	p.lex = lexer{text: src.Text, report: p.errorf}
	return p
}

// errorf reports a diagnostic, wherever the parser is.
func (p *parser) errorf(pos int, format string, args ...any) {
	p.faults++
	p.errs.add(newError(p.src, Pos(pos), format, args...))
}

// fail reports what is wrong with the current statement, once.
func (p *parser) fail(pos int, format string, args ...any) {
	if p.failed {
		return
	}
	if p.tok.kind != bad && !p.lex.broken {
		p.errorf(pos, format, args...)
	}
	p.giveUp()
}

// giveUp ends the current statement without a report.
func (p *parser) giveUp() {
	p.faults++
	p.failed = true
	p.held = p.tok
	p.tok.kind = bad
}

// stop reports what is too much of the script, and skips the rest of it.
func (p *parser) stop(pos int, format string, args ...any) {
	p.errorf(pos, format, args...)
	p.lex.off, p.lex.broken = len(p.src.Text), true
}

// unexpected reports the current token where want should be.
func (p *parser) unexpected(want string) {
	switch {
	case p.inPred && p.prev.pos == p.predSlash && p.tok.kind == QUESTION:
		p.fail(p.predSlash, lateQuestion)
	case p.inPred && p.prev.pos == p.predSlash:
		p.fail(p.predSlash, openPredicate)
	case p.foreign(p.tok.pos), p.unitApart():
	case p.tok.kind == ASSIGN:
		p.fail(p.tok.pos, `"=" is not allowed inside an expression: to compare, write "=="`)
	case p.tok.kind == INC, p.tok.kind == DEC:
		p.fail(p.tok.pos, `"%v" is not allowed inside an expression: make it a statement of its own`, p.tok.kind)
	default:
		p.fail(p.tok.pos, "expected %s, found %s", want, p.found())
	}
}

// unitApart reports a unit that is apart from its number.
func (p *parser) unitApart() bool {
	if p.prev.kind != NUMBER || p.tok.kind != NAME || p.prev.pos >= p.tok.pos {
		return false
	}
	joined := p.prev.text + strings.TrimSuffix(p.tok.text, "B")
	if _, msg := parseNumber(joined); msg != "" {
		return false
	}
	p.fail(p.tok.pos, "no blank is allowed between a number and its unit: write %s", short(joined))
	return true
}

// found describes the current token.
func (p *parser) found() string {
	switch t := p.tok; t.kind {
	case EOF:
		return t.kind.String()
	case STRING:
		return "a string"
	case NAME, MAPNAME, NUMBER:
		return fmt.Sprintf("%q", short(t.text))
	default:
		return fmt.Sprintf("%q", t.kind)
	}
}

// next moves to the next token.
func (p *parser) next() {
	if p.failed {
		return
	}
	p.prev = p.tok
	if p.tokens++; p.tokens == maxTokens {
		p.stop(p.lex.off, "script has more than %d words and signs: make it several scripts", maxTokens)
	}
	p.tok = p.lex.next()
	if p.tok.kind == bad { // which the lexer reported
		p.giveUp()
	}
}

// accept moves past a token of that kind, if it is the current one.
func (p *parser) accept(kind Token) bool {
	if p.tok.kind != kind {
		return false
	}
	p.next()
	return true
}

// expect moves past a token that must be there.
func (p *parser) expect(kind Token) {
	if !p.accept(kind) {
		p.unexpected(fmt.Sprintf("%q", kind))
	}
}

// enter goes one level deeper; leave comes back.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxDepth {
		p.tooDeep = p.tooDeep || !p.failed
		p.fail(p.tok.pos, "nested deeper than %d levels: use a local for a part of it", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }
