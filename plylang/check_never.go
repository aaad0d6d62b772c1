package plylang

import (
	"fmt"
	"math"
)

// Comparisons that have the same result always, by the sizes and signs of their
// sides: an unsigned number with -1, a name with more text than it has room for.
// Only what holds in every clause of a probe is said, since the functions of a
// glob declare their arguments differently.

// checkNever warns of such comparisons.
func (c *checker) checkNever() {
	clauses := map[*Probe]int{}
	found := map[*Probe]map[Error]int{}
	for _, cl := range c.clauses {
		if cl.absent {
			continue
		}
		clauses[cl.Probe]++
		if found[cl.Probe] == nil {
			found[cl.Probe] = map[Error]int{}
		}
		for w := range cl.nevers() {
			found[cl.Probe][w]++
		}
	}
	for p, warnings := range found {
		for w, n := range warnings {
			if n == clauses[p] {
				c.warnf(w.Pos, "%s", w.Msg)
			}
		}
	}
}

// nevers are the warnings of one clause.
func (c *clause) nevers() map[Error]bool {
	found := map[Error]bool{}
	note := func(x Expr, msg string) {
		if msg != "" && !c.hasParam(x) {
			found[Error{Pos: x.Position(), Msg: msg}] = true
		}
	}
	c.inspect(func(x Expr) {
		switch x := x.(type) {
		case *Binary:
			note(x, c.neverCompared(x))
		case *In:
			c.neverIn(x, note)
		case *Call:
			note(x, neverBegins(x))
		}
	})
	return found
}

// inspect visits all expressions of the clause.
func (c *clause) inspect(visit func(Expr)) {
	if c.Pred != nil {
		Inspect(c.Pred, visit)
	}
	Inspect(c.Body, visit)
}

// neverCompared is about a comparison with a constant; "" where it depends.
func (c *clause) neverCompared(x *Binary) string {
	if opClasses[x.Op] != comparison || x.X.Type() == nil || x.Y.Type() == nil {
		return ""
	}
	if isText(x.X.Type()) && isText(x.Y.Type()) {
		return tooLong(x.Op, x.X, x.Y) + tooLong(x.Op, x.Y, x.X)
	}
	if v, ok := constant(x.Y); ok {
		return masked(x.X, x.Op, v) + outOfRange(x.X, x.Op, v, x.Y.Type())
	}
	if v, ok := constant(x.X); ok {
		return masked(x.Y, x.Op, v) + outOfRange(x.Y, mirrored[x.Op], v, x.X.Type())
	}
	return ""
}

// masked is about x & bits, compared with a number that has others.
func masked(x Expr, op Token, v uint64) string {
	b, ok := x.(*Binary)
	if !ok || b.Op != AND || op != EQ && op != NE {
		return ""
	}
	bits, ok := b.constantSide()
	if _, folded := constant(x); !ok || folded || v&^bits == 0 {
		return ""
	}
	return fmt.Sprintf("this comparison is always %v: %s has no bits but those of %#x, and %#x has others", op == NE, brief(x), bits, v)
}

// mirrored is the comparison with its sides exchanged.
var mirrored = map[Token]Token{EQ: EQ, NE: NE, LT: GT, GT: LT, LE: GE, GE: LE}

// outOfRange says whether x op v is the same for all values that x may have.
func outOfRange(x Expr, op Token, v uint64, of *Type) string {
	t := x.Type()
	if _, known := constant(x); known || !t.Integer() || t.Literal || !of.Integer() {
		return ""
	}
	if isTruth(x) {
		t = boolT
	}
	c := int64(v)
	if t.unsigned64() {
		if c == 0 && (op == LT || op == GE) {
			return fmt.Sprintf("this comparison is always %v: %s is never negative", op == GE, brief(x))
		}
		return ""
	}
	if of.unsigned64() {
		return ""
	}
	lo, hi := t.limits()
	always, decided := settled(op, lo, hi, c)
	switch {
	case !decided:
		return ""
	case lo == 0 && c <= 0:
		return fmt.Sprintf("this comparison is always %v: %s is never negative", always, brief(x))
	}
	return fmt.Sprintf("this comparison is always %v: %s is %d to %d", always, brief(x), lo, hi)
}

var boolT = &Type{Kind: Bool, Size: 1}

// isTruth says whether an expression is 0 or 1, as 5 < pid in 5 < pid < 10 and !pid in
// !pid == 5.
func isTruth(x Expr) bool {
	switch x := x.(type) {
	case *Binary:
		return opClasses[x.Op] == comparison || opClasses[x.Op] == logic
	case *Unary:
		return x.Op == NOT
	case *In:
		return true
	}
	return false
}

// limits are the smallest and the largest value of an integer that fits 64
// signed bits.
func (t *Type) limits() (lo, hi int64) {
	bits := 8*t.Size - 1
	switch {
	case t.Kind == Bool:
		return 0, 1
	case t.Size >= 8:
		return math.MinInt64, math.MaxInt64
	case t.Signed:
		return -1 << bits, 1<<bits - 1
	}
	return 0, 1<<(bits+1) - 1
}

// settled is the result of x op c for each x from lo to hi, where it is the same.
func settled(op Token, lo, hi, c int64) (result, ok bool) {
	switch op {
	case EQ, NE:
		return op == NE, c < lo || c > hi
	case LT:
		return hi < c, c <= lo || hi < c
	case LE:
		return hi <= c, c < lo || hi <= c
	case GT:
		return lo > c, c >= hi || lo > c
	case GE:
		return lo >= c, c > hi || lo >= c
	}
	return false, false
}

// tooLong is about a literal that is longer than the text that it is compared
// with can be.
func tooLong(op Token, text, with Expr) string {
	lit, ok := with.(*StringLit)
	if _, both := text.(*StringLit); !ok || both || len(lit.Value) <= room(text) || op != EQ && op != NE {
		return ""
	}
	return fmt.Sprintf("this comparison is always %v: %s has at most %d bytes, and this text %d", op == NE, brief(text), room(text), len(lit.Value))
}

// room is how long a text can be. A thread's name has its NUL within its 16 bytes.
func room(text Expr) int {
	if n, ok := text.(*Name); ok && n.Func != nil && n.Name == "comm" {
		return text.Type().Size - 1
	}
	return text.Type().Size
}

// neverBegins is about startswith(a, b) with a longer b than a can be.
func neverBegins(x *Call) string {
	if x.Func == nil || x.Name != "startswith" || len(x.Args) != 2 || !isText(x.Args[0].Type()) {
		return ""
	}
	text, prefix := x.Args[0], x.Args[1]
	lit, ok := prefix.(*StringLit)
	if _, both := text.(*StringLit); !ok || both || len(lit.Value) <= room(text) {
		return ""
	}
	return fmt.Sprintf("this is always false: %s has at most %d bytes, and this text %d", brief(text), room(text), len(lit.Value))
}
