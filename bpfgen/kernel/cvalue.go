package kernel

import (
	"regexp"
	"strconv"
	"strings"
)

// Constant expressions of C, as the tables in a "print fmt" have them:
//
//	(unsigned long)((( gfp_t)((((1UL))) << (10))) | (( gfp_t)0x80u))
//
// Everything is computed in 64 bits, which is what the kernel compares with. What
// is not understood has no value.

// cToken matches a token: a literal, a name, an operator or a single character.
var cToken = regexp.MustCompile(`"(?:\\.|[^"\\])*"|[0-9][0-9a-zA-Z]*|[a-zA-Z_][a-zA-Z_0-9]*|->|<<|>>|<=|>=|==|!=|&&|\|\||[^\s]`)

func cTokens(text string) []string { return cToken.FindAllString(text, -1) }

// A cReader computes an expression from its tokens.
type cReader struct {
	tokens []string

	// named is the value of a name; nil: none has one.
	named func(string) (int64, bool)

	bad bool // there is no value
}

// cValue returns the value of an expression.
func cValue(tokens []string, named func(string) (int64, bool)) (value int64, ok bool) {
	r := &cReader{tokens: tokens, named: named}
	value = r.binary(0)
	return value, !r.bad && len(r.tokens) == 0
}

func (r *cReader) peek() string {
	if len(r.tokens) == 0 {
		return ""
	}
	return r.tokens[0]
}

func (r *cReader) next() string {
	t := r.peek()
	if t == "" {
		r.bad = true
		return ""
	}
	r.tokens = r.tokens[1:]
	return t
}

func (r *cReader) expect(token string) { r.bad = r.next() != token || r.bad }

// A cOperator is a binary operator: how tightly it binds, and what it gives.
type cOperator struct {
	level int
	apply func(a, b int64) int64
}

var cOperators = map[string]cOperator{
	"|":  {1, func(a, b int64) int64 { return a | b }},
	"^":  {2, func(a, b int64) int64 { return a ^ b }},
	"&":  {3, func(a, b int64) int64 { return a & b }},
	"<<": {4, func(a, b int64) int64 { return a << (b & 63) }},
	">>": {4, func(a, b int64) int64 { return int64(uint64(a) >> (b & 63)) }},
	"+":  {5, func(a, b int64) int64 { return a + b }},
	"-":  {5, func(a, b int64) int64 { return a - b }},
	"*":  {6, func(a, b int64) int64 { return a * b }},
}

// binary = unary { operator unary }, of operators that bind more tightly than
// those of a level.
func (r *cReader) binary(level int) int64 {
	a := r.unary()
	for !r.bad {
		op, ok := cOperators[r.peek()]
		if !ok || op.level <= level {
			break
		}
		r.next()
		a = op.apply(a, r.binary(op.level))
	}
	return a
}

// unary = ( "-" | "~" | "+" | cast ) unary | primary.
func (r *cReader) unary() int64 {
	switch {
	case r.bad:
		return 0
	case r.peek() == "-":
		r.next()
		return -r.unary()
	case r.peek() == "~":
		r.next()
		return ^r.unary()
	case r.peek() == "(":
		if name, ok := r.cast(); ok {
			return castTo(name, r.unary())
		}
	}
	return r.primary()
}

// primary = "(" binary ")" | literal | name.
func (r *cReader) primary() int64 {
	t := r.next()
	switch {
	case r.bad:
	case t == "(":
		v := r.binary(0)
		r.expect(")")
		return v
	case t[0] >= '0' && t[0] <= '9':
		v, err := strconv.ParseUint(strings.TrimRight(t, "uUlL"), 0, 64)
		r.bad = err != nil
		return int64(v)
	case isWord(rune(t[0])) && r.named != nil:
		v, ok := r.named(t)
		r.bad = !ok
		return v
	default:
		r.bad = true
	}
	return 0
}

// cast takes "(type)" from before an operand.
func (r *cReader) cast() (name string, ok bool) {
	close := 1
	for close < len(r.tokens) && isTypeWord(r.tokens[close]) {
		close++
	}
	if close == 1 || close+1 >= len(r.tokens) || r.tokens[close] != ")" {
		return "", false
	}
	name = strings.Join(r.tokens[1:close], " ")
	r.tokens = r.tokens[close+1:]
	return name, true
}

// isTypeWord says whether a name is one of a type's, and not a constant's.
func isTypeWord(word string) bool {
	switch word {
	case "unsigned", "signed", "long", "int", "short", "char":
		return true
	}
	_, known := integers[word]
	return known || strings.HasSuffix(word, "_t") && isWord(rune(word[0]))
}

// castTo is a value in a type, where that is known.
func castTo(name string, v int64) int64 {
	known, ok := integers[name]
	if !ok || known.size >= 8 {
		return v
	}
	shift := 64 - 8*known.size
	if known.signed {
		return v << shift >> shift
	}
	return int64(uint64(v) << shift >> shift)
}
