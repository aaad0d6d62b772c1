package plylang

import (
	"slices"
	"strings"
)

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

// exampleSpecs shows how the probes of a provider are written.
var exampleSpecs = map[string]string{
	"kretprobe": "kretprobe:vfs_read", "tracepoint": "tracepoint:sched/sched_switch", "trace": "trace:sched/sched_switch",
	"rawtracepoint": "rawtracepoint:sched_switch", "profile": "profile:99hz", "interval": "interval:1s",
	"software": "software:page-faults:100", "hardware": "hardware:cache-misses:1M",
}

// exampleSpec is how a probe of the provider is written, and of any if there is
// no such provider.
func exampleSpec(provider string) string {
	if example, ok := exampleSpecs[fullProvider(provider)]; ok {
		return example
	}
	return "kprobe:vfs_read"
}

// tracesFunctions says whether a provider, as written, traces functions.
func tracesFunctions(name string) bool {
	return slices.Contains(functionProviders, fullProvider(name))
}

// isProvider says whether a name can be a provider's.
func isProvider(name string) bool { return fullProvider(name) != "" }

// fullProvider is the first provider that a name may stand for, "" when it is
// none's.
func fullProvider(name string) string {
	if full, ok := providerAliases[name]; ok {
		return full
	}
	for _, full := range slices.Concat(functionProviders, otherProviders) {
		if strings.HasPrefix(full, name) {
			return full
		}
	}
	return ""
}

// predicateIn returns where the "/" stands in the target of a provider that
// can only begin a predicate, -1 when there is none. A tracepoint's name has
// one that does not, and a path any number.
func predicateIn(provider, target string) int {
	name := 0
	switch fullProvider(provider) {
	case "tracepoint", "trace":
		name = strings.IndexAny(target, "/:") + 1
	case "rawtracepoint", "profile", "interval", "software", "hardware":
	default:
		return -1
	}
	if i := strings.IndexByte(target[name:], '/'); i >= 0 {
		return name + i
	}
	return -1
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
