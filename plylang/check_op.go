package plylang

// unary types -x, !x, ~x and *x.
func (c *clause) unary(x *Unary) *Type {
	switch x.Op {
	case MUL:
		return c.deref(x)
	case AND:
		if t := c.value(x.X); t != nil {
			return addressOfArray(t)
		}
		return nil
	case NOT:
		c.condition(x.X, "")
		return S64
	}
	t := c.scalar(&x.X)
	switch {
	case t == nil:
		return nil
	case t.Unit == Plain:
		return signed64(!Unsigned(x.Op, t, t))
	case x.Op == SUB && t.Unit == Duration:
		return DurationT
	}
	c.errorf(x.Pos, "%v of %s makes no sense", x.Op, describe(t))
	return nil
}

func signed64(signed bool) *Type {
	if signed {
		return S64
	}
	return U64
}

// Unsigned says whether x op y is computed unsigned: if one of the two is an
// unsigned 64-bit number or a pointer; a shift looks at its left operand only.
func Unsigned(op Token, x, y *Type) bool {
	switch op {
	case SHL, SHR, SHL_ASSIGN, SHR_ASSIGN:
		return x.unsigned64()
	}
	return x.unsigned64() || y.unsigned64()
}

func (t *Type) unsigned64() bool {
	return t != nil && (t.Kind == Pointer || t.Kind == Array || t.Integer() && t.Size == 8 && !t.Signed)
}

// An opClass says what an operator does with types.
type opClass uint8

const (
	arithmetic opClass = iota + 1
	shift
	comparison
	logic
)

// opClasses is the table of the binary operators; compound assignments are
// found under the operator they apply.
var opClasses = map[Token]opClass{
	ADD: arithmetic, SUB: arithmetic, MUL: arithmetic, DIV: arithmetic, MOD: arithmetic,
	AND: arithmetic, OR: arithmetic, XOR: arithmetic,
	SHL: shift, SHR: shift,
	EQ: comparison, NE: comparison, LT: comparison, GT: comparison, LE: comparison, GE: comparison,
	LAND: logic, LOR: logic, LXOR: logic,
}

// compound is the operator that a compound assignment applies.
var compound = map[Token]Token{
	ADD_ASSIGN: ADD, SUB_ASSIGN: SUB, MUL_ASSIGN: MUL, DIV_ASSIGN: DIV, MOD_ASSIGN: MOD,
	OR_ASSIGN: OR, AND_ASSIGN: AND, XOR_ASSIGN: XOR, SHL_ASSIGN: SHL, SHR_ASSIGN: SHR,
	INC: ADD, DEC: SUB,
}

// A sided is one side of a binary operator.
type sided struct {
	x Expr // nil for the 1 of x++
	t *Type
}

func (c *clause) binary(x *Binary) *Type {
	if opClasses[x.Op] == logic {
		c.condition(x.X, "")
		c.condition(x.Y, "")
		return S64
	}
	if opClasses[x.Op] == comparison {
		c.compare(x)
		return S64
	}
	a, b := c.pair(&x.X, &x.Y, c.decayed)
	if x.Op == ADD && a.Integer() && b != nil && b.Kind == Pointer {
		x.X, x.Y, a, b = x.Y, x.X, b, a // what is added to a pointer is its right operand
	}
	return c.operate(x.Pos, x.Op, sided{x.X, a}, sided{x.Y, b})
}

// compare checks what a comparison compares.
func (c *clause) compare(x *Binary) {
	a, b := c.pair(&x.X, &x.Y, c.typed)
	c.compared(x, a, b)
}

// compared checks a comparison whose sides have been typed. Two arrays are
// compared by what is in them.
func (c *clause) compared(x *Binary, a, b *Type) {
	if a == nil || b == nil || a.inMemory() && b.inMemory() && a.Size == b.Size && (x.Op == EQ || x.Op == NE) {
		return
	}
	a, b = decay(&x.X, a), decay(&x.Y, b)
	switch {
	case a.Kind == String && b.Kind == String:
		if x.Op != EQ && x.Op != NE {
			c.errorf(x.Pos, "strings compare with == and != only: use strcmp(%s, %s) %v 0", brief(x.X), brief(x.Y), x.Op)
		}
	case a.Kind == Stack && b.Kind == Stack && (x.Op == EQ || x.Op == NE):
	case !a.number() || !b.number():
		c.errorf(x.Pos, "%s and %s cannot be compared%s", describe(a), describe(b), textCure(x))
	case a.Unit == Plain && b.Unit == Duration || a.Unit == Duration && b.Unit == Plain:
		c.mixedUnits(x.Pos, x.Op, sided{x.X, a}, sided{x.Y, b})
	case a.Unit != b.Unit && a.Unit != Plain && b.Unit != Plain:
		c.warnf(x.Pos, "a point in time is compared with a length of time")
	}
}

// inMemory says whether values of t are bytes that are not text.
func (t *Type) inMemory() bool { return t.Kind == Array || t.Kind == Bytes || t.Kind == Struct }

// mixedUnits warns of a plain number and another, unless one of them is zero.
func (c *clause) mixedUnits(pos Pos, op Token, a, b sided) {
	if c.zero(a) || c.zero(b) {
		return
	}
	other := a.t
	if other.Unit == Plain {
		other = b.t
	}
	c.warnf(pos, "%v takes the plain number as nanoseconds, because the other side is %s: give it a unit, as in 5ms", op, describe(other))
}

// zero says whether an operand is 0, whatever its unit.
func (c *clause) zero(s sided) bool {
	if s.t == zeroT {
		return true
	}
	if s.x == nil {
		return false
	}
	v, ok := constant(s.x)
	return ok && v == 0
}

// operate types a op b for arithmetic and shifts.
func (c *clause) operate(pos Pos, op Token, a, b sided) *Type {
	for _, s := range []sided{a, b} {
		if s.t != nil && !s.t.number() {
			hint := ""
			if op == ADD && isText(a.t) && isText(b.t) {
				hint = ": text is not joined, print its parts side by side"
			}
			c.errorf(pos, "%v needs numbers, and this is %s%s", op, describe(s.t), hint)
			return nil
		}
	}
	if a.t == nil || b.t == nil || !c.checkConstant(pos, op, b) {
		return nil
	}
	if a.t.Kind == Pointer || b.t.Kind == Pointer {
		return c.address(pos, op, a.t, b.t)
	}
	if a.t.Unit == Plain && b.t.Unit == Plain {
		return c.plain(op, a, b)
	}
	return c.withUnits(pos, op, a, b)
}

func isText(t *Type) bool { return t != nil && t.Kind == String }

// checkConstant finds fault with a constant right operand.
func (c *clause) checkConstant(pos Pos, op Token, b sided) bool {
	if b.x == nil {
		return true
	}
	v, ok := constant(b.x)
	switch {
	case !ok:
		return true
	case (op == DIV || op == MOD) && v == 0:
		c.errorf(pos, "division by zero")
		return false
	case opClasses[op] == shift && v > 63:
		c.errorf(pos, "a shift by %d is outside of 0 to 63, the bits of a number", int64(v))
		return false
	}
	return true
}

// plain types an operation on numbers without a unit. What is made of
// literals only joins like a literal, as long as it cannot be negative.
func (c *clause) plain(op Token, a, b sided) *Type {
	unsigned := Unsigned(op, a.t, b.t)
	if a.t.Literal && b.t.Literal && c.staysPositive(op, a, b) {
		return Literal
	}
	if e := flagsOf(op, a.t, b.t); e != nil {
		return NamedType(8, !unsigned, e)
	}
	return withUser(signed64(!unsigned), (op == ADD || op == SUB) && (a.t.User || b.t.User))
}

// flagsOf are the names that bits keep where they are chosen or joined.
func flagsOf(op Token, a, b *Type) *Enumeration {
	if op != AND && op != OR && op != XOR {
		return nil
	}
	for _, t := range []*Type{a, b} {
		if t.Enum != nil && t.Enum.Flags {
			return t.Enum
		}
	}
	return nil
}

func (c *clause) staysPositive(op Token, a, b sided) bool {
	if a.x == nil || b.x == nil {
		return op != SUB
	}
	x, okX := constant(a.x)
	y, okY := constant(b.x)
	if !okX || !okY {
		return op != SUB
	}
	return int64(apply(op, x, y, false)) >= 0
}

// address types arithmetic with pointers: an address plus a number is an
// address, the difference of two is a number, and anything else computes with
// them as numbers.
func (c *clause) address(pos Pos, op Token, a, b *Type) *Type {
	if a.Unit != Plain || b.Unit != Plain {
		c.errorf(pos, "%s and %s make no sense together", describe(a), describe(b))
		return nil
	}
	switch {
	case op == SUB && a.Kind == Pointer && b.Kind == Pointer:
		return S64
	case (op == ADD || op == SUB) && a.Kind == Pointer && b.Integer():
		return a
	}
	return U64
}
