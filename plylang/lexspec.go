package plylang

import "strings"

// spellings of the providers that trace functions: in their specifications a
// "/" begins the predicate. All others have "/" in their names and paths.
var functionProviders = []string{"kprobe", "kretprobe", "fentry", "fexit", "kfunc", "kretfunc"}

var otherProviders = []string{
	"tracepoint", "trace", "rawtracepoint", "uprobe", "uretprobe", "usdt",
	"profile", "interval", "software", "hardware",
}

// providerAliases are the short names that are no prefixes, or that would be
// ambiguous ones.
var providerAliases = map[string]string{
	"k": "kprobe", "kr": "kretprobe", "t": "tracepoint", "rt": "rawtracepoint", "u": "uprobe", "ur": "uretprobe",
}

// tracesFunctions says whether a provider, as written, traces functions.
func tracesFunctions(name string) bool {
	if full, ok := providerAliases[name]; ok {
		name = full
	}
	return isPrefix(name, functionProviders)
}

// isProvider says whether a name can be a provider's.
func isProvider(name string) bool {
	_, alias := providerAliases[name]
	return alias || isPrefix(name, functionProviders) || isPrefix(name, otherProviders)
}

func isPrefix(name string, of []string) bool {
	for _, full := range of {
		if strings.HasPrefix(full, name) {
			return true
		}
	}
	return false
}

// maxSpec is the longest specification in bytes.
const maxSpec = 4096

// isEdge says whether a name is a whole specification, at probe position.
func isEdge(name string) bool { return name == "BEGIN" || name == "END" }

// spec reads a probe specification:
//
//	spec = NAME ":" target | "BEGIN" | "END" ;
//
// whose target is anything up to white space, a comma or "{", and for
// functions up to "/". It returns bad, without a report, when no
// specification stands here.
func (l *lexer) spec() token {
	l.skipBlanks()
	pos := l.off
	n := nameLen(l.text[pos:])
	name := l.text[pos : pos+n]
	if !strings.HasPrefix(l.text[pos+n:], ":") {
		if !isEdge(name) {
			return token{kind: bad, pos: pos, end: pos}
		}
		l.off += n
		return l.token(SPEC, pos)
	}
	stop := " \t\n\r\v\f,{"
	if tracesFunctions(name) {
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
