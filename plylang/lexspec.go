package plylang

import "strings"

// maxSpec is the longest specification in bytes.
const maxSpec = 4096

// spec reads a probe specification:
//
//	spec = NAME ":" target | "BEGIN" | "END" ;
//
// whose target is anything up to white space, a comma or "{", and for
// functions up to "/". It returns bad, without a report, when no
// specification is here.
func (l *lexer) spec() token {
	l.skipBlanks()
	pos := l.off
	n := nameLen(l.text[pos:])
	name := l.text[pos : pos+n]
	if !strings.HasPrefix(l.text[pos+n:], ":") {
		if !isWholeSpec(name) {
			return token{kind: bad, pos: pos, end: pos}
		}
		l.off += n
		return l.token(SPEC, pos)
	}
	stop := " \t\n\r\v\f,{"
	if slashEndsTarget(name) {
		stop += "/"
	}
	rest := l.text[pos+n+1:]
	end := strings.IndexAny(rest, stop)
	if end < 0 {
		end = len(rest)
	}
	l.off = pos + n + 1 + end
	if size := n + 1 + end; size > maxSpec {
		l.errorf(pos, "probe specification of %d bytes, the limit is %d: split it with commas, or use a shorter glob", size, maxSpec)
		return token{kind: bad, pos: pos, end: l.off}
	}
	if i := badUTF8(rest[:end]); i >= 0 {
		l.errorf(pos+n+1+i, "invalid UTF-8 (byte %#02x) in a probe: a script is text", rest[i])
	} else if i := strings.IndexByte(rest[:end], 0); i >= 0 {
		l.errorf(pos+n+1+i, "NUL byte: a script is text")
	}
	return l.token(SPEC, pos)
}
