package plylang

import (
	"strings"
	"unicode/utf8"
)

// A token is a lexical element and where it is. Keywords are NAMEs: only
// the parser knows where a name can be one.
type token struct {
	kind Token
	pos  int
	end  int
	text string // names and numbers as written, strings without quotes and escapes
	num  number // NUMBER only
}

// A lexer cuts a script into tokens, one at a time. The parser asks for a
// probe specification with spec and for anything else with next.
type lexer struct {
	text     string
	off      int
	comments []Comment
	report   func(pos int, format string, args ...any)
	quiet    bool // do not report: this text is being skipped or looked at
	broken   bool // the text ends too early or is too long, which was reported
}

// next returns the token after blanks and comments.
func (l *lexer) next() token {
	l.skipBlanks()
	pos := l.off
	if pos >= len(l.text) {
		return token{kind: EOF, pos: pos, end: pos}
	}
	switch c := l.text[pos]; {
	case isLetter(c):
		l.off += nameLen(l.text[pos:])
		return l.token(NAME, pos)
	case isDigit(c):
		return l.number()
	case c == '"':
		return l.str()
	case c == '@' || c == '$':
		return l.mapName()
	}
	return l.operator()
}

func (l *lexer) token(kind Token, pos int) token {
	return token{kind: kind, pos: pos, end: l.off, text: l.text[pos:l.off]}
}

// errorf reports a diagnostic unless the text is only being looked at.
func (l *lexer) errorf(pos int, format string, args ...any) {
	if !l.quiet {
		l.report(pos, format, args...)
	}
}

// mapName reads $name, $1, @name or @ alone.
func (l *lexer) mapName() token {
	pos := l.off
	l.off++
	n := nameLen(l.text[l.off:])
	for l.text[pos] == '$' && n == 0 && l.off < len(l.text) && isDigit(l.text[l.off]) {
		l.off++
	}
	l.off += n
	if l.text[pos] == '$' && l.off == pos+1 {
		l.errorf(pos, `"$" needs a name, as in $start, or the number of an argument, as in $1`)
		return l.token(bad, pos)
	}
	return l.token(MAPNAME, pos)
}

// operator reads the longest operator, or reports what is none.
func (l *lexer) operator() token {
	pos := l.off
	for n := min(3, len(l.text)-pos); n > 0; n-- {
		kind, ok := operators[l.text[pos:pos+n]]
		if !ok {
			continue
		}
		l.off += n
		if kind == DIV && l.beforeBlock() {
			kind = SLASH_END
		}
		return l.token(kind, pos)
	}
	return l.garbage()
}

// garbage reports a run of characters that no token begins with, once.
func (l *lexer) garbage() token {
	pos := l.off
	r, size := utf8.DecodeRuneInString(l.text[pos:])
	switch {
	case r == 0:
		l.errorf(pos, "NUL byte: a script is text")
	case strings.ContainsRune("'‘’“”", r):
		l.errorf(pos, `strings are written in double quotes: "..."`)
	case r == utf8.RuneError && size == 1:
		l.errorf(pos, "invalid UTF-8 (byte %#02x): a script is text", l.text[pos])
	default:
		l.errorf(pos, "unexpected character %q", r)
	}
	for l.off < len(l.text) && !startsToken(l.text[l.off]) {
		l.off++
	}
	l.off = max(l.off, pos+size)
	return l.token(bad, pos)
}

// startsToken says whether c is a blank or may begin a token.
func startsToken(c byte) bool {
	_, op := operators[string(c)]
	return op || isBlank(c) || isLetter(c) || isDigit(c) || c == '"' || c == '@' || c == '$' || c == '#'
}

// beforeBlock says whether blanks, comments and "{" follow.
func (l *lexer) beforeBlock() bool {
	defer l.look()()
	l.skipBlanks()
	return strings.HasPrefix(l.text[l.off:], "{")
}

// look lets the caller read ahead; what it returns goes back.
func (l *lexer) look() (back func()) {
	saved := *l
	l.quiet = true
	return func() { *l = saved }
}

// skipBlanks skips white space and comments and keeps the comments.
func (l *lexer) skipBlanks() {
	for l.off < len(l.text) {
		rest := l.text[l.off:]
		switch {
		case isBlank(rest[0]):
			l.off++
		case rest[0] == '#' || strings.HasPrefix(rest, "//"):
			l.comment(lineLen(rest))
		case strings.HasPrefix(rest, "/*"):
			l.blockComment(rest)
		case l.off == 0 && strings.HasPrefix(rest, byteOrderMark):
			l.off += len(byteOrderMark)
		default:
			return
		}
	}
}

const byteOrderMark = "\ufeff"

func (l *lexer) blockComment(rest string) {
	n := strings.Index(rest[2:], "*/")
	if n < 0 {
		l.errorf(l.off, `comment is never closed: "*/" is missing`)
		l.broken = true
		l.off = len(l.text)
		return
	}
	l.comment(n + len("/**/"))
}

// comment keeps the next n bytes as a comment.
func (l *lexer) comment(n int) {
	text := l.text[l.off : l.off+n]
	if i := badUTF8(text); i >= 0 {
		l.errorf(l.off+i, "invalid UTF-8 (byte %#02x) in a comment: a script is text", text[i])
	}
	if !l.quiet {
		l.comments = append(l.comments, Comment{Pos: Pos(l.off), Text: strings.TrimRight(text, " \t\r\v\f")})
	}
	l.off += n
}

// badUTF8 returns where s stops being valid text, -1 when it is.
func badUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return i
		}
	}
	return -1
}

func lineLen(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

func nameLen(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || n > 0 && isDigit(s[n])) {
		n++
	}
	return n
}

func isBlank(c byte) bool  { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

// before says whether a token of one of the kinds follows.
func (l *lexer) before(kinds ...Token) bool {
	defer l.look()()
	t := l.next()
	for _, kind := range kinds {
		if t.kind == kind {
			return true
		}
	}
	return false
}

// beforeAssign says whether an operator that stores follows.
func (l *lexer) beforeAssign() bool {
	defer l.look()()
	return l.next().kind.isAssign()
}

// beforeElse says whether "else" follows.
func (l *lexer) beforeElse() bool {
	defer l.look()()
	t := l.next()
	return t.kind == NAME && t.text == "else"
}
